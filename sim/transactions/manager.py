"""Transactions: begin, attempt a statement, commit, roll back.

Theory of operation. The tables hold what is committed. What an open transaction has
changed is kept with its row locks and is put into the tables by its commit, in one
step, so whoever looks at the tables sees committed rows only. A snapshot is kept the
other way round: whatever changes a row leaves an image of it for each transaction that
still sees it as it was. So there are no version numbers, and the state stays finite.

A statement is attempted in one step. If it must wait, it keeps the locks that it has
taken, its effects are dropped, and it is attempted again from its start, in a step that
is enabled when the wait is over, or when it can only end as a deadlock. It sees the
same rows as at first, but those of which it has met a newer version: these it evaluates
again, as PostgreSQL does (EvalPlanQual). That gives the same result as going on
row by row, because nobody else can change what it has locked.

Rejected: a coroutine that goes on row by row, because each place in it is one more
local state; numbered versions, because numbers never come back.

Source: PostgreSQL documentation, chapter 13; SQLite documentation, "Isolation" and
"WAL". The names of PostgreSQL's own source are given where its rules are meant.
"""

from collections.abc import Callable, Hashable, Sized
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Counter, Table
from wavecheck.sim.transactions.conflicts import Conflicts
from wavecheck.sim.transactions.level import (
    Blocked,
    Failed,
    Fails,
    Failure,
    Level,
    LooksAgain,
    Place,
    Row,
    Waits,
)
from wavecheck.sim.transactions.locks import Locks
from wavecheck.sim.transactions.rows import Image, Open


@dataclass(slots=True)
class _Statement:
    """What the attempt under way has done so far."""

    slot: int
    found: dict[Place, bool]
    written: dict[Place, Row] = field(default_factory=dict)
    reborn: dict[Place, None] = field(default_factory=dict)


class Transactions:
    """The transactions of one database.

    Args:
        kernel: whose parts their state is kept in.
        name: of these parts.
        refused: makes the error for a statement outside of transactions that meets an
            open transaction, given its slot; without it there are no such statements.

    Attributes:
        open: those that have begun and not ended.
        locks: the row locks.
        images: rows as snapshots see them.
        conflicts: what SERIALIZABLE keeps.
    """

    def __init__(
        self,
        kernel: Kernel,
        name: str = "transactions",
        refused: Callable[[int], Exception] | None = None,
    ) -> None:
        self._tables: dict[str, Table[Any]] = {}
        self._free: dict[str, tuple[str, ...]] = {}
        self._open = Table(kernel, name, Open, key=("slot",))
        self.locks = Locks(kernel, f"{name}: locks", self._open)
        self.images = Table(
            kernel, f"{name}: images", Image, key=("slot", "table", "key")
        )
        self.conflicts = Conflicts(kernel, f"{name}: conflicts")
        self._positions = Counter(kernel, f"{name}: positions")
        self._refused = refused
        # Between two steps it is the same object again: it is no state.
        self._is_committing = False
        self._idle = self._statement = _Statement(0, {})

    @property
    def open(self) -> Sized:
        """The open transactions, for the tables' gates."""
        return self._open

    def add(self, table: Table[Any]) -> None:
        """Let transactions work on a table."""
        self._tables[table.name] = table
        self._free[table.name] = table.free_columns
        table.gate = self

    def is_open(self, slot: int) -> bool:
        """Return whether there is a transaction in a slot."""
        return slot in self._open

    # What a statement does: called while one is attempted ---------------------------

    def note_read(self, slot: int, table: str) -> None:
        """Note that the statement under way reads a table.

        PostgreSQL scans it once; attempted again, the statement does not read anew.
        """
        current = self._open.get(slot)
        if current.level is Level.SERIALIZABLE and current.waits_for is None:
            self.conflicts.read(slot, table)

    def seen(self, slot: int, table: Table[Any], key: Hashable) -> Row:
        """Return a row as the statement under way sees it; None: it sees none."""
        place = (table.name, key)
        lock = self.locks.find(place)
        if lock is not None and lock.slot == slot and lock.is_changed:
            return lock.row
        is_gone = self._statement.found.get(place)
        if is_gone is not None:
            return None if is_gone else table.find(key)
        if self._open.get(slot).has_snapshot:
            image = self.images.find((slot, *place))
            if image is not None:
                return image.row
        return table.find(key)

    def differing(self, slot: int, table: str) -> dict[Hashable, None]:
        """Return the keys under which a transaction may see other rows than there are.

        In order, without duplicates.
        """
        keys = dict.fromkeys(
            image.key for image in self.images.select(slot=slot, table=table)
        )
        keys.update(
            dict.fromkeys(
                lock.key
                for lock in self.locks.rows.select(
                    table=table, slot=slot, is_changed=True
                )
            )
        )
        return keys

    def ghosts(self, slot: int, table: str) -> list[Row]:
        """Return rows that a snapshot still shows beside an own row of the same key."""
        found = []
        for image in self.images.select(slot=slot, table=table):
            lock = self.locks.find((table, image.key))
            is_own = lock is not None and lock.slot == slot and lock.is_changed
            if is_own and image.row is not None:
                found.append(image.row)
        return found

    def lock(self, slot: int, place: Place, *, changes: bool) -> None:
        """Lock a row that the statement under way sees.

        Raises:
            Waits: somebody else has it.
            LooksAgain: it is locked, and has a newer version than the statement saw.
            Fails: the level does not allow a newer version; another one may write.
        """
        current = self._open.get(slot)
        if current.level.is_single_writer:
            self._become_writer(current)
            return
        if changes:
            self._open.update(slot, has_number=True)
        lock = self.locks.find(place)
        if lock is not None and lock.slot == slot:
            return
        image = self._newer(current, place)
        if image is not None and current.level is not Level.READ_COMMITTED:
            raise Fails(Failure.SERIALIZATION)
        if lock is not None and lock.slot:
            raise Waits(place, is_insert=False)
        if image is None or not image.is_gone:
            self.locks.take(slot, place)
            self._open.update(slot, has_number=True)
        if image is not None:
            self._statement.found[place] = image.is_gone
            raise LooksAgain

    def _newer(self, current: Open, place: Place) -> Image | None:
        """Return the image of a row that has a newer version than a snapshot shows."""
        if not current.has_snapshot:
            return None
        return self.images.find((current.slot, *place))

    def is_held_by_other(self, slot: int, place: Place) -> bool:
        """Return whether a lock on a row would have to wait (SKIP LOCKED)."""
        current, lock = self._open.get(slot), self.locks.find(place)
        if current.level is not Level.READ_COMMITTED and self._newer(current, place):
            return False  # it would fail instead
        return lock is not None and lock.slot not in (0, slot)

    def write(self, slot: int, place: Place, row: Row) -> None:
        """Change a row that is locked; None deletes it."""
        if self._open.get(slot).level is Level.SERIALIZABLE:
            self.conflicts.write(slot, place[0])
        self._statement.written[place] = row

    def insert(self, slot: int, table: Table[Any], key: Hashable, row: Row) -> None:
        """Insert a row.

        Raises:
            Waits: for the end of a transaction that has changed a row of this key.
            Fails: there is a row of this key, whoever may see it.
        """
        place = (table.name, key)
        current = self._open.get(slot)
        if current.level.is_single_writer:
            self._become_writer(current)
        else:
            self._open.update(slot, has_number=True)
        if current.level is Level.SERIALIZABLE:
            self.conflicts.write(slot, table.name)
        lock = self.locks.find(place)
        is_own = lock is not None and lock.slot == slot and lock.is_changed
        if lock is not None and lock.slot not in (0, slot) and lock.is_changed:
            raise Waits(place, is_insert=True)
        exists = lock.row if is_own and lock is not None else table.find(key)
        if exists is not None or place in self._statement.written:
            raise Fails(Failure.DUPLICATE)
        if lock is None or not lock.slot:
            self.locks.take(slot, place)
        elif is_own and table.find(key) is not None:
            self._statement.reborn[place] = None
        self._statement.written[place] = row

    def next_position(self, table: str) -> int:
        """Return the number of a new version of a row of a table."""
        return self._positions.add(table)

    def intend_write(self, slot: int) -> None:
        """Say that the statement under way writes; in SQLite it needs the write lock.

        Raises:
            Fails: another transaction writes, or has written since the snapshot.
        """
        current = self._open.get(slot)
        if current.level.is_single_writer:
            self._become_writer(current)

    def _become_writer(self, current: Open) -> None:
        """Take SQLite's only write lock, or fail at once."""
        if current.is_writer:
            return
        if current.is_behind or self._open.count(is_writer=True):
            raise Fails(Failure.BUSY)
        self._open.update(current.slot, is_writer=True)

    # Steps ----------------------------------------------------------------------------

    def begin(self, level: Level) -> int | Failed:
        """Begin a transaction; return its slot.

        SQLite's IMMEDIATE may fail, and there is no transaction then.
        """
        slot = 1
        while slot in self._open:
            slot += 1
        is_immediate = level is Level.IMMEDIATE
        if is_immediate and self._open.count(is_writer=True):
            return Failed(Failure.BUSY)
        self._open.insert(
            Open(slot, level, has_snapshot=is_immediate, is_writer=is_immediate)
        )
        return slot

    def attempt(self, slot: int, act: Callable[[], Any]) -> Any:
        """Attempt a statement from its start.

        Args:
            slot: in which transaction.
            act: what it does, by the methods above; its result is the statement's.

        Returns:
            The result; or `Blocked`, and it is to be attempted again once
            `may_go_on(slot)`; or `Failed`.
        """
        current = self._open.get(slot)
        if current.is_failed:
            return Failed(Failure.ABORTED)
        if self.locks.is_in_circle(slot):
            self._fail(slot)
            return Failed(Failure.DEADLOCK)
        had_snapshot = current.has_snapshot
        if current.level is not Level.READ_COMMITTED and not had_snapshot:
            self._open.update(slot, has_snapshot=True)
            if current.level is Level.SERIALIZABLE:
                self.conflicts.begin(slot)
        found = dict(current.found)
        try:
            while True:
                self._statement = _Statement(slot, found)
                with suppress(LooksAgain):
                    result = act()
                    self._finish(self._statement)
                    return result
        except Waits as wait:
            return self._block(self._statement, wait)
        except Fails as failed:
            if current.level.is_single_writer:
                self._open.update(slot, has_snapshot=had_snapshot)
            else:
                self._fail(slot)
            return Failed(failed.failure)
        finally:
            self._statement = self._idle

    def may_go_on(self, slot: int) -> bool:
        """Return whether a blocked statement can be attempted again.

        It then goes on, or is the victim of a deadlock.
        """
        return self.locks.may_go_on(slot)

    def defer(self, slot: int, item: Any) -> None:
        """Let the commit of a transaction return an item."""
        deferred = (*self._open.get(slot).deferred, item)
        self._open.update(slot, deferred=deferred)

    def commit(self, slot: int) -> tuple[Any, ...] | Failed:
        """Commit; return what was deferred.

        A transaction that has failed is rolled back instead.
        """
        current = self._open.get(slot)
        if current.is_failed:
            self._open.delete(slot)
            return Failed(Failure.ABORTED)
        if current.level is Level.SERIALIZABLE and current.has_snapshot:
            try:
                beside = [one.slot for one in self._open.select(has_number=True)]
                self.conflicts.commit(slot, beside)
            except Fails as failed:
                self._end(slot, is_commit=False)
                return Failed(failed.failure)
        changed = [lock for lock in self.locks.held(slot) if lock.is_changed]
        self._end(slot, is_commit=True)
        if current.has_number:
            self._leave_behind()
        self._is_committing = True
        try:
            for lock in changed:
                self._put(self._tables[lock.table], lock.key, lock.row, lock.is_reborn)
        finally:
            self._is_committing = False
        return current.deferred

    def roll_back(self, slot: int) -> None:
        """Roll back."""
        if self._open.get(slot).is_failed:
            self._open.delete(slot)
        else:
            self._end(slot, is_commit=False)

    def admit(self, table: Table[Any], key: Hashable, *, is_gone: bool) -> None:
        """Let a change of a committed row pass; snapshots keep an image of it.

        Raises:
            Exception: an open transaction has the row; nothing was done.
        """
        place = (table.name, key)
        lock = self.locks.find(place)
        if lock is not None and lock.slot:
            raise self._refuse(lock.slot)
        if self._open.count(is_writer=True):
            raise self._refuse(self._open.select(is_writer=True)[0].slot)
        if lock is not None:
            self.locks.supersede(place)
        before = table.find(key)
        if not self._is_committing:
            self._leave_behind()
        for current in self._open.select(has_snapshot=True):
            image = self.images.find((current.slot, *place))
            if image is None:
                self.images.insert(Image(current.slot, *place, before, is_gone))
            elif is_gone and not image.is_gone:
                self.images.update((current.slot, *place), is_gone=True)

    def _leave_behind(self) -> None:
        """Note that snapshots of SQLite are no longer the newest: they cannot write."""
        for current in self._open.select(has_snapshot=True, is_behind=False):
            if current.level.is_single_writer:
                self._open.update(current.slot, is_behind=True)

    def _refuse(self, holder: int) -> Exception:
        assert self._refused is not None, "a change outside of transactions must wait"
        return self._refused(holder)

    # Ends -----------------------------------------------------------------------------

    def _block(self, statement: _Statement, wait: Waits) -> Blocked:
        """Let a statement wait: it keeps its locks and what it sees."""
        slot = statement.slot
        for place in statement.written:
            table = self._tables[place[0]]
            self.locks.rows.update(
                place, row=self.seen(slot, table, place[1]), is_changed=True
            )
        if self._open.get(slot).waits_for not in (None, wait.place):
            self.locks.leave(slot)
        self._open.update(slot, has_snapshot=True, found=tuple(statement.found.items()))
        is_newer = (slot, *wait.place) in self.images
        queues = not wait.is_insert and not is_newer
        self.locks.wait(slot, wait.place, is_insert=wait.is_insert, queues=queues)
        return Blocked(slot, self.locks.rows.get(wait.place).slot)

    def _finish(self, statement: _Statement) -> None:
        """Keep what a statement has done to the end of its transaction."""
        slot = statement.slot
        for place, row in statement.written.items():
            lock = self.locks.find(place)
            if self._open.get(slot).is_writer:  # it has locked everything at once
                before = self.seen(slot, self._tables[place[0]], place[1])
                if lock is None:
                    self.locks.take(slot, place)
                if row != before:  # SQLite writes no page whose content stays
                    self._open.update(slot, has_number=True)
            if place in statement.reborn:
                self.locks.rows.update(place, is_reborn=True)
            self.locks.rows.update(place, row=row, is_changed=True)
        self.locks.leave(slot)
        current = self._open.get(slot)
        if current.found:
            self._open.update(slot, found=())
        if current.level is Level.READ_COMMITTED and current.has_snapshot:
            self._forget_snapshot(slot)

    def _fail(self, slot: int) -> None:
        """End a transaction whose statement failed; it stays open for its rollback."""
        current = self._open.get(slot)
        self._end(slot, is_commit=False)
        self._open.insert(Open(slot, current.level, is_failed=True))

    def _end(self, slot: int, *, is_commit: bool) -> None:
        """Give back locks and snapshot, and forget the transaction."""
        self.locks.leave(slot)
        self.locks.release(slot, is_commit=is_commit)
        self._forget_snapshot(slot)
        if not is_commit:
            self.conflicts.abort(slot)
        self._open.delete(slot)
        self.conflicts.tidy(slot)

    def _forget_snapshot(self, slot: int) -> None:
        self._open.update(slot, has_snapshot=False)
        for image in self.images.select(slot=slot):
            self.images.delete((slot, image.table, image.key))

    def _put(self, table: Table[Any], key: Hashable, row: Row, is_reborn: bool) -> None:
        """Put a committed row into its table."""
        before = table.find(key)
        if before is not None and (row is None or is_reborn):
            table.delete(key)
            before = None
        if row is None:
            return
        if before is None:
            table.insert(row)
        else:
            table.update(
                key, **{name: getattr(row, name) for name in self._free[table.name]}
            )

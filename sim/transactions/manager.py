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

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

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
    Strength,
    Waits,
)
from wavecheck.sim.transactions.locks import Locks
from wavecheck.sim.transactions.rows import Hold, Image, Open, Version


class Policy(Enum):
    """What becomes of a statement that finds a row locked."""

    WAIT = "wait"
    NOWAIT = "nowait"
    SKIP_LOCKED = "skip locked"


class Acquired(NamedTuple):
    """What came of locking a row that a statement sees.

    Attributes:
        is_skipped: somebody else has it, and it is not waited for.
        is_newer: it has a newer version than the statement sees.
        row: that version; None: it is gone.
    """

    is_skipped: bool = False
    is_newer: bool = False
    row: Row = None


@dataclass(slots=True)
class UnderWay:
    """What the attempt under way has done so far."""

    slot: int
    found: dict[Place, bool]
    command: int = 1
    written: dict[Place, Row] = field(default_factory=dict)
    reborn: dict[Place, None] = field(default_factory=dict)


class Transactions:
    """The transactions of one database.

    Args:
        kernel: whose parts their state is kept in.
        name: of these parts.
        refused: makes the error for a statement outside of transactions that meets an
            open transaction, given its slot; without it there are no such statements.
        counts: give each transaction that changes or locks something a number.

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
        *,
        counts: bool = False,
    ) -> None:
        self._tables: dict[str, Table[Any]] = {}
        self._free: dict[str, tuple[str, ...]] = {}
        self._key_of: dict[str, Callable[[Row], Hashable]] = {}
        self._unique_of: dict[str, Callable[[Row], Hashable]] = {}
        self._open = Table(kernel, name, Open, key=("slot",))
        self.locks = Locks(kernel, f"{name}: locks", self._open)
        self.images = Table(
            kernel, f"{name}: images", Image, key=("slot", "table", "key")
        )
        self.conflicts = Conflicts(kernel, f"{name}: conflicts")
        self._positions = Counter(kernel, f"{name}: positions")
        self._numbers = Counter(kernel, f"{name}: numbers") if counts else None
        for part in (self._open, self.images, self._positions, self._numbers):
            if part is not None:
                part.is_bookkeeping = True
        self._refused = refused
        # Between two steps it is the same object again: it is no state.
        self._is_committing = self._rekeys = False
        self._idle = self._statement = UnderWay(0, {})

    @property
    def open(self) -> Table[Open]:
        """The open transactions, for the tables' gates."""
        return self._open

    def add(
        self,
        table: Table[Any],
        key_of: Callable[[Row], Hashable] | None = None,
        unique_of: Callable[[Row], Hashable] | None = None,
    ) -> None:
        """Let transactions work on a table.

        Args:
            table: which.
            key_of: what of a row a KEY SHARE lock keeps as it is; None: the whole row.
            unique_of: what of a row another one cannot have; None: nothing.
        """
        if unique_of is not None:
            self._unique_of[table.name] = unique_of
        self._tables[table.name] = table
        if key_of is not None:
            self._key_of[table.name] = key_of
        self._free[table.name] = table.free_columns
        table.gate = self

    def is_open(self, slot: int) -> bool:
        """Return whether there is a transaction in a slot."""
        return slot in self._open

    # What a statement does: called while one is attempted ---------------------------

    def note_read(self, slot: int, table: str, *, is_newest: bool = False) -> None:
        """Note that the statement under way reads a table.

        PostgreSQL scans it once; attempted again, the statement does not read anew.

        Args:
            slot: of the transaction.
            table: its name.
            is_newest: it reads what is committed now, as foreign keys do.
        """
        current = self._open.get(slot)
        if current.level is Level.SERIALIZABLE and current.waits_for is None:
            is_empty = not len(self._tables[table])
            self.conflicts.read(slot, table, is_newest=is_newest, is_empty=is_empty)

    def seen(self, slot: int, table: Table[Any], key: Hashable) -> Row:
        """Return a row as the statement under way sees it; None: it sees none."""
        place = (table.name, key)
        lock = self.locks.find(place)
        if lock is not None and lock.changer == slot:
            command = self._statement.command
            for version in reversed(lock.versions):
                if version.command < command:
                    return version.row
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
        current = self._open.get(slot)
        keys: dict[Hashable, None] = {}
        if current.has_snapshot:
            images = self.images.select(slot=slot, table=table)
            keys = dict.fromkeys([image.key for image in images])
        if current.has_number or current.is_writer:
            changed = self.locks.changed(slot, table)
            keys.update(dict.fromkeys([lock.key for lock in changed]))
        return keys

    def ghosts(self, slot: int, table: str) -> list[Row]:
        """Return rows that a snapshot still shows beside an own row of the same key."""
        found = []
        for image in self.images.select(slot=slot, table=table):
            lock = self.locks.find((table, image.key))
            is_own = lock is not None and lock.changer == slot
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
            self._give_number(slot)
        lock = self.locks.find(place)
        if lock is not None and lock.held_by(slot):
            return
        acquired = self.acquire(slot, place, Strength.UPDATE)
        if acquired.is_newer:
            image = self.images.get((slot, *place))
            self._statement.found[place] = image.is_gone
            raise LooksAgain

    def acquire(
        self,
        slot: int,
        place: Place,
        strength: Strength,
        policy: Policy = Policy.WAIT,
    ) -> Acquired:
        """Lock a row that the statement under way sees, and say what it is now.

        Raises:
            Waits: somebody else has it.
            Fails: the level does not allow a newer version; or it must not wait.
        """
        current, lock = self._open.get(slot), self.locks.find(place)
        if current.level.is_single_writer:
            self._become_writer(current)
            self.locks.take(slot, place, strength, current.depth)
            return Acquired()
        image = self._newer(current, place)
        if image is not None and self._keeps_key(image, strength):
            image = None
        if image is not None and current.level is not Level.READ_COMMITTED:
            raise Fails(Failure.SERIALIZATION)
        if lock is not None and lock.in_the_way(slot, strength):
            if policy is Policy.SKIP_LOCKED:
                return Acquired(is_skipped=True)
            if policy is Policy.NOWAIT:
                raise Fails(Failure.NOT_AVAILABLE)
            raise Waits(place, is_insert=False, strength=strength)
        if image is None or not image.is_gone:
            self.locks.take(slot, place, strength, current.depth)
            self._give_number(slot)
        if image is None:
            return Acquired()
        row = None if image.is_gone else self._tables[place[0]].find(place[1])
        return Acquired(is_newer=True, row=row)

    def _newer(self, current: Open, place: Place) -> Image | None:
        """Return the image of a row that has a newer version than a snapshot shows."""
        if not current.has_snapshot:
            return None
        return self.images.find((current.slot, *place))

    def _keeps_key(self, image: Image, strength: Strength) -> bool:
        """Return whether a newer version does not matter: the key is as it was."""
        key_of = self._key_of.get(image.table)
        if strength is not Strength.KEY_SHARE or key_of is None:
            return False
        if image.is_gone or image.is_rekeyed:
            return False
        row = self._tables[image.table].find(image.key)
        return (
            row is not None
            and image.row is not None
            and key_of(row) == key_of(image.row)
        )

    def is_held_by_other(self, slot: int, place: Place) -> bool:
        """Return whether a lock on a row would have to wait (SKIP LOCKED)."""
        current, lock = self._open.get(slot), self.locks.find(place)
        if current.level is not Level.READ_COMMITTED and self._newer(current, place):
            return False  # it would fail instead
        return lock is not None and bool(lock.in_the_way(slot, Strength.UPDATE))

    def _give_number(self, slot: int) -> None:
        """Note that others can wait for a transaction from here on."""
        if not self._open.get(slot).has_number:
            number = self._numbers.add() if self._numbers is not None else 0
            self._open.update(slot, has_number=True, number=number)

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
            self._give_number(slot)
        if current.level is Level.SERIALIZABLE:
            self.conflicts.write(slot, table.name)
        lock = self.locks.find(place)
        is_own = lock is not None and lock.changer == slot
        if lock is not None and lock.changer not in (0, slot):
            raise Waits(place, is_insert=True)
        exists = lock.row if is_own and lock is not None else table.find(key)
        if exists is not None or place in self._statement.written:
            raise Fails(Failure.DUPLICATE)
        if lock is None or not lock.holds:
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

    def begin(self, level: Level, *, session: int = 0, depth: int = 0) -> int | Failed:
        """Begin a transaction; return its slot.

        SQLite's IMMEDIATE may fail, and there is no transaction then.

        Args:
            level: of isolation.
            session: whose it is, where that has locks of its own.
            depth: how many savepoints it is in already.
        """
        slot = 1
        while slot in self._open:
            slot += 1
        is_immediate = level is Level.IMMEDIATE
        if is_immediate and self._open.count(is_writer=True):
            return Failed(Failure.BUSY)
        self._open.insert(
            Open(
                slot,
                level,
                has_snapshot=is_immediate,
                is_writer=is_immediate,
                session=session,
                depth=depth,
            )
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
            self.fail(slot)
            return Failed(Failure.DEADLOCK)
        had_snapshot = current.has_snapshot
        if current.level is not Level.READ_COMMITTED and not had_snapshot:
            self._open.update(slot, has_snapshot=True)
            if current.level is Level.SERIALIZABLE:
                self.conflicts.begin(slot)
        found = dict(current.found)
        try:
            while True:
                self._statement = UnderWay(slot, found)
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
                self.fail(slot)
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
        current = self._open.get(slot)
        self._open.update(slot, deferred=(*current.deferred, (current.depth, item)))

    def commit(self, slot: int) -> tuple[Any, ...] | Failed:
        """Commit; return what was deferred.

        A transaction that has failed is rolled back instead.
        """
        current = self._open.get(slot)
        if current.is_failed:
            self.roll_back(slot)
            return Failed(Failure.ABORTED)
        if current.level is Level.SERIALIZABLE and current.has_snapshot:
            try:
                beside = [one.slot for one in self._open.select(has_number=True)]
                self.conflicts.commit(slot, beside)
            except Fails as failed:
                self._end(slot, is_commit=False)
                return Failed(failed.failure)
        changed = [lock for lock in self.locks.held(slot) if lock.changer == slot]
        self._end(slot, is_commit=True)
        if current.has_number:
            self._leave_behind()
        self._is_committing = True
        try:
            for lock in changed:
                is_reborn = any(one.is_reborn for one in lock.versions)
                self._rekeys = lock.held_by(slot) == Strength.UPDATE
                self._put(self._tables[lock.table], lock.key, lock.row, is_reborn)
        finally:
            self._is_committing = self._rekeys = False
        return tuple([item for _, item in current.deferred])

    def roll_back(self, slot: int) -> None:
        """Roll back."""
        current = self._open.get(slot)
        if current.is_failed and not current.depth:
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
        holders = [] if lock is None else lock.in_the_way(0, Strength.UPDATE)
        if holders and not self._is_committing:
            raise self._refuse(holders[0])
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
                self.images.insert(
                    Image(current.slot, *place, before, is_gone, self._rekeys)
                )
            elif is_gone and not image.is_gone:
                self.images.update((current.slot, *place), is_gone=True)
            elif self._rekeys and not image.is_rekeyed:
                self.images.update((current.slot, *place), is_rekeyed=True)

    def _leave_behind(self) -> None:
        """Note that snapshots of SQLite are no longer the newest: they cannot write."""
        for current in self._open.select(has_snapshot=True, is_behind=False):
            if current.level.is_single_writer:
                self._open.update(current.slot, is_behind=True)

    def _refuse(self, holder: int) -> Exception:
        assert self._refused is not None, "a change outside of transactions must wait"
        return self._refused(holder)

    # Ends -----------------------------------------------------------------------------

    def _block(self, statement: UnderWay, wait: Waits) -> Blocked:
        """Let a statement wait: it keeps its locks and what it sees."""
        slot = statement.slot
        for place in statement.written:
            table = self._tables[place[0]]
            self._put_version(slot, place, Version(self.seen(slot, table, place[1])))
        self._open.update(slot, found=tuple(statement.found.items()))
        return self.wait(slot, wait)

    def wait(self, slot: int, wait: Waits) -> Blocked:
        """Let a transaction wait; it keeps its snapshot."""
        current = self._open.get(slot)
        if current.waits_for not in (None, wait.place):
            self.locks.leave(slot)
        self._open.update(slot, has_snapshot=True)
        is_newer = (slot, *wait.place) in self.images
        hold = Hold(slot, wait.strength, current.depth)
        queues = not wait.is_insert and not is_newer
        self.locks.wait(hold, wait.place, is_insert=wait.is_insert, queues=queues)
        lock = self.locks.rows.get(wait.place)
        holder = (
            lock.changer if wait.is_insert else lock.in_the_way(slot, wait.strength)[0]
        )
        return Blocked(slot, holder)

    def _put_version(self, slot: int, place: Place, version: Version) -> None:
        """Keep what a transaction has made of a row that it has locked."""
        lock = self.locks.rows.get(place)
        kept = lock.versions if lock.changer == slot else ()
        if (
            kept
            and kept[-1].depth == version.depth
            and (kept[-1].command == version.command)
        ):
            is_reborn = version.is_reborn or kept[-1].is_reborn
            version, kept = version._replace(is_reborn=is_reborn), kept[:-1]
        self.locks.rows.update(place, versions=(*kept, version))

    def _finish(self, statement: UnderWay) -> None:
        """Keep what a statement has done to the end of its transaction."""
        slot = statement.slot
        for place, row in statement.written.items():
            lock = self.locks.find(place)
            if self._open.get(slot).is_writer:  # it has locked everything at once
                before = self.seen(slot, self._tables[place[0]], place[1])
                if lock is None:
                    self.locks.take(slot, place)
                if row != before:  # SQLite writes no page whose content stays
                    self._give_number(slot)
            is_reborn = place in statement.reborn
            self._put_version(slot, place, Version(row, 0, is_reborn))
        self.locks.leave(slot)
        current = self._open.get(slot)
        if current.found:
            self._open.update(slot, found=())
        if current.level is Level.READ_COMMITTED and current.has_snapshot:
            self._forget_snapshot(slot)

    def fail(self, slot: int) -> None:
        """End what a failed statement is in: the transaction, or its last savepoint.

        The transaction stays open for its rollback.
        """
        current = self._open.get(slot)
        if current.depth:
            self._undo(slot, current.depth)
            self._open.update(slot, is_failed=True)
            return
        self._end(slot, is_commit=False)
        failed = Open(slot, current.level, is_failed=True, session=current.session)
        self._open.insert(failed)

    def _undo(self, slot: int, depth: int) -> None:
        """Undo what a transaction has done since a savepoint."""
        self.locks.leave(slot)
        self.locks.release_from(slot, depth)
        current = self._open.get(slot)
        deferred = tuple([one for one in current.deferred if one[0] < depth])
        self._open.update(slot, deferred=deferred, found=())
        if current.level is Level.READ_COMMITTED and current.has_snapshot:
            self._forget_snapshot(slot)

    def _end(self, slot: int, *, is_commit: bool) -> None:
        """Give back locks and snapshot, and forget the transaction."""
        number = self._open.get(slot).number
        if self._numbers is not None and number > self._numbers.get("completed"):
            self._numbers.set(number, "completed")
        self.locks.leave(slot)
        self.locks.release(slot, is_commit=is_commit)
        self._forget_snapshot(slot)
        if not is_commit:
            self.conflicts.abort(slot)
        self._open.delete(slot)
        self.conflicts.tidy(slot)

    def _forget_snapshot(self, slot: int) -> None:
        if not self._open.get(slot).has_snapshot:
            return
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

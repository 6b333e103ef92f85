"""Transactions whose statements take their rows one by one, and have savepoints.

What `stepwise` and whoever evaluates statements itself need beside the statements that
are attempted from their start.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from wavecheck.sim.parts import Table
from wavecheck.sim.transactions.level import (
    Fails,
    Failure,
    Level,
    Place,
    Row,
    Strength,
    Waits,
)
from wavecheck.sim.transactions.manager import Transactions, UnderWay
from wavecheck.sim.transactions.rows import Open, RowLock, Version


class RowTransactions(Transactions):
    """Transactions with steps within statements, savepoints and numbers."""

    def look(self, slot: int) -> Open:
        """Return an open transaction."""
        return self._open.get(slot)

    def has_writer(self) -> bool:
        """Return whether a transaction may write, so that no other one may (SQLite)."""
        return bool(self._open.count(is_writer=True))

    def join(self, slot: int, session: int) -> None:
        """Note which session a transaction belongs to."""
        self._open.update(slot, session=session)

    def take_snapshot(self, slot: int) -> bool:
        """Take the snapshot of a transaction that keeps one; say if it is new."""
        current = self._open.get(slot)
        if current.level is Level.READ_COMMITTED or current.has_snapshot:
            return False
        running = self.running(slot) if self._numbers is not None else ""
        self._open.update(slot, has_snapshot=True, running=running)
        if current.level is Level.SERIALIZABLE:
            self.conflicts.begin(slot)
        return True

    @contextmanager
    def command(self, slot: int) -> Iterator[None]:
        """Let a statement be under way."""
        self._statement = UnderWay(slot, {})
        try:
            yield
        finally:
            self._statement = self._idle

    def next_command(self) -> None:
        """Let the statement under way see what it has done so far."""
        self._statement.command += 1

    def claim(self, slot: int, place: Place) -> None:
        """Take a place that no row has, for one that is inserted."""
        current = self._open.get(slot)
        if current.level.is_single_writer:
            self._become_writer(current)
        self._give_number(slot)
        self.locks.take(slot, place, Strength.UPDATE, current.depth)

    def note_write(self, slot: int, table: str) -> None:
        """Note that the statement under way writes a table."""
        if self._open.get(slot).level is Level.SERIALIZABLE:
            self.conflicts.write(slot, table)

    def hold_newest(self, slot: int, place: Place) -> None:
        """Lock the newest version of a row FOR KEY SHARE, whatever a snapshot shows.

        Raises:
            Waits: somebody else has it.
        """
        lock = self.locks.find(place)
        if lock is not None and lock.in_the_way(slot, Strength.KEY_SHARE):
            raise Waits(place, is_insert=False, strength=Strength.KEY_SHARE)
        depth = self._open.get(slot).depth
        self.locks.take(slot, place, Strength.KEY_SHARE, depth)

    def refuse_gone(self, slot: int, table: Table[Any]) -> None:
        """Make sure that a row of a table that was waited for is still there.

        Raises:
            Fails: it is gone, and the level does not allow that.
        """
        current = self._open.get(slot)
        place = current.waits_for
        if current.level is Level.READ_COMMITTED or place is None:
            return
        if place[0] == table.name and table.find(place[1]) is None:
            raise Fails(Failure.SERIALIZATION)

    def refuse_unseen(self, slot: int, table: Table[Any], key: Hashable) -> None:
        """Make sure that a transaction with a snapshot sees the newest of a row.

        Raises:
            Fails: it does not.
        """
        current = self._open.get(slot)
        if current.level is not Level.READ_COMMITTED and self._newer(
            current, (table.name, key)
        ):
            raise Fails(Failure.SERIALIZATION)

    def is_key_used(self, table: str, key: Hashable) -> bool:
        """Return whether a snapshot may still show a row under a key."""
        return bool(
            self.images.where(
                ("key", table, key), lambda one: one.table == table and one.key == key
            )
        )

    def number(self, slot: int) -> int:
        """Return the number of a transaction, which gets one if it has none."""
        self._give_number(slot)
        return self._open.get(slot).number

    def running(self, slot: int) -> str:
        """Return who runs, as a snapshot of PostgreSQL is written."""
        assert self._numbers is not None
        if slot and self._open.get(slot).running:
            return self._open.get(slot).running
        numbered = self._open.where("numbered", lambda one: bool(one.number))
        high = self._numbers.get("completed") + 1
        mine = [one.number for one in numbered if one.slot == slot]
        others = [one.number for one in numbered if one.slot != slot]
        low = min([high, *mine, *others])
        listed = ",".join(str(one) for one in sorted(others) if one < high)
        return f"{low}:{high}:{listed}"

    def put(self, slot: int, table: Table[Any], key: Hashable, row: Row) -> None:
        """Change, insert or delete a row that is locked, in the statement under way."""
        current = self._open.get(slot)
        if current.level is Level.SERIALIZABLE:
            self.conflicts.write(slot, table.name)
        if current.level.is_single_writer and row != self.seen(slot, table, key):
            self._give_number(slot)  # SQLite writes no page whose content stays
        version = Version(row, current.depth, command=self._statement.command)
        self._put_version(slot, (table.name, key), version)

    def _told_apart(self, lock: RowLock) -> tuple[Version, ...]:
        """Return the versions of a row that matter once their statement is over.

        Whoever inserts a key waits also for a version that had it and has it no more.
        """
        unique_of = self._unique_of.get(lock.table)
        kept: list[Version] = []
        for one in lock.versions:
            last = kept[-1] if kept else None
            if (
                last is not None
                and last.depth == one.depth
                and (
                    unique_of is None
                    or last.row is None
                    or (
                        one.row is not None
                        and unique_of(last.row) == unique_of(one.row)
                    )
                )
            ):
                kept.pop()
            kept.append(one._replace(command=0))
        return tuple(kept)

    def pause(self, slot: int) -> None:
        """Let the statement under way go on later; it keeps what it sees."""
        self.locks.leave(slot)
        self._open.update(slot, has_snapshot=True)

    def forget_command(self, slot: int, *, had_snapshot: bool) -> None:
        """Undo the statement under way, and nothing else (SQLite)."""
        for lock in self.locks.held(slot):
            kept = tuple([one for one in lock.versions if not one.command])
            if lock.changer == slot and kept != lock.versions:
                self.locks.rows.update((lock.table, lock.key), versions=kept)
        if not had_snapshot:
            self._forget_snapshot(slot)

    def conclude(self, slot: int) -> None:
        """Keep what the statement under way has done, and show it to the next."""
        current = self._open.get(slot)
        is_writer = current.has_number or current.is_writer
        for lock in self.locks.held(slot) if is_writer else ():
            if lock.changer == slot and any(one.command for one in lock.versions):
                place = (lock.table, lock.key)
                self.locks.rows.update(place, versions=self._told_apart(lock))
        self.locks.leave(slot)
        current = self._open.get(slot)
        if current.level is Level.READ_COMMITTED and current.has_snapshot:
            self._forget_snapshot(slot)

    # Savepoints ----------------------------------------------------------------------

    def savepoint(self, slot: int) -> None:
        """Set a savepoint."""
        self._open.update(slot, depth=self._open.get(slot).depth + 1)

    def release_savepoint(self, slot: int, depth: int) -> None:
        """Forget a savepoint and those after it; what was done since is kept.

        Args:
            slot: of the transaction.
            depth: of the savepoint, from 1.
        """
        self.locks.merge_down(slot, depth)
        deferred = tuple(
            [(min(of, depth - 1), one) for of, one in self._open.get(slot).deferred]
        )
        self._open.update(slot, depth=depth - 1, deferred=deferred)

    def roll_back_to(self, slot: int, depth: int) -> None:
        """Undo what was done since a savepoint, which stays; also after a failure."""
        self._undo(slot, depth)
        self._open.update(slot, depth=depth, is_failed=False)

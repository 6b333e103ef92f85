"""Row locks: who has a row, who waits for it in which order, who waits in a circle.

Theory of operation. A lock lasts to the end of its transaction, or until that goes back
to a savepoint before it. There are four strengths; several may have a row as long as
theirs do not conflict. Who finds a row locked stands in the row's queue. When the
holder ends and the row is as it was, the first in the queue may go on, and the others
wait for it. When the holder has committed a change, all of them may: each must look at
the newer version, and whoever comes first locks that; the others now wait for its end
without a place in the queue of the newer version, and race with that queue. A newcomer
that finds a row free takes it before a queue that has not noticed yet. All this is as
in PostgreSQL.

Advisory locks are locks of rows that do not exist; a session may have them, too.

An insert waits for the end of a transaction that has changed a row with the same key,
and has no place in a queue either.

Transactions that wait for each other in a circle are a deadlock, and one of them is the
victim. PostgreSQL lets each look for a circle once, `deadlock_timeout` after it began
to wait, so that it depends on time which of them finds it; here any of them may.

Source: PostgreSQL, src/backend/access/heap/README.tuplock, and "Deadlock Detection" in
src/backend/storage/lmgr/README. Complexity: a check for a circle follows each waiting
transaction once.
"""

from collections.abc import Callable

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Table
from wavecheck.sim.transactions.level import ADVISORY, Place, Strength
from wavecheck.sim.transactions.rows import Hold, Open, RowLock


class Locks:
    """The row locks of one database.

    Args:
        kernel: whose part they are.
        name: of the part.
        transactions: the open ones.

    Attributes:
        rows: one for each locked row.
    """

    def __init__(self, kernel: Kernel, name: str, transactions: Table[Open]) -> None:
        self.rows = Table(kernel, name, RowLock, key=("table", "key"))
        self.rows.is_bookkeeping = True
        self.rows.wake_with(transactions)  # a circle is closed by who begins to wait
        self._open = transactions

    def find(self, place: Place) -> RowLock | None:
        """Return the lock of a row, also one that nobody has any more."""
        return self.rows.find(place)

    def held(self, slot: int) -> list[RowLock]:
        """Return the locks that a transaction has, ascending by row."""
        return self.rows.where(("held", slot), lambda lock: bool(lock.held_by(slot)))

    def changed(self, slot: int, table: str) -> list[RowLock]:
        """Return the locks of the rows of a table that a transaction has changed."""
        return self.rows.where(
            ("changed", slot, table),
            lambda lock: lock.table == table and lock.changer == slot,
        )

    def take(
        self,
        slot: int,
        place: Place,
        strength: Strength = Strength.UPDATE,
        depth: int = 0,
    ) -> None:
        """Lock a row that nobody else has locked in a conflicting way."""
        lock = self.rows.find(place)
        if lock is None:
            self.rows.insert(RowLock(*place, (Hold(slot, strength, depth),)))
            return
        assert not lock.in_the_way(slot, strength)
        holds = lock.holds
        if not any(
            one.slot == slot and one.depth <= depth and one.strength >= strength
            for one in holds
        ):
            weaker = [one for one in holds if one.slot != slot or one.depth < depth]
            holds = (*weaker, Hold(slot, strength, depth))
        queue = tuple([one for one in lock.queue if one.slot != slot])
        if lock.is_superseded:
            queue = ()
        self.rows.update(place, holds=holds, queue=queue, is_superseded=False)

    def wait(self, hold: Hold, place: Place, *, is_insert: bool, queues: bool) -> None:
        """Wait for the end of those who have a row.

        Args:
            hold: who waits for what.
            place: of the row.
            is_insert: to insert a row of the same key.
            queues: in the queue of the row.
        """
        slot = hold.slot
        self._open.update(
            slot, waits_for=place, wants=hold.strength, is_inserting=is_insert
        )
        lock = self.rows.get(place)
        if queues and all(one.slot != slot for one in lock.queue):
            self.rows.update(place, queue=(*lock.queue, hold))

    def leave(self, slot: int) -> None:
        """Leave the queue that a transaction stands in, if it stands in one."""
        place = self._open.get(slot).waits_for
        if place is None:
            return
        self._open.update(
            slot, waits_for=None, wants=Strength.UPDATE, is_inserting=False
        )
        lock = self.rows.find(place)
        if lock is None or all(one.slot != slot for one in lock.queue):
            return
        queue = tuple([one for one in lock.queue if one.slot != slot])
        if lock.holds or queue:
            self.rows.update(place, queue=queue)
        else:
            self.rows.delete(place)

    def release(self, slot: int, *, is_commit: bool) -> None:
        """Give back everything that a transaction has locked."""
        for lock in self.held(slot):
            self._drop(lock, lambda hold: hold.slot == slot, is_commit=is_commit)

    def release_from(self, slot: int, depth: int) -> None:
        """Give back what a transaction has locked and changed since a savepoint."""
        for lock in self.held(slot):
            if lock.changer == slot and any(
                one.depth >= depth for one in lock.versions
            ):
                kept = tuple([one for one in lock.versions if one.depth < depth])
                self.rows.update((lock.table, lock.key), versions=kept)
                lock = self.rows.get((lock.table, lock.key))
            self._drop(
                lock,
                lambda hold: hold.slot == slot and hold.depth >= depth,
                is_commit=False,
            )

    def merge_down(self, slot: int, depth: int) -> None:
        """Let what was done since a savepoint belong to what is around it."""

        def lowered(one: Hold) -> Hold:
            is_deeper = one.slot == slot and one.depth >= depth
            return one._replace(depth=depth - 1) if is_deeper else one

        for lock in self.held(slot):
            versions = lock.versions
            if lock.changer == slot:
                versions = tuple(
                    [one._replace(depth=min(one.depth, depth - 1)) for one in versions]
                )
            holds = tuple(dict.fromkeys(map(lowered, lock.holds)))
            place = (lock.table, lock.key)
            self.rows.update(place, holds=holds, versions=versions)

    def give_back(self, owner: int, place: Place) -> bool:
        """Give back one lock of a session; return whether it had it."""
        lock = self.rows.find(place)
        if lock is None or not lock.held_by(owner):
            return False
        self._drop(lock, lambda hold: hold.slot == owner, is_commit=False)
        return True

    def _drop(
        self, lock: RowLock, is_dropped: Callable[[Hold], bool], *, is_commit: bool
    ) -> None:
        place = (lock.table, lock.key)
        holds = tuple([one for one in lock.holds if not is_dropped(one)])
        if holds == lock.holds:
            return
        if not holds and not lock.queue:
            self.rows.delete(place)
            return
        changer = lock.changer
        ends = bool(changer) and all(one.slot != changer for one in holds)
        self.rows.update(
            place,
            holds=holds,
            versions=() if ends else lock.versions,
            is_superseded=lock.is_superseded or (is_commit and ends),
        )

    def supersede(self, place: Place) -> None:
        """Note that a row has a newer version, which nobody has locked."""
        if self.rows.find(place) is not None:
            self.rows.update(place, is_superseded=True)

    def may_go_on(self, slot: int) -> bool:
        """Return whether a waiting transaction can try again, or be a victim."""
        return self._is_let_go(slot) or self.is_in_circle(slot)

    def is_in_circle(self, slot: int) -> bool:
        """Return whether a transaction waits, in the end, for itself."""
        seen: dict[int, None] = {}
        todo = self._waits_for(slot)
        while todo:
            other = todo.pop()
            if other == slot:
                return True
            if other not in seen:
                seen[other] = None
                todo.extend(self._waits_for(other))
        return False

    def front(self, slot: int) -> tuple[int, ...]:
        """Return who has the row that a transaction waits for, and who is next."""
        place = self._open.get(slot).waits_for
        lock = None if place is None else self.rows.find(place)
        if lock is None:
            return ()
        return (*[one.slot for one in lock.holds], 0, *[q.slot for q in lock.queue[:1]])

    def _is_let_go(self, slot: int) -> bool:
        """Return whether what a transaction waits for is over, if it waits."""
        waiting = self._open.get(slot)
        if waiting.waits_for is None:
            return True
        lock = self.rows.find(waiting.waits_for)
        if lock is None:
            return True
        if waiting.is_inserting:
            return not lock.changer
        if self._others(waiting, lock):
            return False
        return lock.is_superseded or not lock.ahead_of(slot)

    def _waits_for(self, slot: int) -> list[int]:
        """Return the transactions that stand before another.

        Who is let go waits for nobody, also before it has tried again.
        """
        waiting = self._open.find(slot)
        if waiting is None or waiting.waits_for is None or self._is_let_go(slot):
            return []
        lock = self.rows.get(waiting.waits_for)
        if waiting.is_inserting:
            return [lock.changer]
        ahead, others = lock.ahead_of(slot), self._others(waiting, lock)
        if lock.table != ADVISORY:  # who is first waits for one holder after another
            others = [] if ahead else others[:1]
        return [self._slot_of(one) for one in (*others, *ahead)]

    def _others(self, waiting: Open, lock: RowLock) -> list[int]:
        """Return who has what a transaction waits for, its own session left out."""
        own = -waiting.session
        in_the_way = lock.in_the_way(waiting.slot, waiting.wants)
        return [one for one in in_the_way if not own or one != own]

    def _slot_of(self, owner: int) -> int:
        """Return the open transaction of the session that has a lock, if it is one."""
        if owner > 0:
            return owner
        found = self._open.select(session=-owner)
        return found[0].slot if found else 0

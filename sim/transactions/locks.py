"""Row locks: who has a row, who waits for it in which order, who waits in a circle.

Theory of operation. A lock is exclusive and lasts to the end of its transaction. Who
finds a row locked stands in the row's queue. When the holder ends and the row is as it
was, the first in the queue may go on, and the others wait for it. When the holder has
committed a change, all of them may: each must look at the newer version, and whoever
comes first locks that; the others now wait for its end without a place in the queue of
the newer version, and race with that queue. A newcomer that finds a row free takes it
before a queue that has not noticed yet. All this is as in PostgreSQL.

An insert waits for the end of a transaction that has changed a row with the same key,
and has no place in a queue either.

Transactions that wait for each other in a circle are a deadlock, and one of them is the
victim. PostgreSQL lets each look for a circle once, `deadlock_timeout` after it began
to wait, so that it depends on time which of them finds it; here any of them may.

Source: PostgreSQL, src/backend/access/heap/README.tuplock, and "Deadlock Detection" in
src/backend/storage/lmgr/README. Complexity: a check for a circle follows each waiting
transaction once.
"""

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Table
from wavecheck.sim.transactions.level import Place
from wavecheck.sim.transactions.rows import Lock, Open


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
        self.rows = Table(kernel, name, Lock, key=("table", "key"))
        self.rows.wake_with(transactions)  # a circle is closed by who begins to wait
        self._open = transactions

    def find(self, place: Place) -> Lock | None:
        """Return the lock of a row, also one that nobody has any more."""
        return self.rows.find(place)

    def held(self, slot: int) -> list[Lock]:
        """Return the locks that a transaction has, ascending by row."""
        return self.rows.select(slot=slot)

    def take(self, slot: int, place: Place) -> None:
        """Lock a free row."""
        lock = self.rows.find(place)
        if lock is None:
            self.rows.insert(Lock(*place, slot))
            return
        assert not lock.slot
        queue = tuple([one for one in lock.queue if one != slot])
        if lock.is_superseded:
            queue = ()
        self.rows.update(place, slot=slot, queue=queue, is_superseded=False)

    def wait(self, slot: int, place: Place, *, is_insert: bool, queues: bool) -> None:
        """Wait for the end of a row's holder.

        Args:
            slot: who waits.
            place: of the row.
            is_insert: to insert a row of the same key.
            queues: in the queue of the row.
        """
        self._open.update(slot, waits_for=place, is_inserting=is_insert)
        lock = self.rows.get(place)
        if queues and slot not in lock.queue:
            self.rows.update(place, queue=(*lock.queue, slot))

    def leave(self, slot: int) -> None:
        """Leave the queue that a transaction stands in, if it stands in one."""
        place = self._open.get(slot).waits_for
        if place is None:
            return
        self._open.update(slot, waits_for=None, is_inserting=False)
        lock = self.rows.find(place)
        if lock is None or slot not in lock.queue:
            return
        queue = tuple([one for one in lock.queue if one != slot])
        if lock.slot or queue:
            self.rows.update(place, queue=queue)
        else:
            self.rows.delete(place)

    def release(self, slot: int, *, is_commit: bool) -> None:
        """Give back everything that a transaction has locked."""
        for lock in self.held(slot):
            place = (lock.table, lock.key)
            if not lock.queue:
                self.rows.delete(place)
                continue
            self.rows.update(
                place,
                slot=0,
                is_changed=False,
                row=None,
                is_reborn=False,
                is_superseded=is_commit and lock.is_changed,
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
        return () if lock is None else (lock.slot, *lock.queue[:1])

    def _is_let_go(self, slot: int) -> bool:
        """Return whether what a transaction waits for is over, if it waits."""
        waiting = self._open.get(slot)
        if waiting.waits_for is None:
            return True
        lock = self.rows.find(waiting.waits_for)
        if lock is None:
            return True
        if waiting.is_inserting:
            return not (lock.slot and lock.is_changed)
        is_next = slot not in lock.queue or lock.queue[0] == slot
        return not lock.slot and (lock.is_superseded or is_next)

    def _waits_for(self, slot: int) -> list[int]:
        """Return the transactions that stand before another.

        Who is let go waits for nobody, also before it has tried again.
        """
        waiting = self._open.get(slot)
        if waiting.waits_for is None or self._is_let_go(slot):
            return []
        lock = self.rows.get(waiting.waits_for)
        if waiting.is_inserting:
            return [lock.slot]
        ahead = lock.queue[: lock.queue.index(slot)] if slot in lock.queue else ()
        return [*([lock.slot] if lock.slot else []), *ahead]

"""What SERIALIZABLE keeps: who has read what another wrote, and who must give way.

Theory of operation: serializable snapshot isolation as PostgreSQL does it. Between two
concurrent transactions there is a conflict from the one that read a table to the one
that wrote it. Two conflicts in a row, in -> pivot -> out, of which `out` commits first,
are a dangerous structure, and one of the three is given up: at once, if it is the one
that acts; else it is *doomed* and finds out at its next statement or at its commit.

The unit of reading is a table: that is what a sequential scan locks. With an index scan
PostgreSQL may lock less, and fail less often; it never lets more pass.

Committed transactions are remembered while a concurrent one is open. Their order is
kept as small numbers, which are closed up whenever one is forgotten.

Source: Ports, Grittner, "Serializable Snapshot Isolation in PostgreSQL", VLDB 2012;
src/backend/storage/lmgr/predicate.c, whose function names are given. Complexity: linear
in the remembered transactions for each statement.
"""

from collections.abc import Sequence
from typing import NamedTuple

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Table
from wavecheck.sim.transactions.level import Fails, Failure


class Serializable(NamedTuple):
    """A serializable transaction that has a snapshot.

    Attributes:
        number: its own; the smallest one free.
        slot: of the open transaction; 0 once it has committed.
        began: the last commit that its snapshot shows.
        committed: its place in the order of commits; 0 while it is open.
        is_doomed: it must not commit.
        is_out: it has committed with a conflict out to an earlier commit.
        has_written: it has written.
        writes: tables it has written.
        readers: numbers of those that have a conflict out to it, in order of arrival.
        writers: numbers of those that it has a conflict out to.
        beside: slots that were open and had changed something when it committed, and
            are open still.
        older: numbers of those that committed before its snapshot, while somebody
            older than that was open: PostgreSQL cannot tell them from concurrent ones.
    """

    number: int
    slot: int
    began: int
    committed: int = 0
    is_doomed: bool = False
    is_out: bool = False
    has_written: bool = False
    writes: tuple[str, ...] = ()
    readers: tuple[int, ...] = ()
    writers: tuple[int, ...] = ()
    beside: tuple[int, ...] = ()
    older: tuple[int, ...] = ()

    @property
    def is_read_only(self) -> bool:
        """Whether it has turned out to be read-only: it committed without a write."""
        return bool(self.committed) and not self.has_written


class Scanned(NamedTuple):
    """A table that serializable transactions have read.

    Attributes:
        table: its name.
        readers: numbers of those that have, whoever was first in front: where one of
            two must give way, PostgreSQL takes the one that it meets first.
    """

    table: str
    readers: tuple[int, ...]


class Conflicts:
    """The serializable transactions of one database and the conflicts between them.

    Attributes:
        as_it_goes: what a plan does not come to counts for nothing: a table behind one
            that is empty, and that a transaction is doomed, while it finds no row.
            PostgreSQL may do either; the other way fails sooner.
    """

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.as_it_goes = False
        self.rows = Table(kernel, name, Serializable, key=("number",))
        self.scanned = Table(kernel, f"{name}: scanned", Scanned, key=("table",))
        self.rows.is_bookkeeping = self.scanned.is_bookkeeping = True

    def begin(self, slot: int) -> None:
        """Note that a transaction takes its snapshot."""
        number = 1
        while number in self.rows:
            number += 1
        older = tuple([one.number for one in self.rows if one.committed and one.beside])
        self.rows.insert(Serializable(number, slot, self._last(), older=older))

    def _last(self) -> int:
        """Return the place of the last commit."""
        return max((max(one.began, one.committed) for one in self.rows), default=0)

    def _mine(self, slot: int) -> Serializable:
        return self.rows.select(slot=slot)[0]

    # CheckForSerializableConflictOut, CheckForSerializableConflictIn ------------------

    def read(
        self, slot: int, table: str, *, is_newest: bool = False, is_empty: bool = False
    ) -> None:
        """Note that a transaction reads a table.

        Args:
            slot: of the transaction.
            table: its name.
            is_newest: it sees whatever is committed, and not what its snapshot shows.
            is_empty: no row is committed in it.

        Raises:
            Fails: it is doomed, or what it would see could not be serialized.
        """
        mine = self._mine(slot)
        if mine.is_doomed and not (self.as_it_goes and is_empty):
            raise Fails(Failure.SERIALIZATION)
        readers = self._readers(table)
        if not readers:
            self.scanned.insert(Scanned(table, (mine.number,)))
        elif mine.number not in readers:
            self.scanned.update(table, readers=(*readers, mine.number))
        for other in self.rows:
            is_unseen = not other.committed or (
                other.committed > mine.began and not is_newest
            )
            if other.slot != slot and table in other.writes and is_unseen:
                self._flag(mine.number, other.number, slot)

    def write(self, slot: int, table: str) -> None:
        """Note that a transaction writes a table.

        Raises:
            Fails: it is doomed, or somebody who has read the table is in the way.
        """
        mine = self._mine(slot)
        if mine.is_doomed:
            raise Fails(Failure.SERIALIZATION)
        writes = mine.writes if table in mine.writes else (*mine.writes, table)
        self.rows.update(mine.number, writes=writes, has_written=True)
        for number in self._readers(table):
            other = self.rows.get(number)
            is_concurrent = (
                not other.committed
                or other.committed > mine.began
                or number in mine.older
            )
            if other.slot != slot and is_concurrent:
                self._flag(number, mine.number, slot)

    def _readers(self, table: str) -> tuple[int, ...]:
        """Return the numbers of those that have read a table, in order."""
        scanned = self.scanned.find(table)
        return scanned.readers if scanned is not None else ()

    def _flag(self, reader_number: int, writer_number: int, slot: int) -> None:
        """Add a conflict (FlagRWConflict)."""
        reader, writer = self.rows.get(reader_number), self.rows.get(writer_number)
        if reader.is_doomed or writer.is_doomed or reader_number in writer.readers:
            return
        if self._is_dangerous(reader, writer):
            if writer.slot == slot or writer.committed:
                raise Fails(Failure.SERIALIZATION)
            self.rows.update(writer_number, is_doomed=True)
        self.rows.update(reader_number, writers=(*reader.writers, writer_number))
        self.rows.update(writer_number, readers=(*writer.readers, reader_number))

    def _is_dangerous(self, reader: Serializable, writer: Serializable) -> bool:
        """Return whether a new conflict completes a dangerous structure.

        OnConflict_CheckForSerializationFailure.
        """
        if writer.committed and writer.is_out:
            return True
        for number in writer.writers:
            out = self.rows.get(number)
            if (
                out.committed
                and (not reader.committed or out.committed <= reader.committed)
                and (not writer.committed or out.committed <= writer.committed)
                and (not reader.is_read_only or out.committed <= reader.began)
            ):
                return True
        if not writer.committed or reader.is_read_only:
            return False
        for number in reader.readers:
            first = self.rows.get(number)
            if (
                not first.is_doomed
                and (not first.committed or first.committed >= writer.committed)
                and (not first.is_read_only or first.began >= writer.committed)
            ):
                return True
        return False

    # PreCommit_CheckForSerializationFailure, ReleasePredicateLocks --------------------

    def commit(self, slot: int, beside: Sequence[int]) -> None:
        """Commit, and doom the pivots that this leaves without a way out.

        Args:
            slot: of the transaction.
            beside: slots of the open transactions that have changed something.

        Raises:
            Fails: the transaction is doomed.
        """
        mine = self._mine(slot)
        if mine.is_doomed:
            raise Fails(Failure.SERIALIZATION)
        for number in mine.readers:
            pivot = self.rows.get(number)
            if pivot.committed or pivot.is_doomed:
                continue
            if any(self._is_open_far_end(far, mine.number) for far in pivot.readers):
                self.rows.update(number, is_doomed=True)
        place = self._last() + 1
        is_out = mine.has_written and any(
            self.rows.get(number).committed for number in mine.writers
        )
        others = tuple([one for one in beside if one != slot])
        self.rows.update(
            mine.number, slot=0, committed=place, is_out=is_out, beside=others
        )
        for number in mine.writers:
            if self.rows.get(number).committed:
                self._unflag(mine.number, number)
        for number in mine.readers:
            other = self.rows.get(number)
            if other.committed:
                self._unflag(number, mine.number)

    def _is_open_far_end(self, number: int, committing: int) -> bool:
        far = self.rows.get(number)
        return number == committing or not (far.committed or far.is_doomed)

    def _unflag(self, reader_number: int, writer_number: int) -> None:
        reader, writer = self.rows.get(reader_number), self.rows.get(writer_number)
        writers = tuple([one for one in reader.writers if one != writer_number])
        readers = tuple([one for one in writer.readers if one != reader_number])
        self.rows.update(reader_number, writers=writers)
        self.rows.update(writer_number, readers=readers)

    def abort(self, slot: int) -> None:
        """Forget a transaction that is rolled back."""
        for mine in self.rows.select(slot=slot):
            self._forget(mine)

    def _forget(self, gone: Serializable) -> None:
        for number in gone.writers:
            self._unflag(gone.number, number)
        for number in gone.readers:
            self._unflag(number, gone.number)
        self.rows.delete(gone.number)
        for scanned in list(self.scanned):
            readers = tuple([one for one in scanned.readers if one != gone.number])
            if not readers:
                self.scanned.delete(scanned.table)
            elif readers != scanned.readers:
                self.scanned.update(scanned.table, readers=readers)
        for one in self.rows:
            if gone.number in one.older:
                older = tuple([other for other in one.older if other != gone.number])
                self.rows.update(one.number, older=older)

    def tidy(self, slot: int) -> None:
        """Forget committed transactions that no open one is concurrent with.

        Args:
            slot: of a transaction that has just ended.
        """
        rows = list(self.rows)
        if not rows:
            return
        still_open = [one for one in rows if not one.committed]
        for one in rows:
            is_needed = any(
                one.committed > other.began or one.number in other.older
                for other in still_open
            )
            if one.committed and not is_needed:
                self._forget(one)
            elif slot in one.beside:
                beside = tuple([other for other in one.beside if other != slot])
                self.rows.update(one.number, beside=beside)
        self._close_up()

    def _close_up(self) -> None:
        """Number the commits that matter from one on, in their order."""
        rows = list(self.rows)
        used = sorted(
            {0} | {one.began for one in rows} | {one.committed for one in rows}
        )
        places = {place: index for index, place in enumerate(used)}
        for one in rows:
            self.rows.update(
                one.number, began=places[one.began], committed=places[one.committed]
            )

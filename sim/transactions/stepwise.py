"""Statements that take their rows one by one: each row a step of its own.

A statement's snapshot is taken before it locks its first row, and between two rows
others act. So the statement is performed from its start in each of its steps, on the
snapshot of the first, with a *log* of what came of whatever it has done to shared state
so far: which version of a row it has locked, which number a sequence gave. These are
looked up and not done again; then the statement goes on by one more and stops.

The log is a plain value and belongs to the task that performs the statement. What was
changed stays with the row locks, marked as made by this statement, which does not see
it itself.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from wavecheck.sim.parts import Table
from wavecheck.sim.transactions.level import (
    Failed,
    Fails,
    Failure,
    Place,
    Row,
    StatementEnds,
    Strength,
    Waits,
)
from wavecheck.sim.transactions.manager import Acquired, Policy
from wavecheck.sim.transactions.rows import Open
from wavecheck.sim.transactions.rowwise import RowTransactions

Log = tuple[Any, ...]


class Unfinished(NamedTuple):
    """The result of a step that does not end its statement.

    Attributes:
        slot: of the transaction.
        log: what came of what the statement has done.
        holder: the transaction that it waits for; 0: for none.
    """

    slot: int
    log: Log
    holder: int = 0

    def __str__(self) -> str:
        return f"waits for transaction {self.holder}" if self.holder else "goes on"


class Pauses(StatementEnds):
    """The statement goes on in its next step."""


class Stepwise:
    """One statement in one of its steps.

    Args:
        transactions: of the database.
        slot: of the transaction; 0: it only reads, outside of one.
        log: what came of what it has done in its earlier steps; None: there are none.
    """

    def __init__(
        self, transactions: RowTransactions, slot: int, log: Log | None
    ) -> None:
        self.transactions = transactions
        self.slot = slot
        self.log: list[Any] = list(log or ())
        self._at = 0
        self._moves_left = 1
        self._is_first = log is None
        self._is_at_once = False

    def pause_first(self) -> None:
        """Say that the snapshot is older than what the statement does next."""
        if self._is_first:
            self._moves_left = 0

    def at_once(self) -> None:
        """Say that nobody acts between what the statement does."""
        self._is_at_once = True

    def do(self, act: Callable[[], Any], *, is_move: bool = True) -> Any:
        """Do something to shared state, or look up what came of it.

        Args:
            act: what; its result must be a plain value.
            is_move: others may act before it, if this step has done something.

        Raises:
            StatementEnds: it is to be done in a later step.
        """
        if self._at < len(self.log):
            self._at += 1
            return self.log[self._at - 1]
        if is_move and not self._moves_left and not self._is_at_once:
            raise Pauses
        result = act()
        if is_move:
            self._moves_left -= 1
        self._at += 1
        self.log.append(result)
        return result

    @property
    def is_live(self) -> bool:
        """Whether it has come to what it has not done yet."""
        return self._at == len(self.log)

    # Rows -----------------------------------------------------------------------------

    def find(self, table: Table[Any], key: Hashable) -> Row:
        """Return a row as the statement sees it; None: it sees none."""
        if not self.slot:
            return table.find(key)
        self.transactions.note_read(self.slot, table.name)
        return self.transactions.seen(self.slot, table, key)

    def where(
        self, table: Table[Any], name: Hashable, holds: Callable[[Row], bool]
    ) -> list[Row]:
        """Return the rows that it sees for which a predicate holds, in order.

        Args:
            table: which.
            name: equal names mean equal predicates.
            holds: asks nothing but the row.
        """
        if not self.slot:
            return table.where(name, holds)
        transactions, slot = self.transactions, self.slot
        transactions.note_read(slot, table.name)
        differing = transactions.differing(slot, table.name)
        found = table.where(name, holds)
        if not differing:
            return found
        rows = {table.key_of(row): row for row in found}
        for key in differing:
            rows.pop(key, None)
            row = transactions.seen(slot, table, key)
            if row is not None and holds(row):
                rows[key] = row
        return [rows[key] for key in sorted(rows)]

    def lock(
        self, table: Table[Any], key: Hashable, strength: Strength, policy: Policy
    ) -> Acquired:
        """Lock a row that it sees."""
        place = (table.name, key)
        acquired: Acquired = self.do(
            lambda: self.transactions.acquire(self.slot, place, strength, policy),
            is_move=not self.has_locked(place, strength),
        )
        return acquired

    def has_locked(self, place: Place, strength: Strength) -> bool:
        """Return whether its transaction has a lock on a row that is as strong."""
        lock = self.transactions.locks.find(place)
        return lock is not None and lock.held_by(self.slot) >= strength

    def put(self, table: Table[Any], key: Hashable, row: Row) -> None:
        """Change, insert or delete a row that is locked."""
        self.transactions.put(self.slot, table, key, row)


def perform(
    transactions: RowTransactions,
    slot: int,
    log: Log | None,
    act: Callable[[Stepwise], Any],
) -> Any:
    """Perform a statement in a transaction as far as one step goes.

    Args:
        transactions: of the database.
        slot: of the transaction.
        log: of its earlier steps; None: there are none.
        act: what it does.

    Returns:
        Its result; or `Unfinished`, and it is to be performed again, once
        `may_go_on(slot)` if it waits; or `Failed`.

    Raises:
        Exception: as `act` does; the transaction has failed then.
    """
    current = transactions.look(slot)
    if current.is_failed:
        return Failed(Failure.ABORTED)
    if transactions.locks.is_in_circle(slot):
        transactions.fail(slot)
        return Failed(Failure.DEADLOCK)
    statement = Stepwise(transactions, slot, log)
    is_single_writer = current.level.is_single_writer
    is_new = log is None and transactions.take_snapshot(slot)
    if is_new and not is_single_writer:
        statement.pause_first()
    with transactions.command(slot):
        try:
            result = act(statement)
        except Pauses:
            transactions.pause(slot)
            return Unfinished(slot, tuple(statement.log))
        except Waits as wait:
            blocked = transactions.wait(slot, wait)
            return Unfinished(slot, tuple(statement.log), blocked.holder)
        except Fails as failed:
            _end(transactions, slot, current)
            return Failed(failed.failure)
        except Exception:
            _end(transactions, slot, current)
            raise
        transactions.conclude(slot)
        return result


def _end(transactions: RowTransactions, slot: int, before: Open) -> None:
    """End what a failed statement is in; in SQLite that is itself."""
    if before.level.is_single_writer:
        transactions.forget_command(slot, had_snapshot=before.has_snapshot)
    else:
        transactions.fail(slot)

"""Transactions over the tables of a world: what is seen, who waits, who fails.

    async with db.transaction("repeatable read") as tx:
        if await tx.orders.update({"id": 1, "status": "paid"}, status="sent"):
            await tx.do(count_down, 1)

A statement in a transaction waits for rows that others have changed or locked, and
fails as the database would: with `SerializationError`, `DeadlockError`,
`DuplicateError` or `BusyError`. A statement on such a table outside of a transaction is
one of its own.
"""

from collections.abc import Callable, Sequence
from functools import cache
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import Any, Final

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.handles.handle import performed, refuse_outside_of_a_step
from wavecheck.sim.handles.tables import (
    Elsewhere,
    TableHandle,
    assignments,
    conditions,
    matching,
)
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation, Postponed, statement
from wavecheck.sim.parts import Table
from wavecheck.sim.surroundings import refuse_here
from wavecheck.sim.trace import Written
from wavecheck.sim.transactions import (
    Failed,
    Failure,
    Level,
    TableView,
    TransactionBlock,
    Transactions,
    perform,
    perform_alone,
)
from wavecheck.sim.transactions.rows import Open


class TransactionError(Exception):
    """A statement or a commit failed by the rules of the database."""


class SerializationError(TransactionError):
    """Could not serialize access; begin again."""


class DeadlockError(TransactionError):
    """Deadlock detected."""


class DuplicateError(TransactionError):
    """Another row has this key."""


class BusyError(TransactionError):
    """SQLite: the database is locked."""


_ERRORS: Final = MappingProxyType(
    {
        Failure.SERIALIZATION: SerializationError,
        Failure.DEADLOCK: DeadlockError,
        Failure.DUPLICATE: DuplicateError,
        Failure.BUSY: BusyError,
    }
)


USUAL_LEVEL: Final = "the level of transactions that name none"
"""A service of the kernel: from what the world says to what is asked about."""

_TAKEN: Final = ("transactions", "slot")


def error_of(failed: Failed) -> TransactionError:
    """Return what code under test sees of a failure."""
    return _ERRORS.get(failed.failure, TransactionError)(failed.failure.value)


class DatabaseHandle(Written):
    """The transactions of some tables, as code in a world sees them.

    Args:
        kernel: whose parts they are.
        name: of the part that holds them.
        tables: that they work on.
    """

    def __init__(
        self, kernel: Kernel, name: str, tables: Sequence[TableHandle]
    ) -> None:
        self._kernel = kernel
        self.transactions = Transactions(kernel, name, self._wait)
        self.tables = {one.name: one for one in tables}
        for one in tables:
            if hasattr(TransactionHandle, one.name) or one.name in _TAKEN:
                raise InvalidScenario(
                    f"table {one.name!r} in transactions: the name means something else"
                    " there\nnext: another name"
                )
            self.transactions.add(one._part)

    def __str__(self) -> str:
        return self.transactions.open.name

    @property
    def now(self) -> Table[Open]:
        """The open transactions, each by its `slot`, to be looked at without a step.

        Raises:
            CoordinatorError: code under test looks, which no step would show.
        """
        refuse_outside_of_a_step("the open transactions")
        return self.transactions.open

    def transaction(self, level: str = "") -> TransactionBlock["TransactionHandle"]:
        """Return a block that commits at its end, and rolls back on an error.

        Args:
            level: `read committed`, `repeatable read`, `serializable`; SQLite's
                `deferred` and `immediate`. READ COMMITTED if not given, or what
                `wavecheck levels` asks about.
        """
        usual = self._kernel.services.get(USUAL_LEVEL)
        if not level:
            level = Level.READ_COMMITTED
            level = usual(level) if usual is not None else level
        known = [str(one) for one in Level]
        if level not in known:
            raise InvalidScenario(
                f"isolation level {level!r}\n  expected  {', '.join(known)}"
            )
        elsewhere = self._elsewhere()
        if elsewhere is not None and level in (Level.DEFERRED, Level.IMMEDIATE):
            refuse_here(
                f"a transaction that is {level}, as SQLite's are, on PostgreSQL",
                "leave --db out: the model has SQLite's as well",
            )
        return TransactionBlock(
            elsewhere or self,
            lambda slot: TransactionHandle(self, slot),
            Level(level),
        )

    def _elsewhere(self) -> Elsewhere | None:
        """Return what performs the statements in the model's place, if anything."""
        return next((one.elsewhere for one in self.tables.values()), None)

    @statement
    def begin(self, level: Level) -> int | Failed:
        """Begin a transaction."""
        return self.transactions.begin(level)

    @statement
    def commit(self, slot: int) -> Failed | None:
        """Commit a transaction."""
        result = self.transactions.commit(slot)
        return result if isinstance(result, Failed) else None

    @statement
    def roll_back(self, slot: int) -> None:
        """Roll a transaction back."""
        self.transactions.roll_back(slot)

    def cut_off(self, slot: int) -> None:
        """Roll back here and now: the process has died."""
        if self.transactions.is_open(slot):
            self.transactions.roll_back(slot)

    def error(self, failed: Failed) -> Exception:
        """Return what the code under test sees of a failure."""
        return error_of(failed)

    def _wait(self, holder: int) -> Exception:
        return Postponed(f"waits for transaction {holder}", self._alone)

    async def _alone(self, operation: Operation[Any]) -> Any:
        table: TableHandle = operation.owner  # type: ignore[assignment]  # whose gate it was
        act = _in_transaction(operation.statement.function, operation.statement.name)
        result = await perform_alone(_Lone(self, table), act, *operation.args)
        if isinstance(result, Failed):
            raise error_of(result)
        return result


class _Lone:
    """A statement on one table that is a transaction of its own."""

    def __init__(self, database: DatabaseHandle, table: TableHandle) -> None:
        self.transactions = database.transactions
        self._table = table

    def in_slot(self, slot: int) -> "BoundTable":
        """Return the table in one transaction."""
        return BoundTable(self.transactions, slot, self._table)


class TransactionHandle:
    """One transaction: its tables are attributes.

    Args:
        database: whose.
        slot: which.
    """

    def __init__(self, database: DatabaseHandle, slot: int) -> None:
        self.transactions = database.transactions
        self.slot = slot
        self._database = database

    def __getattr__(self, name: str) -> "BoundTable":
        if name.startswith("_"):
            raise AttributeError(name)
        table = self._database.tables.get(name)
        if table is None:
            known = ", ".join(self._database.tables)
            raise AttributeError(
                f"the transaction has no table {name!r}; it has {known}"
            )
        return BoundTable(self.transactions, self.slot, table)

    def do(self, function: Callable[..., Any], *args: Any) -> Any:
        """Perform a statement of your own, atomic as one statement of a database.

        Args:
            function: called with the tables as the statement sees them (attributes that
                offer `find`, `select`, `lock`, `update`, ...) and the arguments.
            args: of the statement.

        Raises:
            CoordinatorError: a coroutine function, which would be many steps.
        """
        if self._database._elsewhere() is not None:
            refuse_here(
                f"tx.do({function.__name__}, ...) is Python of the world's own, which"
                " has no SQL",
                "declared statements, such as await tx.TABLE.update(...); or no --db",
            )
        if iscoroutinefunction(function):
            refuse_here(
                f"tx.do is given {function.__name__}, which is a coroutine function",
                "a plain function: its statement is one step, so it awaits nothing",
            )
        return performed_async(self, _own(function), args)

    def _views(self) -> "Views":
        """Return the tables as a statement of this transaction sees them."""
        return Views(self._database, self.slot)


class Views:
    """The tables as one statement sees them, by name."""

    def __init__(self, database: DatabaseHandle, slot: int) -> None:
        self._database = database
        self._slot = slot

    @property
    def slot(self) -> int:
        """The number of the transaction among those that are open."""
        return self._slot

    def __getattr__(self, name: str) -> TableView[Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        table = self._database.tables[name]
        return TableView(self._database.transactions, self._slot, table._part)


class BoundTable:
    """One table in one transaction: the statements of a table's handle, and locks."""

    def __init__(
        self, transactions: Transactions, slot: int, table: TableHandle
    ) -> None:
        self.transactions = transactions
        self.slot = slot
        self._table = table
        self.key = table.key

    @property
    def _part(self) -> TableView[Any]:
        return TableView(self.transactions, self.slot, self._table._part)

    def _do(self, verb: str, *args: Any) -> Any:
        if self._table.elsewhere is not None:
            return performed(
                self._table.elsewhere.send(self._table, verb, args, self.slot)
            )
        act = self._table.acts[verb].function if verb in self._table.acts else lock_rows
        named = _in_transaction(act, f"{self._table.name}.{verb}")
        return performed_async(self, named, args)

    def find(self, key: object) -> Any:
        """Read the row with this key; None if there is none."""
        return self._do("find", key)

    def select(self, **where: Any) -> Any:
        """Read the rows that satisfy conditions by column."""
        return self._do("select", conditions(where))

    def count(self, **where: Any) -> Any:
        """Count such rows."""
        return self._do("count", conditions(where))

    def update(self, where: object, **values: Any) -> Any:
        """Set columns of the row with a key, or of all that satisfy conditions."""
        return self._do("update", self._table.where(where), assignments(values))

    def insert(self, *row: Any, **values: Any) -> Any:
        """Insert a row; raises `DuplicateError` where another has its key."""
        return self._do("insert", self._table.row(row, values))

    def insert_or_ignore(self, *row: Any, **values: Any) -> Any:
        """Refuse: what ON CONFLICT DO NOTHING does here depends on the level.

        Raises:
            CoordinatorError: with the line.
        """
        refuse_here(
            f"tx.{self._table.name}.insert_or_ignore(...) is not modelled",
            "insert, and catch wc.DuplicateError around the transaction; or"
            " ON CONFLICT in a world with w.postgresql(...)",
        )

    def delete(self, where: object) -> Any:
        """Delete the row with a key, or all that satisfy conditions."""
        return self._do("delete", self._table.where(where))

    def select_for_update(
        self, *, limit: int = 0, skip_locked: bool = False, **where: Any
    ) -> Any:
        """Read and lock rows that satisfy conditions, to the end of the transaction.

        Args:
            limit: at most so many; 0: all.
            skip_locked: leave out what others have locked.
            where: conditions by column.
        """
        return self._do("select_for_update", conditions(where), limit, skip_locked)


def lock_rows(
    bound: BoundTable, where: Any, limit: int, skips_locked: bool
) -> tuple[Any, ...]:
    """SELECT ... FOR UPDATE, ascending by key."""
    view, table = bound._part, bound._table._part
    found: list[Any] = []
    for row in matching(view, bound.key, where):
        if limit and len(found) == limit:
            break
        key = table.key_of(row)
        if skips_locked and view.is_locked(key):
            continue
        view.lock(key)
        found.append(row)
    return tuple(found)


def performed_async(bound: Any, act: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Return a statement to be awaited; in blocking code perform it."""
    return performed(_checked(bound, act, args))


async def _checked(bound: Any, act: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    result = await perform(bound, act, *args)
    if isinstance(result, Failed):
        raise error_of(result)
    return result


@cache
def _in_transaction(act: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return what a handle does, under the name of a step."""

    def run(bound: Any, *args: Any) -> Any:
        return act(bound, *args)

    run.__name__, run.__doc__ = name, act.__doc__
    return run


@cache
def _own(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a statement of the world's own in a transaction."""

    def run(tx: TransactionHandle, *args: Any) -> Any:
        return function(tx._views(), *args)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    return run

"""Statements on one table, declared by their columns: no statement has to be written.

    await orders.find("order-1")                          # SELECT * WHERE key = ...
    await orders.select(status="paid")                    # SELECT * WHERE status = ...
    await orders.count(status=differs("paid"))            # SELECT count(*) WHERE <>
    await orders.update({"id": 1, "status": "paid"}, status="sent")    # guarded UPDATE
    await orders.insert(id=2, status="paid")
    await orders.delete(2)

A guarded update returns how many rows it changed, as a database does. Rows are taken in
ascending order of their key. A unique index or the key itself refuses a row with
`UniqueViolation`, in which case nothing was changed.
"""

from collections import namedtuple
from collections.abc import Coroutine, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from wavecheck.sim.handles.handle import Act, Handle, performed
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Table, UniqueViolation
from wavecheck.sim.trace import Written
from wavecheck.sim.transactions.block import Ends


class Compared(NamedTuple):
    """A condition that is no equality; `operator` is <>, <, <=, >, >= or in."""

    operator: str
    value: Any

    def holds(self, found: Any) -> bool:
        """Return whether a column's value satisfies it; nothing satisfies NULL."""
        if found is None:
            return False
        value = self.value
        match self.operator:
            case "<>":
                return bool(found != value)
            case "<":
                return bool(found < value)
            case "<=":
                return bool(found <= value)
            case ">":
                return bool(found > value)
            case ">=":
                return bool(found >= value)
            case _:
                return found in value


class Plus(NamedTuple):
    """What an update adds to a column."""

    amount: Any


def differs(value: object) -> Compared:
    """Return the condition `<> value`."""
    return Compared("<>", value)


def below(value: object) -> Compared:
    """Return the condition `< value`."""
    return Compared("<", value)


def above(value: object) -> Compared:
    """Return the condition `> value`."""
    return Compared(">", value)


def at_most(value: object) -> Compared:
    """Return the condition `<= value`."""
    return Compared("<=", value)


def at_least(value: object) -> Compared:
    """Return the condition `>= value`."""
    return Compared(">=", value)


def one_of(*values: object) -> Compared:
    """Return the condition `in (values)`."""
    return Compared("in", values)


def plus(amount: object) -> Plus:
    """Return what makes an update add to a column."""
    return Plus(amount)


@cache
def row_type_of(name: str, columns: tuple[tuple[str, Any], ...]) -> Any:
    """Return the type of a table's rows.

    Args:
        name: of the table.
        columns: each with its type, or with its default; those with one come last.
    """
    defaults = [one for _, one in columns if not isinstance(one, type)]
    make: Any = namedtuple
    made = make(name, [column for column, _ in columns], defaults=defaults)
    made.__annotations__ = {
        column: one if isinstance(one, type) else type(one) for column, one in columns
    }
    return _trusted(made)


@cache
def _type_of(columns: tuple[str, ...], verb: str) -> Any:
    """Return the type of values by these columns, written with their names."""

    def text(values: Any) -> str:
        shown = [_text(name, one) for name, one in zip(columns, values, strict=True)]
        return verb + ", ".join(shown)

    make: Any = namedtuple
    named = make("Columns", columns)
    bases = (_trusted(named), Written)
    return _trusted(type("Columns", bases, {"__slots__": (), "__str__": text}))


def _trusted(kind: Any) -> Any:
    """Return a class that is made here at run time, once proofs know that it is."""
    from wavecheck.sim.exhaustive.trust import trust_class  # proofs are slow to load

    trust_class(kind)
    return kind


def _text(column: str, value: Any) -> str:
    if isinstance(value, Plus):
        return f"{column} = {column} + {value.amount}"
    if isinstance(value, Compared):
        return f"{column} {value.operator} {value.value}"
    return f"{column} = {value}"


def conditions(given: Mapping[str, Any]) -> Any:
    """Return conditions by column as one immutable value."""
    return _type_of(tuple(given), "")(**given)


def assignments(given: Mapping[str, Any]) -> Any:
    """Return new values by column as one immutable value."""
    return _type_of(tuple(given), "set ")(**given)


def matches(row: Any, where: Any) -> bool:
    """Return whether a row satisfies conditions by column."""
    for column, wanted in where._asdict().items():
        found = getattr(row, column)
        if isinstance(wanted, Compared):
            if not wanted.holds(found):
                return False
        elif found != wanted:
            return False
    return True


def matching(table: Any, key: tuple[str, ...], where: Any) -> list[Any]:
    """Return the rows of a table, or of a transaction's view, that satisfy conditions.

    Args:
        table: offers `find` and `select`.
        key: the names of its key's columns.
        where: conditions by column.
    """
    wanted = where._asdict()
    plain = {name: one for name, one in wanted.items() if not isinstance(one, Compared)}
    if all(name in plain for name in key):  # one row at most: look at no other
        parts = tuple(plain[name] for name in key)
        row = table.find(parts if len(parts) > 1 else parts[0])
        return [row] if row is not None and matches(row, where) else []
    return [row for row in table.select(**plain) if matches(row, where)]


def altered(row: Any, values: Any) -> Any:
    """Return a row with columns set, or added to."""
    return row._replace(
        **{
            name: getattr(row, name) + one.amount if isinstance(one, Plus) else one
            for name, one in values._asdict().items()
        }
    )


def _find(handle: "TableHandle", key: Any) -> Any:
    """SELECT the row with this key; none if there is none."""
    return handle._part.find(key)


def _select(handle: "TableHandle", where: Any) -> tuple[Any, ...]:
    """SELECT the rows that satisfy conditions."""
    return tuple(matching(handle._part, handle.key, where))


def _count(handle: "TableHandle", where: Any) -> int:
    """SELECT count(*) of the rows that satisfy conditions."""
    if not any(isinstance(one, Compared) for one in where):
        return handle._part.count(**where._asdict())
    return len(matching(handle._part, handle.key, where))


def _update(handle: "TableHandle", where: Any, values: Any) -> int:
    """UPDATE the rows that satisfy conditions; say how many."""
    table: Any = handle._part
    if not isinstance(table, Table):  # as a transaction sees it
        table.intend_write()
        rows = matching(table, handle.key, where)
        for row in rows:
            table.change(table.key_of(row), lambda now: altered(now, values))
        return len(rows)
    rows = matching(table, handle.key, where)
    table.replace_all([altered(row, values) for row in rows])
    return len(rows)


def _insert(handle: "TableHandle", row: Any) -> None:
    """INSERT a row."""
    table: Any = handle._part
    if isinstance(table, Table) and table.key_of(row) in table:
        raise UniqueViolation(f"{table.name} has a row with this key already: {row}")
    table.insert(row)


def _insert_or_ignore(handle: "TableHandle", row: Any) -> bool:
    """INSERT a row ON CONFLICT DO NOTHING; say whether it was inserted."""
    try:
        _insert(handle, row)
    except UniqueViolation:
        return False
    return True


def _delete(handle: "TableHandle", where: Any) -> int:
    """DELETE the rows that satisfy conditions; say how many."""
    rows = matching(handle._part, handle.key, where)
    for row in rows:
        handle._part.delete(handle._part.key_of(row))
    return len(rows)


class Elsewhere(Ends, Protocol):
    """A database that performs the statements of tables in the model's place."""

    def send(
        self, table: "TableHandle", verb: str, args: tuple[Any, ...], slot: Any
    ) -> Coroutine[Any, Any, Any]:
        """Perform one statement in a transaction, or outside of one (None)."""
        ...


class TableHandle(Handle[Table[Any]]):
    """A table as code in a world sees it.

    Args:
        table: the part.
        row_type: a NamedTuple; its defaults are those of an insert.
        key: names of the key's columns.
        unique: the columns of its unique indexes, by name; None: a function.

    Attributes:
        elsewhere: performs its statements; None: the part does.
    """

    acts: Mapping[str, Act] = {
        "find": Act(_find),
        "select": Act(_select),
        "count": Act(_count),
        "update": Act(_update),
        "insert": Act(_insert),
        "insert_or_ignore": Act(_insert_or_ignore),
        "delete": Act(_delete),
    }

    def __init__(
        self,
        table: Table[Any],
        row_type: Any,
        key: tuple[str, ...],
        unique: Mapping[str, tuple[str, ...] | None] = MappingProxyType({}),
    ) -> None:
        super().__init__(table)
        self.row_type = row_type
        self.key = key
        self.unique = unique
        self.elsewhere: Elsewhere | None = None

    def perform(self, verb: str, *args: Any) -> Operation[Any]:
        """Return the step, to be awaited; in blocking code perform it."""
        if self.elsewhere is None:
            return super().perform(verb, *args)
        return performed(self.elsewhere.send(self, verb, args, None))  # type: ignore[no-any-return]  # it is awaited alike

    def where(self, given: object) -> Any:
        """Return conditions from a key or a mapping of columns."""
        if isinstance(given, Mapping):
            return conditions(given)
        parts = given if len(self.key) > 1 and isinstance(given, tuple) else (given,)
        return conditions(dict(zip(self.key, parts, strict=True)))

    def row(self, given: tuple[Any, ...], values: Mapping[str, Any]) -> Any:
        """Return a row from itself or from its columns."""
        if len(given) == 1 and type(given[0]) is self.row_type:
            return given[0]
        return self.row_type(*given, **values)

    def find(self, key: object) -> Operation[Any]:
        """Read the row with this key; None if there is none."""
        return self.perform("find", key)

    def select(self, **where: Any) -> Operation[tuple[Any, ...]]:
        """Read the rows whose columns have these values, or satisfy conditions."""
        return self.perform("select", conditions(where))

    def count(self, **where: Any) -> Operation[int]:
        """Count such rows."""
        return self.perform("count", conditions(where))

    def update(self, where: object, **values: Any) -> Operation[int]:
        """Set columns of the row with a key, or of all that satisfy conditions.

        Args:
            where: a key, or conditions by column, as in `{"id": 1, "status": "paid"}`.
            values: new values; `plus(n)` adds.

        Returns:
            How many rows were changed.
        """
        return self.perform("update", self.where(where), assignments(values))

    def insert(self, *row: Any, **values: Any) -> Operation[None]:
        """Insert a row; raises `UniqueViolation` where another has its key."""
        return self.perform("insert", self.row(row, values))

    def insert_or_ignore(self, *row: Any, **values: Any) -> Operation[bool]:
        """Insert a row unless another has its key; return whether it was inserted."""
        return self.perform("insert_or_ignore", self.row(row, values))

    def delete(self, where: object) -> Operation[int]:
        """Delete the row with a key, or all that satisfy conditions; say how many."""
        return self.perform("delete", self.where(where))

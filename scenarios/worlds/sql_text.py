"""The declared statements of a world's tables as SQL.

One place for each direction: what a handle of a table does (`sim/handles/tables.py`) is
written here as the statement that a database would be sent. Statements of a world's own
are Python, and have no SQL.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, get_args, get_type_hints

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.handles import TableHandle
from wavecheck.sim.handles.tables import Compared, Plus
from wavecheck.sim.trace import Step
from wavecheck.sim.worlds.builder import WorldBuilder

_TYPES: Final = {
    bool: "boolean",
    int: "bigint",
    float: "double precision",
    str: "text",
}
_ROWS: Final = ("find", "select", "select_for_update")
_ENDS: Final = {"commit": "COMMIT", "roll_back": "ROLLBACK"}
SQLITE_LEVELS: Final = ("deferred", "immediate")


def quoted(name: str) -> str:
    """Return a name as an identifier, which may be a word of SQL as well."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Return a value as SQL writes it.

    Raises:
        InvalidScenario: a value of a type that no column has here.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, int | float):
        return repr(value)
    raise InvalidScenario(
        f"{value!r} is written as no value of SQL\n"
        "  expected  a number, a text, a truth value or None"
    )


def tables_sql(
    world: WorldBuilder, steps: Iterable[Step], *, is_postgresql: bool = False
) -> str:
    """Return what makes a world's tables and the rows that they begin with.

    Args:
        world: as it begins.
        steps: of an execution: a column without a declared type has that of its values.
        is_postgresql: texts are ordered as Python and SQLite do, whatever the locale.

    Raises:
        InvalidScenario: a unique index that is Python, or a column without any type.
    """
    changed: dict[tuple[str, str], list[Any]] = {}
    for step in steps:
        for change in step.changes:
            for column, before, after in change.columns:
                changed.setdefault((change.part, column), []).extend([before, after])
    lines = []
    for table in world.tables:
        rows = list(table.now)
        columns = [
            f"{quoted(name)} {_type(table, name, rows, changed)}"
            for name in table.row_type._fields
        ]
        if is_postgresql:
            columns = [re.sub(" text$", ' text COLLATE "C"', one) for one in columns]
        columns.append(f"PRIMARY KEY ({', '.join(map(quoted, table.key))})")
        columns.extend(_unique(table))
        lines.append(f"CREATE TABLE {quoted(table.name)} ({', '.join(columns)});\n")
        lines.extend(f"{_insert(table, row)};\n" for row in rows)
    return "".join(lines)


def removal_sql(world: WorldBuilder) -> str:
    """Return what removes a world's tables, if they are there."""
    return "".join(
        f"DROP TABLE IF EXISTS {quoted(one.name)};\n" for one in world.tables
    )


def _unique(table: TableHandle) -> Iterator[str]:
    for name, columns in table.unique.items():
        if columns is None:
            raise InvalidScenario(
                f"unique index {name!r} of table {table.name!r} is a function, which"
                " has no SQL\n"
                '  expected  columns: unique={...: ["column", ...]}\n'
                "next: a world with w.postgresql(...) has its own DDL"
            )
        yield f"CONSTRAINT {quoted(name)} UNIQUE ({', '.join(map(quoted, columns))})"


def _declared(table: TableHandle, column: str) -> type | None:
    """Return the declared type of a column, as in `str` or `str | None`."""
    try:
        said = get_type_hints(table.row_type).get(column)
    except NameError:  # a name that only type checkers know
        return None
    kinds = [one for one in get_args(said) or (said,) if one is not type(None)]
    return _known(kinds[0]) if len(kinds) == 1 else None


def _known(kind: object) -> type | None:
    """Return the type of SQL's that a type is; None: it is none."""
    if not isinstance(kind, type):
        return None
    return next((one for one in _TYPES if issubclass(kind, one)), None)


def _type(
    table: TableHandle,
    column: str,
    rows: list[Any],
    changed: Mapping[tuple[str, str], list[Any]],
) -> str:
    kind = _declared(table, column)
    if kind is None:
        values = [getattr(row, column) for row in rows]
        values += changed.get((table.name, column), [])
        kinds = [type(one) for one in values if one is not None]
        if not kinds and changed:
            return "text"  # in the execution that is shown it has no value
        kind = _known(kinds[0]) if kinds else None
    if kind is None:
        raise InvalidScenario(
            f"column {column!r} of table {table.name!r} has no type that SQL knows\n"
            f"  expected  one of {', '.join(one.__name__ for one in _TYPES)}\n"
            "next: declare the rows as a NamedTuple, which says it:"
            f" {column}: str | None = None"
        )
    return _TYPES[kind]


def float_columns(table: TableHandle) -> frozenset[int]:
    """Return the places of columns whose whole numbers are floats as well."""
    fields = table.row_type._fields
    return frozenset(
        at for at, one in enumerate(fields) if _declared(table, one) is float
    )


def statement_sql(world: WorldBuilder, step: Step) -> str:
    """Return what a step sends to a database; empty: nothing.

    Raises:
        InvalidScenario: a statement of the world's own that changes a table.
    """
    changed = {one.part for one in step.changes}
    changed |= {one.uncommitted.part for one in step.changes if one.uncommitted}
    return operation_sql(world, step.operation, step.args, changed)


def operation_sql(
    world: WorldBuilder, name: str, args: tuple[Any, ...], changed: set[str]
) -> str:
    """Return what an operation sends to a database; empty: nothing.

    Args:
        world: whose.
        name: of the statement.
        args: of it.
        changed: the parts that it has changed.

    Raises:
        InvalidScenario: a statement of the world's own that changes a table.
    """
    if name in _ENDS:
        return _ENDS[name]
    if name == "begin":
        return begin_sql(args[0])
    part, _, verb = name.rpartition(".")
    for table in world.tables:
        if table.name == part and verb in _WRITERS:
            return table_sql(table, verb, args)
    touched = sorted(changed & {table.name for table in world.tables})
    if touched:
        raise InvalidScenario(
            f"{name} changes {', '.join(touched)} by Python of the world's own\n"
            "  expected  declared statements, such as await"
            f" w.{touched[0]}.update(...)\n"
            "next: declare it, or leave SQL out"
        )
    return ""


def begin_sql(level: object) -> str:
    """Return what begins a transaction at a level of isolation."""
    word = str(level).upper()
    is_sqlite = word.lower() in SQLITE_LEVELS
    return f"BEGIN {word}" if is_sqlite else f"BEGIN ISOLATION LEVEL {word}"


def table_sql(table: TableHandle, verb: str, args: tuple[Any, ...]) -> str:
    """Return what a declared statement of a table sends to a database."""
    return _WRITERS[verb](table, *args)


def answer_of(
    table: TableHandle, verb: str, rows: Iterable[Any], rows_count: int
) -> Any:
    """Return the answer of a database to such a statement as the model gives it.

    Args:
        table: whose statement.
        verb: what was done.
        rows: that came back.
        rows_count: how many were changed.
    """
    if verb == "count":
        return next(iter(rows))[0]
    if verb in _ROWS:
        made = tuple(table.row_type(*row) for row in rows)
        return made if verb != "find" else next(iter(made), None)
    if verb == "insert":
        return None
    return rows_count if verb != "insert_or_ignore" else rows_count == 1


def _condition(column: str, wanted: Any) -> str:
    name = quoted(column)
    if isinstance(wanted, Compared):
        if wanted.operator == "in":
            return f"{name} IN ({', '.join(map(literal, wanted.value))})"
        return f"{name} {wanted.operator} {literal(wanted.value)}"
    return f"{name} IS NULL" if wanted is None else f"{name} = {literal(wanted)}"


def _where(conditions: Any) -> str:
    given = conditions._asdict().items()
    text = " AND ".join(_condition(name, wanted) for name, wanted in given)
    return f" WHERE {text}" if text else ""


def _by_key(table: TableHandle, key: Any) -> str:
    return _where(table.where(key))


def _ordered(table: TableHandle) -> str:
    return f" ORDER BY {', '.join(map(quoted, table.key))}"


def _assigned(column: str, value: Any) -> str:
    name = quoted(column)
    if isinstance(value, Plus):
        return f"{name} = {name} + {literal(value.amount)}"
    return f"{name} = {literal(value)}"


def _update(table: TableHandle, where: Any, values: Any) -> str:
    changes = [_assigned(name, one) for name, one in values._asdict().items()]
    return f"UPDATE {quoted(table.name)} SET {', '.join(changes)}{_where(where)}"


def _insert(table: TableHandle, row: Any) -> str:
    columns = ", ".join(map(quoted, row._fields))
    values = ", ".join(map(literal, row))
    return f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({values})"


def _select_for_update(
    table: TableHandle, where: Any, limit: int, skips_locked: bool
) -> str:
    most = f" LIMIT {limit}" if limit else ""
    skipped = " SKIP LOCKED" if skips_locked else ""
    return (
        f"SELECT * FROM {quoted(table.name)}{_where(where)}{_ordered(table)}{most}"
        f" FOR UPDATE{skipped}"
    )


_WRITERS: Final[Mapping[str, Callable[..., str]]] = {
    "find": lambda table, key: (
        f"SELECT * FROM {quoted(table.name)}{_by_key(table, key)}"
    ),
    "select": lambda table, where: (
        f"SELECT * FROM {quoted(table.name)}{_where(where)}{_ordered(table)}"
    ),
    "count": lambda table, where: (
        f"SELECT count(*) FROM {quoted(table.name)}{_where(where)}"
    ),
    "update": _update,
    "insert": _insert,
    "insert_or_ignore": lambda table, row: (
        f"{_insert(table, row)} ON CONFLICT DO NOTHING"
    ),
    "delete": lambda table, where: f"DELETE FROM {quoted(table.name)}{_where(where)}",
    "select_for_update": _select_for_update,
}

"""The declared statements of a world's tables as SQL.

One place for each direction: what a handle of a table does (`sim/handles/tables.py`) is
written here as the statement that a database would be sent. Statements of a world's own
are Python, and have no SQL.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

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


def tables_sql(world: WorldBuilder, steps: Iterable[Step]) -> str:
    """Return what makes a world's tables and the rows that they begin with.

    Args:
        world: as it begins.
        steps: of an execution: a column's type is that of the values that it has.
    """
    changed: dict[tuple[str, str], list[Any]] = {}
    for step in steps:
        for change in step.changes:
            for column, before, after in change.columns:
                changed.setdefault((change.part, column), []).extend([before, after])
    lines = []
    for table in world.tables:
        if table.now.is_constrained:
            raise InvalidScenario(
                f"table {table.name!r} has unique indexes, which are Python here\n"
                "next: a world with w.postgresql(...) has its own DDL"
            )
        rows = list(table.now)
        columns = [
            f"{quoted(name)} {_type(table, name, rows, changed)}"
            for name in table.row_type._fields
        ]
        key = ", ".join(map(quoted, table.key))
        lines.append(
            f"CREATE TABLE {quoted(table.name)}"
            f" ({', '.join(columns)}, PRIMARY KEY ({key}));\n"
        )
        lines.extend(f"{_insert(table, row)};\n" for row in rows)
    return "".join(lines)


def removal_sql(world: WorldBuilder) -> str:
    """Return what removes a world's tables."""
    names = ", ".join(quoted(table.name) for table in world.tables)
    return f"DROP TABLE {names};\n"


def _type(
    table: TableHandle,
    column: str,
    rows: list[Any],
    changed: Mapping[tuple[str, str], list[Any]],
) -> str:
    values = [getattr(row, column) for row in rows]
    values += changed.get((table.name, column), [])
    values.append(table.row_type._field_defaults.get(column))
    kinds = [type(one) for one in values if one is not None]
    return _TYPES.get(kinds[0], "text") if kinds else "text"


def statement_sql(world: WorldBuilder, step: Step) -> str:
    """Return what a step sends to a database; empty: nothing.

    Raises:
        InvalidScenario: a statement of the world's own that changes a table.
    """
    changed = {one.part for one in step.changes}
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
        level = str(args[0]).upper()
        is_sqlite = level.lower() in SQLITE_LEVELS
        return f"BEGIN {level}" if is_sqlite else f"BEGIN ISOLATION LEVEL {level}"
    part, _, verb = name.rpartition(".")
    for table in world.tables:
        if table.name == part and verb in _WRITERS:
            return _WRITERS[verb](table, *args)
    touched = sorted(changed & {table.name for table in world.tables})
    if touched:
        raise InvalidScenario(
            f"{name} changes {', '.join(touched)} by Python of the world's own\n"
            "  expected  declared statements, such as await"
            f" w.{touched[0]}.update(...)\n"
            "next: declare it, or leave SQL out"
        )
    return ""


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

"""From the tables of a project to a first world file that runs.

The file has one table that looks like work (it has a state), rows that fit, a function
to be replaced by the project's own, and two properties: nothing is left in that state,
and nothing is done twice. Knows DDL; the drivers read models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pprint import pformat
from typing import Any, Final

from jinja2 import BaseLoader, Environment, StrictUndefined

from wavecheck.scenarios.sql.parsing import constant_text
from wavecheck.scenarios.sql.schema import (
    Schema,
    TableColumn,
    TableSchema,
    read_schema,
    referenced_columns,
)
from wavecheck.sim.errors import InvalidScenario

_STATES: Final = ("state", "status")
_TEXTS: Final = ("text", "varchar", "bpchar")
_VALUES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("int2", "int4", "int8", "numeric", "float4", "float8"), 1),
    "bool": False,
    "date": "2000-01-01",
    **dict.fromkeys(("timestamp", "timestamptz"), "2000-01-01 00:00:00"),
    "time": "00:00:00",
    "interval": "1 second",
    **dict.fromkeys(("json", "jsonb"), "{}"),
    "uuid": "00000000-0000-0000-0000-000000000001",
    "bytea": "",
}
_WIDTH: Final = 84


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a first world comes from.

    Attributes:
        kind: `sqlalchemy`, `django` or `psycopg`.
        ddl: of its tables.
        schema: Python's expression for the schema, as the world file says it.
        imports: lines that the expression needs.
        before: lines that must come before all others (Django's settings).
        defaults: by table and column, what models give to a row that says nothing.
    """

    kind: str
    ddl: str
    schema: str
    imports: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def first_world(origin: Origin) -> tuple[str, str]:
    """Return the text of a world file, and the table that it begins with.

    Raises:
        InvalidScenario: there is no table, or none with one column as its key.
    """
    schema = read_schema(origin.ddl)
    tables = [one for one in schema.tables.values() if len(one.primary_key) == 1]
    if not tables:
        raise InvalidScenario(
            "no table with a primary key of one column was found\n"
            f"  tables    {', '.join(schema.tables) or 'none'}"
        )
    table = next((one for one in tables if _state_of(one)), tables[0])
    state = _state_of(table)
    value = _initial(schema, table, state, origin.defaults) if state else None
    rows: dict[str, list[dict[str, Any]]] = {}
    for number in (1, 2):
        _fill(schema, table, origin.defaults, rows, number)
    if state is not None:
        for row in rows[table.name]:
            row[state.name] = value
    return _text(origin, schema, table, state, (value, rows)), table.name


def _state_of(table: TableSchema) -> TableColumn | None:
    """Return the column that says how far a row is."""
    for name in _STATES:
        for column in table.columns:
            is_text = column.kind in _TEXTS or column.kind not in _VALUES
            if column.name.endswith(name) and is_text:
                return column
    return None


def _initial(
    schema: Schema,
    table: TableSchema,
    state: TableColumn,
    defaults: Mapping[str, Mapping[str, Any]],
) -> Any:
    """Return the state in which a row begins."""
    told = defaults.get(table.name, {}).get(state.name)
    if told is not None:
        return getattr(told, "value", told)  # of an Enum
    node: Any = state.default
    while isinstance(node, dict) and "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    found = constant_text(node) if isinstance(node, dict) else None
    if found is not None:
        return found
    labels = schema.enums.get(state.kind)
    return labels[0] if labels else "new"


def _fill(
    schema: Schema,
    table: TableSchema,
    defaults: Mapping[str, Mapping[str, Any]],
    rows: dict[str, list[dict[str, Any]]],
    number: int,
) -> Any:
    """Add a row, behind those that it refers to; return its key."""
    row: dict[str, Any] = {}
    for key in table.foreign_keys:
        parent = schema.table(key.table)
        if parent is table or any(
            not table.columns[one].is_not_null for one in key.columns
        ):
            continue
        if not rows.get(parent.name):
            _fill(schema, parent, defaults, rows, 1)
        columns = referenced_columns(schema, key)
        for own, theirs in zip(key.columns, columns, strict=True):
            first = rows[parent.name][0]
            row[table.columns[own].name] = first[parent.columns[theirs].name]
    told = defaults.get(table.name, {})
    for position, column in enumerate(table.columns):
        is_key = position in table.primary_key
        is_given = column.default is not None or column.name in told
        if column.name in row or (not is_key and (is_given or not column.is_not_null)):
            continue
        row[column.name] = _value(schema, column, number)
    ordered = {one.name: row[one.name] for one in table.columns if one.name in row}
    rows.setdefault(table.name, []).append(ordered)
    return ordered


def _value(schema: Schema, column: TableColumn, number: int) -> Any:
    if column.kind in schema.enums:
        return schema.enums[column.kind][0]
    if column.kind in _TEXTS:
        shown = f"{column.name}-{number}"
        return shown[-column.length :] if column.length else shown
    value = _VALUES.get(column.kind)
    if column.kind == "uuid":
        return f"00000000-0000-0000-0000-{number:012}"
    return number if type(value) is int else value


def _done(schema: Schema, state: TableColumn, value: Any) -> str:
    """Return the state of a row that is done."""
    labels = [one for one in schema.enums.get(state.kind, ()) if one != value]
    return labels[-1] if labels else "done"[: state.length or None]


def _text(
    origin: Origin,
    schema: Schema,
    table: TableSchema,
    state: TableColumn | None,
    start: tuple[Any, Mapping[str, Any]],
) -> str:
    value, rows = start
    key = table.columns[table.primary_key[0]].name
    change = f'"{key}" = "{key}"'
    if state is not None:
        change = f"\"{state.name}\" = '{_done(schema, state, value)}'"
    environment = Environment(
        loader=BaseLoader(),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,
    )
    template = files("wavecheck.reports.project") / "first_world.py.jinja"
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        origin=origin,
        table=table.name,
        tables=", ".join(schema.tables),
        rows=pformat(dict(rows), sort_dicts=False, width=_WIDTH),
        key=key,
        where=f" WHERE \"{state.name}\" = '{value}'" if state else "",
        change=change,
        state=state is not None,
        value=value,
    )

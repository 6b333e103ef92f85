"""Reading other people's tables: what is there, by their names, and nothing else.

Everything is read in one read-only transaction with one snapshot. Names come from a
file that somebody wrote, so each goes to the driver as an identifier that it quotes;
none is ever pasted into SQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    TableClause,
    column,
    false,
    inspect,
    select,
    table,
)
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine

from wavecheck.coordinator.sql.engines import connected, make_engine
from wavecheck.coordinator.sql.errors import DatabaseUnusable
from wavecheck.coordinator.sql.transactions import in_one_transaction

_BEGIN: Final = {
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "sqlite": "BEGIN",  # on a connection that refuses to write
}
_EXAMPLES_MAX: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TableNames:
    """How somebody calls one of our tables.

    Attributes:
        ours: our name for it.
        table: their name.
        schema: theirs, or None for the default one.
        columns: their column for each of ours.
        required: our columns that must be there.
        named: what the mapping names: `table`, and our columns; that must be there too.
    """

    ours: str
    table: str
    schema: str | None
    columns: Mapping[str, str]
    required: Sequence[str]
    named: Sequence[str]


class _Column(NamedTuple):
    name: str
    type: TypeEngine[Any]


Columns = dict[str, _Column]
Rows = list[dict[str, Any]]
"""Rows by our names of the columns; a column that is not there is left out."""


async def read_job(
    url: str, job_id: str, names: Mapping[str, TableNames]
) -> dict[str, Rows | None]:
    """Read everything of one job, by our names; None: there is no such table.

    Args:
        url: of the database.
        job_id: which.
        names: of `wave_batches`, and of any others; those without a `job_id` belong to
            the job by their `batch_id`.

    Raises:
        DatabaseUnusable: unreachable, a table or column is missing, or no such job.
    """
    engine = make_engine(url, is_read_only=True)
    try:
        async with connected(engine) as connection:
            begin = _BEGIN[engine.dialect.name]
            async with in_one_transaction(connection, begin):
                return await _read(connection, job_id, names)
    finally:
        await engine.dispose()


async def _read(
    connection: AsyncConnection, job_id: str, names: Mapping[str, TableNames]
) -> dict[str, Rows | None]:
    there = {
        ours: await connection.run_sync(_columns_there, one)
        for ours, one in names.items()
    }
    batches = there["wave_batches"]
    if batches is None:
        raise _no_table(names["wave_batches"])
    found: dict[str, Rows | None] = {}
    for ours, columns in there.items():
        if columns is None:
            found[ours] = None
            continue
        of = _table(names[ours], columns)
        wanted = select(
            *[of.c[theirs.name].label(name) for name, theirs in columns.items()]
        )
        if "job_id" in columns:
            wanted = wanted.where(_is_job(of.c[columns["job_id"].name], job_id))
        else:
            theirs = _table(names["wave_batches"], batches)
            wanted = wanted.where(
                of.c[columns["batch_id"].name].in_(
                    select(theirs.c[batches["batch_id"].name]).where(
                        _is_job(theirs.c[batches["job_id"].name], job_id)
                    )
                )
            )
        rows = await connection.execute(wanted)
        found[ours] = [dict(row._mapping) for row in rows]
    if not found["wave_batches"]:
        raise await _no_job(connection, job_id, names["wave_batches"], batches)
    return found


def _table(names: TableNames, columns: Columns) -> TableClause:
    return table(
        quoted_name(names.table, quote=True),
        *[
            column(quoted_name(one.name, quote=True), one.type)
            for one in columns.values()
        ],
        schema=None if names.schema is None else quoted_name(names.schema, quote=True),
    )


def _is_job(theirs: ColumnElement[Any], job_id: str) -> ColumnElement[bool]:
    """Compare in the type of their column: an id need not be text there."""
    kind = theirs.type.python_type
    try:
        return theirs == (job_id if kind is str else kind(job_id))
    except ValueError:
        return false()


def _columns_there(connection: Connection, names: TableNames) -> Columns | None:
    """Return which of the columns there are, by our names; None: no such table."""
    known = inspect(connection)
    is_there = known.has_table(names.table, schema=names.schema)
    if not is_there:
        if "table" in names.named:
            raise _no_table(names)
        return None
    found = {
        one["name"]: one["type"]
        for one in known.get_columns(names.table, schema=names.schema)
    }
    columns = {}
    for ours, theirs in names.columns.items():
        if theirs in found:
            columns[ours] = _Column(theirs, found[theirs])
        elif ours in names.required or ours in names.named:
            raise DatabaseUnusable(
                f"table {names.table!r} has no column {theirs!r} for our {ours!r}\n"
                f"  it has  {', '.join(map(repr, found))}\n"
                f"next: name the column under [{names.ours}.columns] in the mapping"
            )
    return columns


def _no_table(names: TableNames) -> DatabaseUnusable:
    where = "" if names.schema is None else f" in schema {names.schema!r}"
    return DatabaseUnusable(
        f"there is no table {names.table!r}{where} for our {names.ours!r}\n"
        f"next: name it under [{names.ours}] in the mapping, as table = ..."
    )


async def _no_job(
    connection: AsyncConnection,
    job_id: str,
    names: TableNames,
    columns: Columns,
) -> DatabaseUnusable:
    of = _table(names, columns).c[columns["job_id"].name]
    rows = await connection.execute(
        select(of).distinct().order_by(of).limit(_EXAMPLES_MAX)
    )
    examples = ", ".join(repr(row[0]) for row in rows) or "none at all"
    return DatabaseUnusable(
        f"there is no job {job_id!r} in table {names.table!r}\n"
        f"  it has  {examples}\n"
        "next: give --job one that is there"
    )

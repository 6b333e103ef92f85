"""A place of one's own in somebody's database, which is gone afterwards.

On PostgreSQL a schema that carries the name of this connection and a comment that says
whose it is; on SQLite the tables themselves, in a file that is removed again if it was
not there before. What a killed process left behind is found by the comment (or, on
SQLite, by a marker table) and removed; what is not ours is never touched.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import Column, Integer, MetaData, Table, func, inspect, select, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool

from wavecheck.coordinator.sql.engines import connected, make_engine, parse_url
from wavecheck.coordinator.sql.errors import DatabaseUnusable, shown_url
from wavecheck.coordinator.sql.schema import METADATA

_PREFIX: Final = "wavecheck_"
_COMMENT: Final = "made by wavecheck for one run; safe to drop"
_MARKER: Final = Table(
    "wavecheck_workspace", MetaData(), Column("is_ours", Integer, primary_key=True)
)
_LEFT_BEHIND: Final = text(
    "SELECT nspname FROM pg_namespace"
    " WHERE obj_description(oid, 'pg_namespace') = :comment AND nspname NOT IN"
    " (SELECT 'wavecheck_' || pid FROM pg_stat_activity)"
)
_CUT_OFF: Final = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = :name AND pid <> pg_backend_pid()"
)
_IS_OURS: Final = text(
    "SELECT obj_description(oid, 'pg_namespace') = :comment FROM pg_namespace"
    " WHERE nspname = :name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Empty tables of the store, for one run.

    Attributes:
        engine: without a pool: each `connect` opens a connection of its own.
        control: a connection beside those, which watches them.
        name: the schema, or the file.
    """

    engine: AsyncEngine
    control: AsyncConnection
    name: str


@asynccontextmanager
async def workspace(url: str) -> AsyncIterator[Workspace]:
    """Make empty tables, and remove them at the end, however it comes.

    Args:
        url: sqlite:///FILE, sqlite:// (a temporary file) or postgresql://...

    Raises:
        DatabaseUnusable: it cannot be reached or written, or tables of these names
            hold rows of somebody else.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        async with _schema(parsed) as made:
            yield made
    elif parsed.database in (None, "", ":memory:"):
        with TemporaryDirectory(prefix="wavecheck-") as folder:
            file = str(Path(folder) / "workspace.db")
            async with _file(parsed.set(database=file)) as made:
                yield made
    else:
        async with _file(parsed) as made:
            yield made


@asynccontextmanager
async def _schema(url: URL) -> AsyncIterator[Workspace]:
    outside = make_engine(url, pool=NullPool)
    try:
        async with connected(outside) as control:
            pid = (await control.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            name = _name_of(pid)
            await _drop_left_behind(control)
            await _refuse_foreign(control, name, url)
            await control.execute(text(f"CREATE SCHEMA {name}"))
            await control.execute(text(f"COMMENT ON SCHEMA {name} IS '{_COMMENT}'"))
            await control.execute(text(f"SET search_path TO {name}"))
            engine = make_engine(url, schema=name, pool=NullPool, is_durable=False)
            try:
                async with connected(engine) as connection:
                    await connection.run_sync(METADATA.create_all)
                yield Workspace(engine=engine, control=control, name=name)
            finally:
                await engine.dispose()
                await _drop(outside, name)
    finally:
        await outside.dispose()


def _name_of(backend: int) -> str:
    return f"{_PREFIX}{backend}"


async def _drop(outside: AsyncEngine, name: str) -> None:
    """Drop the schema by a fresh connection: the others may be in any state."""
    async with connected(outside) as connection:
        # Whoever is still connected is one of ours that was cut off in mid-statement.
        await connection.execute(_CUT_OFF, {"name": name})
        await connection.execute(text("SET lock_timeout TO '10s'"))
        await connection.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))


async def _drop_left_behind(control: AsyncConnection) -> None:
    left = await control.execute(_LEFT_BEHIND, {"comment": _COMMENT})
    for (name,) in left.fetchall():
        if name.removeprefix(_PREFIX).isdigit():
            await control.execute(text(f"DROP SCHEMA IF EXISTS {name} CASCADE"))


async def _refuse_foreign(control: AsyncConnection, name: str, url: URL) -> None:
    found = await control.execute(_IS_OURS, {"comment": _COMMENT, "name": name})
    is_ours = found.fetchone()
    if is_ours is None:
        return
    if is_ours[0]:  # a killed run had the same number
        await control.execute(text(f"DROP SCHEMA {name} CASCADE"))
        return
    raise DatabaseUnusable(
        f"{shown_url(url)}: there is a schema {name!r} that is not ours\n"
        "next: use another database, or drop the schema if nobody needs it"
    )


@asynccontextmanager
async def _file(url: URL) -> AsyncIterator[Workspace]:
    path = Path(str(url.database))
    is_new = not _is_there(path)
    engine = make_engine(url, pool=NullPool, is_durable=False, busy_seconds=0)
    try:
        async with connected(engine) as control:
            await control.run_sync(_empty_tables, url)
            try:
                yield Workspace(engine=engine, control=control, name=str(path))
            finally:
                if not is_new:
                    await control.run_sync(_remove_tables)
    finally:
        await engine.dispose()
        if is_new:
            _remove_file(path)


def _empty_tables(connection: Connection, url: URL) -> None:
    there = inspect(connection).get_table_names()
    if _MARKER.name not in there:
        for table in METADATA.sorted_tables:
            if table.name not in there:
                continue
            rows = connection.execute(select(func.count()).select_from(table))
            if rows.scalar_one():
                raise DatabaseUnusable(
                    f"{shown_url(url)}: table {table.name!r} holds rows of"
                    " somebody else\nnext: give a file that does not exist yet"
                )
    _remove_tables(connection)
    _MARKER.create(connection)
    METADATA.create_all(connection)


def _remove_tables(connection: Connection) -> None:
    METADATA.drop_all(connection)
    _MARKER.drop(connection, checkfirst=True)


def _is_there(path: Path) -> bool:
    return str(path).startswith("file:") or path.exists()


def _remove_file(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)

"""A place of one's own in somebody's database, which is gone afterwards.

On PostgreSQL a schema, as `place` makes it; on SQLite the tables themselves, in a file
that is removed again if it was not there before. What a killed process left behind is
found, on SQLite by a marker table, and removed; what is not ours is never touched.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Integer, MetaData, Table, func, inspect, select, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool

from wavecheck.coordinator.sql.engines import connected, make_engine, parse_url
from wavecheck.coordinator.sql.errors import DatabaseUnusable, shown_url
from wavecheck.coordinator.sql.schema import METADATA

if TYPE_CHECKING:
    from wavecheck.scenarios.server.place import OwnPlace

_MARKER: Final = Table(
    "wavecheck_workspace", MetaData(), Column("is_ours", Integer, primary_key=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Empty tables of the store, for one run.

    Attributes:
        engine: without a pool: each `connect` opens a connection of its own.
        control: a connection beside those, which watches them.
        name: the schema, or the file.
        place: on a server; None: it is a file.
    """

    engine: AsyncEngine
    control: AsyncConnection
    name: str
    place: "OwnPlace | None" = None


_VERSION: Final = {
    "postgresql": text("SELECT 'PostgreSQL ' || current_setting('server_version')"),
    "sqlite": text("SELECT 'SQLite ' || sqlite_version()"),
}


async def version_of(connection: AsyncConnection) -> str:
    """Return the server's name and version, for people."""
    return str((await connection.execute(_VERSION[connection.dialect.name])).scalar())


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
    # Imported here: the driver of PostgreSQL is an extra.
    from wavecheck.scenarios.server.place import SCHEMA, OwnPlace

    place = OwnPlace(url.render_as_string(hide_password=False), SCHEMA)
    engine = make_engine(url, schema=place.name, pool=NullPool, is_durable=False)
    try:
        async with connected(engine) as control:
            await control.run_sync(METADATA.create_all)
            yield Workspace(
                engine=engine, control=control, name=place.name, place=place
            )
    finally:
        await engine.dispose()
        place.close()


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

"""From an address to an engine: which databases, which drivers, which settings.

Every connection is in autocommit mode: one statement is one transaction, unless a
`transaction()` says otherwise.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import Pool

from wavecheck.coordinator.sql.errors import DatabaseUnusable, as_unusable

DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
"""Which driver serves which kind of address."""
_CONNECT_SECONDS: Final = 10
REFUSALS: Final = (DBAPIError, TimeoutError, OSError)
"""What SQLAlchemy, or the operating system, raises when a database refuses."""


def parse_url(text: str) -> URL:
    """Return an address with the driver that serves it.

    Raises:
        DatabaseUnusable: it is none, or of another kind of database.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUnusable(
            "the database's address cannot be read\n"
            "  expected  sqlite:///FILE or postgresql://USER@HOST/DATABASE\n"
            "next: give it in that form; special characters of a password as %XX"
        ) from None
    backend = url.drivername.partition("+")[0]
    if backend not in DRIVERS:
        raise DatabaseUnusable(
            f"{url.drivername}: no store for this kind of database\n"
            "  expected  sqlite:///FILE or postgresql://USER@HOST/DATABASE\n"
            "next: write one, and try it with wavecheck.coordinator.conformance"
        )
    return url.set(drivername=DRIVERS[backend])


def make_engine(
    url: str | URL,
    *,
    schema: str | None = None,
    pool: type[Pool] | None = None,
    pool_size: int = 5,
    is_durable: bool = True,
    is_read_only: bool = False,
    busy_seconds: float = 30,
) -> AsyncEngine:
    """Return an engine whose connections are ready for the stores.

    Args:
        url: sqlite:///FILE, sqlite:// (memory) or postgresql://USER@HOST/DATABASE.
        schema: PostgreSQL: where the tables are; the user's default if not given.
        pool: another kind of pool, such as `NullPool`.
        pool_size: PostgreSQL: how many connections stay open.
        is_durable: False gives up the last statements when the machine stops; for
            databases that are thrown away anyway.
        is_read_only: refuse to write anything.
        busy_seconds: SQLite: how long a statement waits for another writer.

    Raises:
        DatabaseUnusable: the address cannot be read.
    """
    parsed = url if isinstance(url, URL) else parse_url(url)
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
    if pool is not None:
        options["poolclass"] = pool
    if parsed.get_backend_name() == "sqlite":
        if is_read_only and parsed.database and not parsed.query:
            parsed = parsed.set(
                database=f"file:{quote(parsed.database)}",
                query={"mode": "ro", "uri": "true"},
            )
        options["connect_args"] = {"timeout": busy_seconds}
        engine = create_async_engine(parsed, **options)
        _refuse_unopenable(engine)
        settings = _sqlite_settings(is_durable=is_durable, is_read_only=is_read_only)
    else:
        if pool is None:
            options["pool_size"] = pool_size
        if "connect_timeout" not in parsed.query:
            options["connect_args"] = {"connect_timeout": _CONNECT_SECONDS}
        try:
            engine = create_async_engine(parsed, **options)
        except ImportError:
            raise DatabaseUnusable(
                "the driver for PostgreSQL is not installed\n"
                "next: pip install 'psycopg[binary]'"
            ) from None
        settings = []
        if schema is not None:
            settings.append(f"SET search_path TO {_quoted(schema)}")
            settings.append(f"SET application_name TO {_quoted(schema)}")
        if not is_durable:
            settings.append("SET synchronous_commit TO off")
        if is_read_only:
            settings.append("SET default_transaction_read_only TO on")
    _on_connect(engine, settings)
    return engine


def _sqlite_settings(*, is_durable: bool, is_read_only: bool) -> list[str]:
    if is_read_only:
        return ["PRAGMA query_only = ON"]
    return [
        "PRAGMA foreign_keys = ON",
        "PRAGMA journal_mode = WAL",
        f"PRAGMA synchronous = {'NORMAL' if is_durable else 'OFF'}",
    ]


def _refuse_unopenable(engine: AsyncEngine) -> None:
    """Try the file first: a failure in the driver's own thread is told too late."""
    arguments, options = engine.dialect.create_connect_args(engine.url)
    try:
        sqlite3.connect(arguments[0], uri=bool(options.get("uri"))).close()
    except sqlite3.Error as error:
        raise as_unusable(error, engine.url) from error


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _on_connect(engine: AsyncEngine, statements: list[str]) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        connection.commit()


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Give a connection; whatever the database refuses is said in a sentence.

    Raises:
        DatabaseUnusable: no connection, no such table, no right, ...
    """
    try:
        async with engine.connect() as connection:
            yield connection
    except REFUSALS as error:
        raise as_unusable(error, engine.url) from error

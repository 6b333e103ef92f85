"""From an address to an engine: which databases, which drivers, which settings.

Every connection is in autocommit mode: one statement is one transaction, unless a
`transaction()` says otherwise.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import Pool

from coordinator.sql.errors import DatabaseUnusable, as_unusable

DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
"""Which driver serves which kind of address."""
_BUSY_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 10


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
            "next: write one, and try it with coordinator.conformance"
        )
    return url.set(drivername=DRIVERS[backend])


def make_engine(
    url: str | URL,
    *,
    schema: str | None = None,
    pool: type[Pool] | None = None,
    pool_size: int = 5,
    is_durable: bool = True,
) -> AsyncEngine:
    """Return an engine whose connections are ready for the stores.

    Args:
        url: sqlite:///FILE, sqlite:// (memory) or postgresql://USER@HOST/DATABASE.
        schema: PostgreSQL: where the tables are; the user's default if not given.
        pool: another kind of pool, such as `NullPool`.
        pool_size: PostgreSQL: how many connections stay open.
        is_durable: False gives up the last statements when the machine stops; for
            databases that are thrown away anyway.

    Raises:
        DatabaseUnusable: the address cannot be read.
    """
    parsed = url if isinstance(url, URL) else parse_url(url)
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
    if pool is not None:
        options["poolclass"] = pool
    if parsed.get_backend_name() == "sqlite":
        engine = create_async_engine(
            parsed, connect_args={"timeout": _BUSY_SECONDS}, **options
        )
        pragmas = [
            "PRAGMA foreign_keys = ON",
            "PRAGMA journal_mode = WAL",
            f"PRAGMA synchronous = {'NORMAL' if is_durable else 'OFF'}",
        ]
    else:
        if pool is None:
            options["pool_size"] = pool_size
        arguments: dict[str, Any] = {}
        if "connect_timeout" not in parsed.query:
            arguments["connect_timeout"] = _CONNECT_SECONDS
        try:
            engine = create_async_engine(parsed, connect_args=arguments, **options)
        except ImportError:
            raise DatabaseUnusable(
                "the driver for PostgreSQL is not installed\n"
                "next: pip install 'wavecheck[postgres]'"
            ) from None
        pragmas = [] if schema is None else [f"SET search_path TO {_quoted(schema)}"]
        if not is_durable:
            pragmas.append("SET synchronous_commit TO off")
    _on_connect(engine, pragmas)
    return engine


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
    except (SQLAlchemyError, OSError) as error:
        if isinstance(error, DBAPIError | TimeoutError | OSError):
            raise as_unusable(error, engine.url) from error
        raise

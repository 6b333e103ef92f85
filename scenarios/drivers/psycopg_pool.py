"""psycopg's pools in a world: a connection for each that is asked for.

What a pool keeps is shared by tasks and outlives them, and means nothing: a connection
that comes back is rolled back. So in a task each is opened, and closed when it comes
back; the pool starts no thread.

Known gap: nobody waits for a connection, however small the pool is.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg_pool
from psycopg.pq import TransactionStatus

from wavecheck.scenarios.drivers.psycopg3 import connect
from wavecheck.scenarios.drivers.reaching import replace


def _opened(pool: Any, timeout: float | None = None) -> Any:
    connection = connect(
        pool.connection_class, pool._resolve_conninfo(), **pool._resolve_kwargs()
    )
    if pool._configure:
        pool._configure(connection)
    connection._pool = pool
    return connection


def _returned(pool: Any, connection: Any) -> None:
    if connection.info.transaction_status != TransactionStatus.IDLE:
        connection.rollback()
    if pool._reset:
        pool._reset(connection)
    connection._pool = None
    connection.close()


@contextmanager
def _lent(pool: Any, timeout: float | None = None) -> Iterator[Any]:
    connection = _opened(pool)
    try:
        with connection:
            yield connection
    finally:
        if not connection.closed:
            _returned(pool, connection)


async def _opened_async(pool: Any, *limits: Any, **named: Any) -> Any:
    connection = connect(
        pool.connection_class,
        await pool._resolve_conninfo(),
        **await pool._resolve_kwargs(),
    )
    if pool._configure:
        await pool._configure(connection)
    connection._pool = pool
    return connection


async def _returned_async(pool: Any, connection: Any) -> None:
    if connection.info.transaction_status != TransactionStatus.IDLE:
        await connection.rollback()
    if pool._reset:
        await pool._reset(connection)
    connection._pool = None
    await connection.close()


@asynccontextmanager
async def _lent_async(pool: Any, *limits: Any, **named: Any) -> AsyncIterator[Any]:
    connection = await _opened_async(pool)
    try:
        async with connection:
            yield connection
    finally:
        if not connection.closed:
            await _returned_async(pool, connection)


def _nothing(*args: Any, **named: Any) -> None:
    """Neither open nor close a pool, nor wait for one."""


async def _nothing_async(*args: Any, **named: Any) -> None:
    """Likewise."""


def install() -> None:
    """Let pools give connections to the world's database while a task runs."""
    pool: dict[str, Callable[..., Any]] = {
        "getconn": _opened,
        "putconn": _returned,
        "connection": _lent,
        **dict.fromkeys(("_open", "open", "close", "wait", "check"), _nothing),
    }
    async_pool: dict[str, Callable[..., Any]] = {
        "getconn": _opened_async,
        "putconn": _returned_async,
        "connection": _lent_async,
        **dict.fromkeys(("open", "close", "wait", "check"), _nothing_async),
    }
    for owner, replacements in (
        (psycopg_pool.ConnectionPool, pool),
        (psycopg_pool.AsyncConnectionPool, async_pool),
    ):
        for name, inside in replacements.items():
            replace(owner, name, inside)

"""One connection with a store on it: what one process has, for whoever drives several.

Production takes connections from a pool and needs none of this.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from wavecheck.coordinator.protocol import Isolation, StatementFailed
from wavecheck.coordinator.sql.errors import DatabaseUnusable
from wavecheck.coordinator.sql.store import Clock, SQLTransaction
from wavecheck.coordinator.sql.transactions import begin_text, execute


@dataclass(frozen=True, slots=True, kw_only=True)
class LockstepSession:
    """One connection.

    Attributes:
        connection: in autocommit mode.
        store: on this connection.
        backend: the server's number of the connection; 0 on SQLite.
    """

    connection: AsyncConnection
    store: SQLTransaction
    backend: int

    async def begin(self, isolation: Isolation) -> None:
        """Begin a transaction; statements of the store are in it until it ends."""
        await execute(self.connection, begin_text("postgresql", isolation))

    async def commit(self) -> None:
        """Commit.

        Raises:
            StatementFailed: it was refused, or the transaction had failed before.
        """
        raw = await self.connection.get_raw_connection()
        driver: Any = raw.driver_connection
        has_failed = driver.info.transaction_status.name == "INERROR"
        await execute(self.connection, "COMMIT")
        if has_failed:  # PostgreSQL rolls it back, and says so in passing only
            raise StatementFailed("the transaction has failed already")

    async def roll_back(self) -> None:
        """Roll back."""
        await execute(self.connection, "ROLLBACK")

    async def close(self) -> None:
        """End the connection; what it had not committed is rolled back."""
        await self.connection.close()


async def open_session(
    engine: AsyncEngine, *, clock: Clock, stale_after: int, lease: int
) -> LockstepSession:
    """Open one connection; its store does not wait for messages.

    Args:
        engine: without a pool.
        clock: what time it is.
        stale_after: as of `SQLStore`.
        lease: as of `SQLStore`.
    """
    connection = await engine.connect()
    if engine.dialect.name == "postgresql":
        # Who is the victim of a deadlock is for whoever drives the sessions to say, not
        # for time. Only a superuser may do this; otherwise time decides after a second.
        with suppress(DBAPIError):
            await execute(connection, "SET deadlock_timeout TO '100s'")
    return LockstepSession(
        connection=connection,
        store=SQLTransaction(
            connection,
            clock=clock,
            wait=_refuse_to_wait,
            stale_after=stale_after,
            lease=lease,
        ),
        backend=await _backend_of(connection),
    )


async def _backend_of(connection: AsyncConnection) -> int:
    if connection.dialect.name == "sqlite":
        return 0
    found = await connection.execute(text("SELECT pg_backend_pid()"))
    return int(found.scalar_one())


async def _refuse_to_wait() -> None:
    raise DatabaseUnusable("the queue in the database is empty")

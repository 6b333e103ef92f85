"""One connection with a store on it: what one process has, for whoever drives several.

Production takes connections from a pool and needs none of this.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from coordinator.sql.errors import DatabaseUnusable
from coordinator.sql.store import Clock, SQLStore
from coordinator.sql.waiting import backend_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One connection.

    Attributes:
        connection: in autocommit mode.
        store: on this connection.
        backend: the server's number of the connection; 0 on SQLite.
    """

    connection: AsyncConnection
    store: SQLStore
    backend: int

    async def close(self) -> None:
        """End the connection; what it had not committed is rolled back."""
        await self.connection.close()


async def open_session(
    engine: AsyncEngine, *, clock: Clock, stale_after: int, lease: int
) -> Session:
    """Open one connection; its store does not wait for messages.

    Args:
        engine: without a pool.
        clock: what time it is.
        stale_after: as of `SQLStore`.
        lease: as of `SQLStore`.
    """
    connection = await engine.connect()
    return Session(
        connection=connection,
        store=SQLStore(
            connection,
            clock=clock,
            wait=_refuse_to_wait,
            stale_after=stale_after,
            lease=lease,
        ),
        backend=await backend_of(connection),
    )


async def _refuse_to_wait() -> None:
    raise DatabaseUnusable("the queue in the database is empty")

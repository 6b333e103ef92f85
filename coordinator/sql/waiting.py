"""Who waits for whom: asked of the server, as PostgreSQL's isolation tester does.

A connection that waits for another one's lock is *blocked*. SQLite has no such wait: a
statement that cannot have its lock fails at once.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_BACKEND = text("SELECT pg_backend_pid()")
_BLOCKERS = text("SELECT pg_blocking_pids(:backend)")
_CANCEL = text("SELECT pg_cancel_backend(:backend)")
_VERSION = {
    "postgresql": text("SELECT 'PostgreSQL ' || current_setting('server_version')"),
    "sqlite": text("SELECT 'SQLite ' || sqlite_version()"),
}


async def backend_of(connection: AsyncConnection) -> int:
    """Return the server's number of a connection; 0 on SQLite."""
    if connection.dialect.name == "sqlite":
        return 0
    return int((await connection.execute(_BACKEND)).scalar_one())


async def blockers_of(control: AsyncConnection, backend: int) -> tuple[int, ...]:
    """Return the numbers of the connections that one is waiting for; none: not."""
    if control.dialect.name == "sqlite":
        return ()
    found = await control.execute(_BLOCKERS, {"backend": backend})
    return tuple(found.scalar_one())


async def break_circle(control: AsyncConnection, backend: int) -> bool:
    """Cancel a connection's statement if the server has it wait for itself.

    PostgreSQL does the same to the victim of a deadlock, whom it finds by time.

    Returns:
        Whether there was such a circle.
    """
    seen: set[int] = set()
    todo = [*await blockers_of(control, backend)]
    while todo:
        other = todo.pop()
        if other == backend:
            await control.execute(_CANCEL, {"backend": backend})
            return True
        if other not in seen:
            seen.add(other)
            todo += await blockers_of(control, other)
    return False


async def version_of(connection: AsyncConnection) -> str:
    """Return the server's name and version, for people."""
    return str((await connection.execute(_VERSION[connection.dialect.name])).scalar())

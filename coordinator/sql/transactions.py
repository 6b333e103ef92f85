"""Transactions on an autocommit connection: BEGIN, COMMIT and ROLLBACK as statements.

Said explicitly, because then each is a statement like any other that a replay can take
in its turn, and both databases do the same.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from wavecheck.coordinator.protocol import Isolation, StatementFailed
from wavecheck.coordinator.sql.errors import as_statement_failure


def begin_text(dialect: str, isolation: Isolation) -> str:
    """Return the statement that begins a transaction.

    SQLite's takes the write lock at once: one that takes it later can find that others
    have written since, and is lost then.
    """
    if dialect == "sqlite":
        return "BEGIN IMMEDIATE"
    return f"BEGIN ISOLATION LEVEL {isolation.upper()}"


@asynccontextmanager
async def in_one_transaction(
    connection: AsyncConnection, begin: str = "BEGIN"
) -> AsyncIterator[None]:
    """Run what is inside as one transaction; an error rolls it back.

    Raises:
        StatementFailed: the commit was refused because of another process.
    """
    await execute(connection, begin)
    try:
        yield
    except BaseException:
        # The error that ended it may have ended the connection as well.
        with suppress(DBAPIError):
            await connection.exec_driver_sql("ROLLBACK")
        raise
    try:
        await execute(connection, "COMMIT")
    except StatementFailed:
        with suppress(DBAPIError):
            await connection.exec_driver_sql("ROLLBACK")
        raise


async def execute(connection: AsyncConnection, statement: str) -> None:
    """Execute one of these statements.

    Raises:
        StatementFailed: it was refused because of another process.
    """
    try:
        await connection.exec_driver_sql(statement)
    except DBAPIError as error:
        failure = as_statement_failure(error)
        if failure is None:
            raise
        raise failure from error

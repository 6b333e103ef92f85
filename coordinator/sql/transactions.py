"""Transactions on an autocommit connection: BEGIN, COMMIT and ROLLBACK as statements.

Said explicitly, because then each is a statement like any other that a replay can take
in its turn, and both databases do the same.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from coordinator.sql.errors import as_statement_failure


@asynccontextmanager
async def in_one_transaction(
    connection: AsyncConnection, begin: str = "BEGIN"
) -> AsyncIterator[None]:
    """Run what is inside as one transaction; an error rolls it back.

    Raises:
        StatementFailed: the commit was refused because of another process.
    """
    await connection.exec_driver_sql(begin)
    try:
        yield
    except BaseException:
        await connection.exec_driver_sql("ROLLBACK")
        raise
    try:
        await connection.exec_driver_sql("COMMIT")
    except DBAPIError as error:
        failure = as_statement_failure(error)
        if failure is None:
            raise
        raise failure from error

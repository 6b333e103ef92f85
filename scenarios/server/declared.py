"""The tables of a world of parts on a real database, one connection for each task.

Each declared statement is sent as its SQL, and its answer given the model's form. What
changes a table in another way (Python of the world's own) is refused by name.
"""

from typing import Any

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from wavecheck.coordinator import Deadlock, SerializationFailure
from wavecheck.coordinator.protocol import StatementFailed
from wavecheck.coordinator.sql.errors import as_statement_failure
from wavecheck.coordinator.sql.schema import METADATA
from wavecheck.scenarios.server.sessions import LockstepSession
from wavecheck.scenarios.server.twin import ENDS, SessionTwin
from wavecheck.scenarios.server.workspace import Workspace
from wavecheck.scenarios.worlds.sql_text import (
    SQLITE_LEVELS,
    answer_of,
    operation_sql,
    quoted,
    removal_sql,
    tables_sql,
)
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Change, UniqueViolation
from wavecheck.sim.trace import Step
from wavecheck.sim.transactions import Failed, Failure
from wavecheck.sim.transactions.rows import RowLock
from wavecheck.sim.worlds import WorldBuilder


class DeclaredTwin(SessionTwin):
    """The tables of a world in a workspace.

    Args:
        world: whose declared statements are sent.
        place: where.
        steps: of the execution that is followed, for the types of columns.

    Attributes:
        sent_count: statements that were sent.
    """

    def __init__(
        self, world: WorldBuilder, place: Workspace, steps: tuple[Step, ...]
    ) -> None:
        super().__init__(world.kernel, place)
        self._world = world
        is_postgresql = place.engine.dialect.name == "postgresql"
        self._setup = tables_sql(world, steps, is_postgresql=is_postgresql)
        self.sent_count = 0

    async def open(self) -> None:
        """Make the world's tables in the place of the pipeline's, with their rows."""
        control = self._place.control
        await control.run_sync(METADATA.drop_all)
        await send_all(control, self._setup)

    async def close(self) -> None:
        """End every connection, and remove the tables."""
        await super().close()
        await send_all(self._place.control, removal_sql(self._world))

    async def disagrees(self) -> str:
        """Return which table has other rows than the model's; empty: none has."""
        for table in self._world.tables:
            columns = ", ".join(map(quoted, table.key))
            rows = f"SELECT * FROM {quoted(table.name)} ORDER BY {columns}"
            found = await _send(self._place.control, rows)
            there = [tuple(row) for row in found]
            if there != [tuple(row) for row in table.now]:
                return table.name
        return ""

    async def perform(
        self,
        task: str,
        operation: Operation[Any],
        result: Any,
        changes: list[Change],
        time: int,
    ) -> Any:
        """Send one statement on the connection of a task; return its answer."""
        name, args = operation.statement.name, operation.args
        changed = {part.name for part, *_ in changes}
        changed |= {one.table for *_, one in changes if isinstance(one, RowLock)}
        sql = operation_sql(self._world, name, args, changed)
        await self._bury()
        if not sql:
            return result
        self.sent_count += 1
        session = await self.connect(task)
        try:
            if name in ENDS:
                return await self._begin_or_end(session, name, operation, result)
            return await self._answer(session, name, sql)
        except IntegrityError as error:
            if isinstance(result, UniqueViolation):
                raise result from error
            return Failed(Failure.DUPLICATE)
        except (DBAPIError, StatementFailed) as error:
            if task in self._victims:
                del self._victims[task]
                return Failed(Failure.DEADLOCK)
            return Failed(_failure_of(error))

    async def _begin_or_end(
        self,
        session: LockstepSession,
        name: str,
        operation: Operation[Any],
        result: Any,
    ) -> Any:
        if name == "begin" and str(operation.args[0]) in SQLITE_LEVELS:
            raise InvalidScenario(
                f"this execution has transactions that are {operation.args[0]}, as"
                " SQLite's are\n  expected  levels of PostgreSQL, in a replay on a"
                " database"
            )
        return await self._end(session, name, operation, result)

    async def _answer(self, session: LockstepSession, name: str, sql: str) -> Any:
        """Send a statement, and give its answer the model's form."""
        part, _, verb = name.rpartition(".")
        table = next(one for one in self._world.tables if one.name == part)
        answer = await _send(session.connection, sql)
        rows = answer if answer.returns_rows else ()
        return answer_of(table, verb, rows, answer.rowcount)


async def tables_there(connection: AsyncConnection) -> list[str]:
    """Return the names of the tables that a database has."""
    return await connection.run_sync(lambda one: inspect(one).get_table_names())


async def send_all(connection: AsyncConnection, text: str) -> None:
    """Send the statements of a text, each of which ends a line, and commit."""
    for statement in filter(None, text.split(";\n")):
        await _send(connection, statement)
    await connection.commit()


async def _send(connection: AsyncConnection, sql: str) -> Any:
    if connection.dialect.name == "postgresql":
        sql = sql.replace("%", "%%")  # for the driver it begins a placeholder
    return await connection.exec_driver_sql(sql)


def _failure_of(error: DBAPIError | StatementFailed) -> Failure:
    failed: StatementFailed | None
    if isinstance(error, StatementFailed):
        failed = error
    else:
        failed = as_statement_failure(error)
        if failed is None and getattr(error.orig, "sqlstate", "") != "25P02":
            raise error
    if isinstance(failed, Deadlock):
        return Failure.DEADLOCK
    if isinstance(failed, SerializationFailure):
        return Failure.SERIALIZATION
    return Failure.ABORTED

"""The tables of a world of parts on a server: declared statements are sent as SQL.

A statement outside of a transaction goes over a connection of its task; a transaction
has one of its own. Parts that are no tables stay where they are, in the model. What
changes a table by Python of the world's own has no SQL, and is refused by name.
"""

from collections.abc import Hashable
from typing import Any, Final

import psycopg
from psycopg import errors, pq

from wavecheck.scenarios.server.database import ServerDatabase, TableOfParts
from wavecheck.scenarios.server.place_of_worlds import WorldPlace
from wavecheck.scenarios.server.psycopg3 import connection_to
from wavecheck.scenarios.worlds.sql_text import (
    answer_of,
    begin_sql,
    float_columns,
    table_sql,
    tables_sql,
)
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.handles import TableHandle
from wavecheck.sim.handles.databases import TransactionError, error_of
from wavecheck.sim.parts import Table, UniqueViolation
from wavecheck.sim.surroundings import task_locals
from wavecheck.sim.transactions import Failed, Failure, Level
from wavecheck.sim.worlds import WorldBuilder

_LONE: Final = "the connection for statements outside of transactions"
_FAILURES: Final = {
    "40001": Failure.SERIALIZATION,
    "40P01": Failure.DEADLOCK,
    "23505": Failure.DUPLICATE,
    "25P02": Failure.ABORTED,
}


def put_on_server(world: WorldBuilder, place: WorldPlace) -> None:
    """Keep the tables of a world on a server from here on.

    Args:
        world: built but for its end.
        place: on the server.
    """
    tables = world.tables
    ddl = tables_sql(world, (), is_postgresql=True)
    shown = {one.name: TableOfParts(one._part, float_columns(one)) for one in tables}
    database = ServerDatabase(
        world.kernel, place, ddl, {}, str(Level.READ_COMMITTED), shown=shown
    )
    world.adopt(TablesOnServer(database, tables))


class TablesOnServer:
    """Performs the declared statements of some tables on a server.

    Args:
        database: where they are.
        tables: of the world.

    Attributes:
        on_server: where they are.
        tables: the parts, by name.
    """

    def __init__(self, database: ServerDatabase, tables: list[TableHandle]) -> None:
        self.on_server = database
        self.tables: dict[str, Any] = {}
        for one in tables:
            self.tables[one.name] = one._part
            one.elsewhere = self
            one._part.gate = _ByPythonOnly()

    def query(self, sql: str) -> Any:
        """Return what a query gives on what is committed; it is no step."""
        return self.on_server.query(sql)

    # Statements ---------------------------------------------------------------------

    async def send(
        self, table: TableHandle, verb: str, args: tuple[Any, ...], slot: Any
    ) -> Any:
        """Perform one statement; return its answer as the model gives it.

        Args:
            table: whose.
            verb: what is done.
            args: of the statement.
            slot: the connection of the transaction; None: it is none.

        Raises:
            TransactionError: it fails in a transaction by the rules of the database.
            UniqueViolation: it does outside of one.
        """
        try:
            cursor = await (slot or self._lone()).execute(table_sql(table, verb, args))
            rows = [] if cursor.description is None else await cursor.fetchall()
        except psycopg.Error as error:
            failure = _failure_of(error)
            if failure is Failure.DUPLICATE and slot is None:
                raise UniqueViolation(str(error).partition("\n")[0]) from None
            raise error_of(Failed(failure)) from None
        return answer_of(table, verb, rows, cursor.rowcount)

    def _lone(self) -> Any:
        held = task_locals()
        if _LONE not in held:
            held[_LONE] = self._connect()
        return held[_LONE]

    def _connect(self) -> Any:
        return connection_to(self.on_server, psycopg.AsyncConnection, autocommit=True)

    # Transactions -------------------------------------------------------------------

    async def begin(self, level: Level) -> Any:
        """Begin a transaction; its slot is its connection."""
        connection = self._connect()
        await connection.execute(begin_sql(level))
        return connection

    async def commit(self, slot: Any) -> Failed | None:
        """Commit, and close the connection."""
        status = slot.pgconn.transaction_status
        try:
            await slot.commit()
        except psycopg.Error as error:
            await slot.close()
            return Failed(_failure_of(error))
        await slot.close()
        has_failed = status == pq.TransactionStatus.INERROR
        return Failed(Failure.ABORTED) if has_failed else None

    async def roll_back(self, slot: Any) -> None:
        """Roll back, and close the connection."""
        await slot.close()

    def cut_off(self, slot: Any) -> None:
        """End the connection here and now: the process has died."""
        slot._line.abandon()
        slot._give_back()

    def error(self, failed: Failed) -> TransactionError:
        """Return what the code under test sees of a failure."""
        return error_of(failed)


class _ByPythonOnly:
    """The gate of a table that is on a server: only the server changes it."""

    open: Final = ("the server",)

    def admit(self, table: Table[Any], key: Hashable, *, is_gone: bool) -> None:
        """Refuse a change.

        Raises:
            InvalidScenario: always.
        """
        raise InvalidScenario(
            f"a statement of the world's own changes {table.name} by Python, which has"
            " no SQL\n"
            f"  expected  declared statements, such as await w.{table.name}.update(...)"
            "\nnext: declare it, or leave --db out"
        )


def _failure_of(error: psycopg.Error) -> Failure:
    """Return how a statement has failed.

    Raises:
        InvalidScenario: as no declared statement should.
    """
    failure = _FAILURES.get(error.sqlstate or "")
    if failure is None or isinstance(error, errors.QueryCanceled):
        raise InvalidScenario(
            f"PostgreSQL refuses a declared statement: {error}\n"
            "next: see whether the columns have the types that are compared"
        ) from error
    return failure

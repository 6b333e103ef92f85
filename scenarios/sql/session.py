"""What one session of a database promises, in the model and on a server alike.

The seam between the database and the drivers above it: drivers (DB-API, SQLAlchemy,
Django, asyncpg) know sessions and no model; the model knows statements and no driver.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class TransactionStatus(Enum):
    """Where a session stands, as the server reports it."""

    IDLE = "idle"
    IN_TRANSACTION = "in a transaction"
    FAILED = "in a failed transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of an answer.

    Attributes:
        name: as the statement names it.
        type_name: PostgreSQL's name of its type, such as `int4`, `text`, `timestamptz`.
    """

    name: str
    type_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a statement gives back.

    Attributes:
        command: the first words of the command tag, such as `SELECT` or `UPDATE`.
        columns: empty where the statement returns no rows.
        rows: the rows that it returns.
        rows_count: rows returned or affected; -1 where the command counts none.
        last_row_id: in SQLite the number of the row that was inserted last.
    """

    command: str
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    rows_count: int = -1
    last_row_id: int | None = None


class SQLError(Exception):
    """A statement failed by the rules of the database.

    Args:
        sqlstate: five characters, as in PostgreSQL's appendix A.
        message: the server's primary message.
        detail: what else it says; empty: nothing.
        constraint: the constraint that was violated; empty: none.
    """

    def __init__(
        self, sqlstate: str, message: str, *, detail: str = "", constraint: str = ""
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.constraint = constraint


class Session(Protocol):
    """One connection to a database."""

    @property
    def status(self) -> TransactionStatus:
        """Where it stands."""
        ...

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> Answer:
        """Perform one statement; each of its parts that is atomic is a step.

        BEGIN, COMMIT, ROLLBACK, SAVEPOINT and SET are statements like any other; what
        is executed outside of a transaction is one of its own.

        Args:
            sql: one statement, its parameters written `$1`, `$2`, ...
            parameters: their values.

        Raises:
            SQLError: the database refuses it.
            InvalidScenario: the model does not know this SQL; says which and what next.
        """
        ...

    async def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        ...

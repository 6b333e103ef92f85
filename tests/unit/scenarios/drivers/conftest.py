"""A double of a database's sessions: SQLite in memory, one connection for all."""

import re
import sqlite3
from inspect import iscoroutinefunction

import pytest

from wavecheck.scenarios.drivers.reaching import make_reachable
from wavecheck.scenarios.sql.session import (
    Answer,
    Column,
    SQLError,
    TransactionStatus,
)
from wavecheck.sim.blocking import run_blocking
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement

TYPES = {int: "int4", str: "text", float: "float8", bytes: "bytea", type(None): "text"}


class Double:
    """Gives sessions; notes every statement that they are given."""

    def __init__(self):
        self.memory = sqlite3.connect(":memory:", isolation_level=None)
        self.statements = []
        self.sessions = []

    def session(self):
        self.sessions.append(DoubleSession(self))
        return self.sessions[-1]


class DoubleSession:
    """One session: no rules of transactions but the status."""

    def __init__(self, database):
        self.database = database
        self.status = TransactionStatus.IDLE
        self.is_closed = False

    async def execute(self, sql, parameters=()):
        return await self._perform(sql, tuple(parameters))

    @statement
    def _perform(self, sql, parameters):
        self.database.statements.append((sql, parameters))
        command = sql.split()[0].upper()
        if self.status is TransactionStatus.FAILED and command != "ROLLBACK":
            raise SQLError("25P02", "current transaction is aborted")
        if command in ("BEGIN", "START"):
            self.status = TransactionStatus.IN_TRANSACTION
            return Answer(command=command)
        if command in ("COMMIT", "ROLLBACK") and "TO" not in sql.split():
            self.status = TransactionStatus.IDLE
            return Answer(command=command)
        if command in ("SAVEPOINT", "RELEASE", "ROLLBACK", "SET"):
            self.status = TransactionStatus.IN_TRANSACTION
            return Answer(command=command)
        sql = re.sub(r"::\w+( FOR UPDATE.*)?|FOR UPDATE.*", "", sql)  # not SQLite's
        try:
            cursor = self.database.memory.execute(re.sub(r"\$", "?", sql), parameters)
            rows = tuple(cursor.fetchall())
        except sqlite3.IntegrityError as error:
            if self.status is TransactionStatus.IN_TRANSACTION:
                self.status = TransactionStatus.FAILED
            raise SQLError(
                "23505",
                'duplicate key value violates unique constraint "jobs_pkey"',
                detail="Key (id)=(1) already exists.",
                constraint="jobs_pkey",
            ) from error
        columns = tuple(
            Column(name=one[0], type_name=TYPES[type(rows[0][n] if rows else None)])
            for n, one in enumerate(cursor.description or ())
        )
        count = len(rows) if columns else cursor.rowcount
        return Answer(
            command=command,
            columns=columns,
            rows=rows,
            rows_count=count,
            last_row_id=cursor.lastrowid,
        )

    async def close(self):
        self.is_closed = True


@pytest.fixture
def double():
    """A database with one table of three jobs."""
    made = Double()
    made.memory.executescript(
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT);"
        "INSERT INTO jobs VALUES (1, 'new'), (2, 'new'), (3, 'done')"
    )
    yield made
    made.memory.close()


@pytest.fixture
def perform(double):
    """Runs blocking or awaiting functions as tasks that reach the double."""

    def run(*functions, family="postgresql", name=""):
        kernel = Kernel(timed=False)
        make_reachable(kernel, family, double, name)
        found = []

        async def task(function):
            if iscoroutinefunction(function):
                found.append(await function())
            else:
                found.append(await run_blocking(function))

        for number, function in enumerate(functions):
            kernel.spawn(task(function), f"task-{number}")
        kernel.run_to_quiescence()
        return found

    return run

"""Statements that fail midway in SQLite: what is kept, what is undone, who notices."""

import pytest

from wavecheck.scenarios.conformity import (
    Agreement,
    SessionStep,
    TableWorld,
    open_sessions,
    run_both,
)
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.sqlite import SQLiteDatabase
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.transactions.level import Level

COMMIT = SessionStep(kind="commit")
CLAUSES = ("", "OR ABORT", "OR FAIL", "OR IGNORE", "OR REPLACE", "OR ROLLBACK")
FAILING = {
    "insert, second row": "INSERT {} INTO a VALUES (1, 0), (0, 0)",
    "insert, first row": "INSERT {} INTO a VALUES (0, 0), (1, 0)",
    "insert, CHECK": "INSERT {} INTO b VALUES (1, 0), (2, -200)",
    "update, second row": "UPDATE {} b SET value = value - key * 60",
    "update, nothing": "UPDATE {} b SET value = value - key * 0 - (key = 2) * 200",
}


@pytest.fixture(scope="module")
def sqlite():
    """SQLite on a temporary file."""
    sessions = open_sessions("sqlite://")
    yield sessions
    sessions.close()


def sql(text):
    """Return a statement."""
    return SessionStep(kind="sql", text=text)


def world(level, statement):
    """Return a world: one fails midway, goes on, and ends beside one that reads."""
    reads = sql("SELECT key, value FROM a")
    return TableWorld(
        level=level,
        rows={"a": {0: 0}, "b": {1: 0, 2: 0, 3: 0}},
        programs=(
            (sql(statement), reads, sql("SELECT key, value FROM b"), COMMIT, reads),
            (reads, sql("UPDATE a SET value = 9 WHERE key = 0"), COMMIT),
        ),
        order=(0, 0, 1, 0, 0, 1, 1, 0),
    )


@pytest.mark.parametrize("level", [Level.DEFERRED, Level.IMMEDIATE])
@pytest.mark.parametrize("clause", CLAUSES)
@pytest.mark.parametrize("name", FAILING)
def test_what_a_statement_leaves_is_what_sqlite_leaves(sqlite, level, clause, name):
    """Kept rows, ended transactions and old snapshots are those of SQLite."""
    found = run_both(world(level, FAILING[name].format(clause)), sqlite)
    assert isinstance(found, Agreement), str(found)


def test_a_clause_of_the_schema_counts_as_well():
    """UNIQUE ON CONFLICT FAIL keeps what was inserted before, without BEGIN too."""
    kernel = Kernel(timed=False)
    database = SQLiteDatabase(
        kernel, "CREATE TABLE t (n INTEGER UNIQUE ON CONFLICT FAIL)"
    )
    session = database.session()
    shown = []

    async def insert():
        try:
            await session.execute("INSERT INTO t VALUES (1), (2), (1), (3)")
        except SQLError as error:
            shown.append(error.message)
        shown.append((await session.execute("SELECT last_insert_rowid()")).rows)

    kernel.spawn(insert(), "insert")
    kernel.run_to_quiescence()
    assert shown == ["UNIQUE constraint failed: t.n", ((2,),)]
    assert database.query("SELECT n FROM t").rows == ((1,), (2,))

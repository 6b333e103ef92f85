"""sqlite3 in a world: its rules of transactions, rows and errors over sessions."""

import sqlite3
from contextlib import suppress

import pytest

from wavecheck.scenarios.drivers import sqlite as driver
from wavecheck.sim.errors import CoordinatorError


@pytest.fixture(autouse=True)
def installed():
    driver.install()


@pytest.fixture
def run(perform):
    return lambda code: perform(code, family="sqlite")


def test_a_change_begins_and_the_block_commits(run, double):
    """SELECT begins nothing; a change does; `with conn:` commits and does not close."""

    def code():
        conn = sqlite3.connect("/var/lib/shop.db", isolation_level="IMMEDIATE")
        found = conn.execute("SELECT id FROM jobs WHERE state = ?", ("new",)).fetchone()
        with conn:
            cur = conn.execute("UPDATE jobs SET state = :to", {"to": "old"})
            assert conn.in_transaction
        conn.execute("SELECT 1")
        with suppress(KeyError), conn:
            conn.execute("DELETE FROM jobs WHERE id = ?2 OR id = ?1", (1, 2))
            raise KeyError
        return found, cur.rowcount, conn.total_changes

    assert run(code) == [((1,), 3, 5)]
    assert double.statements == [
        ("SELECT id FROM jobs WHERE state = $1", ("new",)),
        ("BEGIN IMMEDIATE", ()),
        ("UPDATE jobs SET state = $1", ("old",)),
        ("COMMIT", ()),
        ("SELECT 1", ()),
        ("BEGIN IMMEDIATE", ()),
        ("DELETE FROM jobs WHERE id = $1 OR id = $2", (2, 1)),
        ("ROLLBACK", ()),
    ]


def test_without_a_level_nothing_is_begun(run, double):
    """isolation_level None leaves BEGIN to the code."""

    def code():
        conn = sqlite3.connect("shop.db", isolation_level=None)
        conn.execute("INSERT INTO jobs VALUES (9, '?')")

    run(code)
    assert [sql for sql, _ in double.statements] == ["INSERT INTO jobs VALUES (9, '?')"]


def test_rows_cursors_and_values(run):
    """sqlite3.Row, factories, lastrowid, fetchmany, executemany, description."""

    def code():
        conn = sqlite3.connect("shop.db")
        conn.row_factory = sqlite3.Row
        row = conn.execute("SELECT * FROM jobs ORDER BY id").fetchone()
        found = [row["state"], tuple(row), row.keys()]
        cur = conn.cursor()
        cur.row_factory = lambda cursor, row: row[0] * 10
        cur.execute("SELECT id FROM jobs ORDER BY id")
        found += [cur.fetchmany(2), list(cur), cur.description[0][0], cur.rowcount]
        cur.executemany("INSERT INTO jobs VALUES (?, ?)", [(7, True), (8, b"x")])
        return [*found, cur.rowcount, cur.lastrowid]

    (found,) = run(code)
    assert found == [
        *("new", (1, "new"), ["id", "state"], [10, 20], [30], "id", -1, 2, 8)
    ]


def test_errors_are_sqlite3s_own(run):
    """IntegrityError, wrong counts of values, a value that is none, a closed one."""

    def code():
        conn = sqlite3.connect("shop.db")
        with pytest.raises(sqlite3.IntegrityError) as caught:
            conn.execute("INSERT INTO jobs VALUES (1, 'x')")
        assert caught.value.sqlite_errorname == "SQLITE_CONSTRAINT"
        with pytest.raises(sqlite3.ProgrammingError, match="uses 2, and there are 1"):
            conn.execute("SELECT ?, ?", (1,))
        with pytest.raises(sqlite3.ProgrammingError, match="type 'set' is not"):
            conn.execute("SELECT ?", (set(),))
        conn.close()
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            conn.execute("SELECT 1")
        return True

    assert run(code) == [True]


def test_what_is_not_here_is_refused_by_name(run):
    """Scripts and the hooks of SQLite are refused."""
    for use in ("executescript", "set_authorizer", "backup"):
        with pytest.raises(CoordinatorError, match=use):
            run(lambda use=use: getattr(sqlite3.connect("shop.db"), use)("SELECT 1"))

"""psycopg2 in a world: its methods, rows and errors over sessions."""

from contextlib import suppress
from enum import StrEnum

import psycopg2
import psycopg2.extras
import pytest
from psycopg2 import errors, sql
from psycopg2.extensions import AsIs

from wavecheck.scenarios.drivers import psycopg2 as driver
from wavecheck.sim.errors import CoordinatorError

DSN = "dbname=shop user=app host=db.example"


@pytest.fixture(autouse=True)
def installed():
    driver.install()


def test_the_block_commits_and_does_not_close(perform, double):
    """`with conn:` ends the transaction; the connection stays open for the next."""

    def code():
        conn = psycopg2.connect(DSN)
        with conn, conn.cursor() as cur:
            cur.execute("SELECT id FROM jobs WHERE state = %s", ("new",))
            found = cur.fetchone()
        with suppress(KeyError), conn:
            conn.cursor().execute("SELECT 1")
            raise KeyError
        assert not conn.closed
        conn.close()
        with pytest.raises(psycopg2.InterfaceError, match="connection already closed"):
            conn.cursor()
        return found

    assert perform(code) == [(1,)]
    assert [sql for sql, _ in double.statements] == [
        "BEGIN",
        "SELECT id FROM jobs WHERE state = $1",
        "COMMIT",
        *("BEGIN", "SELECT 1", "ROLLBACK"),
    ]


def test_autocommit_and_isolation_levels(perform, double):
    """Autocommit begins nothing; a level is said at BEGIN; neither in a transaction."""

    def code():
        conn = psycopg2.connect(DSN)
        conn.autocommit = True
        cur = conn.cursor()
        cur.execute("SELECT 1")
        conn.autocommit = False
        conn.set_session("SERIALIZABLE", readonly=True)
        cur.execute("SELECT 2")
        with pytest.raises(psycopg2.ProgrammingError, match="inside a transaction"):
            conn.autocommit = True
        assert conn.info.transaction_status == 2
        conn.rollback()

    perform(code)
    assert [sql for sql, _ in double.statements] == [
        "SELECT 1",
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        *("SELECT 2", "ROLLBACK"),
    ]


def test_values_are_adapted_as_psycopg2_does(perform, double):
    """Names, tuples for IN, JSON, text of enums, AsIs, %% and wrong counts."""

    class State(StrEnum):
        NEW = "new"

    def code():
        cur = psycopg2.connect(DSN).cursor()
        cur.execute(
            "SELECT 5 %% 2, %(a)s FROM jobs WHERE id IN %(ids)s AND state = %(a)s",
            {"ids": (1, 2), "a": State.NEW},
        )
        cur.execute(
            "SELECT %s, %s", (psycopg2.extras.Json({"a": 1}), AsIs("now()||''"))
        )
        with pytest.raises(psycopg2.ProgrammingError, match="can't adapt type 'dict'"):
            cur.execute("SELECT %s", ({},))
        with pytest.raises(IndexError):
            cur.execute("SELECT %s, %s", (1,))
        with pytest.raises(TypeError, match="not all arguments"):
            cur.execute("SELECT %s", (1, 2))

    double.memory.create_function("now", 0, str)
    perform(code)
    assert double.statements[1:] == [
        (
            "SELECT 5 % 2, $1 FROM jobs WHERE id IN ($2, $3) AND state = $4",
            ("new", 1, 2, "new"),
        ),
        ("SELECT $1, now()||''", ('{"a": 1}',)),
    ]


def test_rows_of_the_cursors_of_extras(perform):
    """Dictionary, real dictionary and named tuple rows are psycopg2's own."""

    def code():
        conn = psycopg2.connect(DSN, cursor_factory=psycopg2.extras.RealDictCursor)
        cur = conn.cursor()
        cur.execute("SELECT * FROM jobs ORDER BY id")
        found = [cur.fetchone()]
        for factory in (psycopg2.extras.DictCursor, psycopg2.extras.NamedTupleCursor):
            with conn.cursor(cursor_factory=factory) as cur:
                cur.execute("SELECT * FROM jobs ORDER BY id")
                found.append(next(iter(cur)))
        return [found[0], found[1]["state"], found[1][0], found[2].state]

    assert perform(code) == [[{"id": 1, "state": "new"}, "new", 1, "new"]]


def test_cursors_fetch_count_and_describe(perform):
    """fetchmany, fetchall, rowcount, description, statusmessage, executemany, sql."""

    def code():
        cur = psycopg2.connect(DSN).cursor()
        table, wanted = sql.Identifier("jobs"), sql.Literal("it's")
        query = sql.SQL("SELECT id FROM {} WHERE state <> {} ORDER BY id")
        cur.execute(query.format(table, wanted))
        found = [cur.fetchmany(2), cur.rownumber, cur.fetchall(), cur.fetchone()]
        found += [cur.rowcount, cur.description[0].name, cur.statusmessage]
        cur.executemany("UPDATE jobs SET state = %s", [("a",), ("b",)])
        found.append(cur.rowcount)
        psycopg2.extras.execute_values(
            cur, "INSERT INTO jobs VALUES %s", [(7, "x"), (8, "y'")]
        )
        found.append(cur.statusmessage)
        with pytest.raises(psycopg2.ProgrammingError, match="no results to fetch"):
            cur.fetchone()
        return found

    (found,) = perform(code)
    assert found == [
        [(1,), (2,)],
        2,
        [(3,)],
        None,
        3,
        "id",
        "SELECT 3",
        6,
        "INSERT 0 2",
    ]


def test_errors_are_psycopg2s_own(perform):
    """The class by SQLSTATE, with code, text and diagnostics."""

    def code():
        conn = psycopg2.connect(DSN)
        with pytest.raises(errors.UniqueViolation) as caught:
            conn.cursor().execute("INSERT INTO jobs VALUES (1, 'x')")
        with pytest.raises(errors.InFailedSqlTransaction):
            conn.cursor().execute("SELECT 1")
        conn.rollback()
        return caught.value

    (error,) = perform(code)
    assert isinstance(error, psycopg2.IntegrityError)
    assert (error.pgcode, error.diag.constraint_name) == ("23505", "jobs_pkey")
    assert error.pgerror.startswith("ERROR:  duplicate key value violates unique")


def test_a_pool_of_psycopg2_works_in_a_task(perform, double):
    """A pool is psycopg2's own code; what it gets back is rolled back."""
    from psycopg2.pool import SimpleConnectionPool

    def code():
        pool = SimpleConnectionPool(1, 2, DSN)
        conn = pool.getconn()
        conn.cursor().execute("SELECT 1")
        pool.putconn(conn)
        assert pool.getconn() is conn

    perform(code)
    assert [sql for sql, _ in double.statements] == ["BEGIN", "SELECT 1", "ROLLBACK"]


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda conn: conn.cursor("named"), "server-side cursor"),
        (lambda conn: conn.cursor().copy_from(None, "jobs"), "cursor.copy_from"),
        (lambda conn: conn.lobject(), "connection.lobject"),
        (
            lambda conn: conn.cursor(cursor_factory=psycopg2.extras.LoggingCursor),
            "class LoggingCursor",
        ),
    ],
)
def test_what_the_model_has_not_is_refused_by_name(perform, use, said):
    """What is not here is refused by its name, and is no AttributeError."""
    with pytest.raises(CoordinatorError, match=said):
        perform(lambda: use(psycopg2.connect(DSN)))

"""psycopg 3 in a world: its own classes, statements as steps."""

import uuid
from contextlib import suppress
from enum import StrEnum

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import class_row, dict_row, namedtuple_row, scalar_row
from psycopg.types.json import Jsonb

from wavecheck.scenarios.drivers import psycopg3
from wavecheck.sim.errors import CoordinatorError

URL = "postgresql://app@db.example/shop"


@pytest.fixture(autouse=True)
def installed():
    psycopg3.install()


def test_autocommit_is_off_and_the_block_commits_and_closes(perform, double):
    """The first statement begins a transaction; `with conn:` commits, then closes."""

    def code():
        with psycopg.connect(URL) as conn:
            assert isinstance(conn, psycopg.Connection)
            row = conn.execute("SELECT id FROM jobs WHERE state = %s", ("new",))
            assert conn.info.transaction_status.name == "INTRANS"
            found = row.fetchone()
        return found, conn.closed

    assert perform(code) == [((1,), True)]
    said = [sql for sql, _ in double.statements]
    assert said == ["BEGIN", "SELECT id FROM jobs WHERE state = $1", "COMMIT"]
    assert double.sessions[0].is_closed


def test_an_error_in_the_block_rolls_back(perform, double):
    """`with conn:` rolls back what raised, and lets it pass."""

    def code():
        with suppress(KeyError), psycopg.connect(URL) as conn:
            conn.execute("SELECT 1")
            raise KeyError
        return conn.closed

    assert perform(code) == [True]
    assert [sql for sql, _ in double.statements] == ["BEGIN", "SELECT 1", "ROLLBACK"]


def test_nested_transactions_are_savepoints(perform, double):
    """`conn.transaction()` begins, then makes savepoints, as psycopg does."""

    def code():
        with psycopg.connect(URL, autocommit=True) as conn, conn.transaction():
            with conn.transaction():
                conn.execute("SELECT 1")
            with conn.transaction():
                raise psycopg.Rollback

    perform(code)
    assert [sql for sql, _ in double.statements] == [
        "BEGIN",
        'SAVEPOINT "_pg3_2"',
        "SELECT 1",
        'RELEASE "_pg3_2"',
        'SAVEPOINT "_pg3_2"',
        'ROLLBACK TO "_pg3_2"',
        'RELEASE "_pg3_2"',
        "COMMIT",
    ]


def test_isolation_level_is_said_at_begin(perform, double):
    """`conn.isolation_level` shows in the statement that begins."""

    def code():
        conn = psycopg.connect(URL)
        conn.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        conn.execute("SELECT 1")
        with pytest.raises(psycopg.ProgrammingError, match="can't change"):
            conn.isolation_level = None

    perform(code)
    assert double.statements[0][0] == "BEGIN ISOLATION LEVEL SERIALIZABLE"


def test_placeholders_and_values(perform, double):
    """%s, %(name)s, %% and adapted values arrive as $1, $2 and plain values."""

    class State(StrEnum):
        NEW = "new"

    def code():
        with psycopg.connect(URL) as conn:
            conn.execute(
                "SELECT %(a)s, %(b)s, %(a)s, 5 %% 3", {"a": State.NEW, "b": Jsonb([1])}
            )
            conn.execute("SELECT %s", [uuid.UUID(int=5).hex])
            with pytest.raises(psycopg.ProgrammingError, match="2 placeholders but 1"):
                conn.execute("SELECT %s, %s", (1,))

    perform(code)
    assert double.statements[1] == ("SELECT $1, $2, $1, 5 % 3", ("new", "[1]"))


def test_rows_are_made_by_row_factories(perform):
    """Tuples, dictionaries, named tuples, objects and scalars are psycopg's."""

    class Job:
        def __init__(self, id, state):
            self.id = id

    def code():
        with psycopg.connect(URL, row_factory=dict_row) as conn:
            found = [conn.execute("SELECT * FROM jobs LIMIT 1").fetchone()]
            for factory in (namedtuple_row, scalar_row, class_row(Job)):
                with conn.cursor(row_factory=factory) as cur:
                    found += list(cur.execute("SELECT * FROM jobs LIMIT 1"))
        return found

    ((as_dict, as_tuple, scalar, job),) = perform(code)
    assert as_dict == {"id": 1, "state": "new"}
    assert as_tuple.state == "new"
    assert (scalar, job.id) == (1, 1)


def test_cursors_fetch_count_describe_and_scroll(perform):
    """fetchmany, rowcount, rownumber, description, statusmessage and executemany."""

    def code():
        with psycopg.connect(URL) as conn, conn.cursor() as cur:
            cur.execute("SELECT id FROM jobs ORDER BY id")
            found = [cur.fetchmany(2), cur.rownumber, cur.fetchall(), cur.fetchone()]
            found += [cur.rowcount, cur.description[0].name, cur.statusmessage]
            found += [cur.description[0].type_code]
            cur.scroll(0, "absolute")
            found.append(cur.fetchone())
            cur.executemany("UPDATE jobs SET state = %s", [("a",), ("b",)])
            found.append(cur.rowcount)
            with pytest.raises(psycopg.ProgrammingError, match="no result"):
                cur.fetchone()
        return found

    (found,) = perform(code)
    assert found == [[(1,), (2,)], 2, [(3,)], None, 3, "id", "SELECT 3", 23, (1,), 6]


def test_errors_are_psycopgs_own(perform):
    """The class by SQLSTATE, with its diagnostics; then the transaction has failed."""

    def code():
        with psycopg.connect(URL) as conn:
            with pytest.raises(errors.UniqueViolation) as caught:
                conn.execute("INSERT INTO jobs VALUES (1, 'x')")
            assert isinstance(caught.value, psycopg.IntegrityError)
            with pytest.raises(errors.InFailedSqlTransaction):
                conn.execute("SELECT 1")
            conn.rollback()
            conn.execute("SELECT 1")
        return caught.value

    (error,) = perform(code)
    assert (error.sqlstate, error.diag.constraint_name) == ("23505", "jobs_pkey")
    assert error.diag.message_detail == "Key (id)=(1) already exists."
    assert str(error).splitlines()[1] == "DETAIL:  Key (id)=(1) already exists."


def test_async_connections_are_the_same(perform, double):
    """AsyncConnection in a coroutine: begin, statement, commit as steps."""

    async def code():
        async with await psycopg.AsyncConnection.connect(URL) as conn:
            async with conn.cursor() as cur:
                await cur.execute("SELECT id FROM jobs ORDER BY id")
                rows = [row async for row in cur]
            async with conn.transaction():
                await conn.execute("SELECT 1")
        return rows

    assert perform(code) == [[(1,), (2,), (3,)]]
    assert [sql.split()[0] for sql, _ in double.statements] == [
        *("BEGIN", "SELECT", "SAVEPOINT", "SELECT", "RELEASE", "COMMIT")
    ]


def test_two_tasks_on_one_connection_are_refused(perform):
    """The second task that uses a connection is told so, by both names."""
    shared = []

    def first():
        shared.append(psycopg.connect(URL))
        shared[0].execute("SELECT 1")

    def second():
        try:
            shared[0].execute("SELECT 1")
        except Exception:
            return "swallowed"

    with pytest.raises(CoordinatorError, match="tasks task-0 and task-1 use one"):
        perform(first, second)


def test_elsewhere_is_refused_with_the_line(perform):
    """A database that is not in the world is refused, whatever the code catches."""

    def code():
        try:
            psycopg.connect("postgresql://app@other/billing")
        except Exception:
            return "swallowed"

    with pytest.raises(CoordinatorError) as caught:
        perform(code, name="shop")
    assert "'postgresql://app@other/billing', which is not in" in str(caught.value)
    assert "test_psycopg3.py:" in str(caught.value)
    assert "w.postgresql(schema, name='billing')" in str(caught.value)


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda conn: conn.cursor("named"), "server-side cursor"),
        (lambda conn: conn.cursor().copy("COPY jobs FROM STDIN"), "COPY"),
        (lambda conn: conn.pipeline(), "pipeline mode"),
        (lambda conn: conn.pgconn.get_cancel(), "get_cancel needs a server"),
    ],
)
def test_what_the_model_has_not_is_refused_by_name(perform, use, said):
    """What needs a server's own protocol is refused, with the way out."""

    def code():
        use(psycopg.connect(URL))

    with pytest.raises(CoordinatorError, match=said) as caught:
        perform(code)
    assert "--db URL" in str(caught.value)


def test_outside_of_a_world_connect_is_the_real_one():
    """Nothing changes for code that no world runs."""
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect("postgresql://127.0.0.1:1/none", connect_timeout=2)

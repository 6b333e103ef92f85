"""A world's PostgreSQL: ways in, recorded calls, properties, what is left open."""

import psycopg
import pytest

from wavecheck.scenarios.drivers.postgresql import PostgreSQL
from wavecheck.scenarios.drivers.running import run_code
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel

JOBS = "CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL DEFAULT 'new')"
ROWS = {"jobs": [{"id": 1}, {"id": 2}]}


@pytest.fixture
def kernel():
    return Kernel(timed=False)


def run(kernel, *tasks):
    """Run (function, arguments) as tasks to quiescence."""
    for number, (function, args) in enumerate(tasks):
        kernel.spawn(run_code(function, args), f"task-{number}")
    kernel.run_to_quiescence()


def test_a_connection_is_new_in_each_task(kernel):
    """`db.connect()` given to two tasks is two connections, closed with them."""
    db = PostgreSQL(kernel, JOBS, rows=ROWS)
    connection = db.connect(autocommit=True)
    seen = []

    def code(conn, id):
        seen.append(conn)
        conn.execute("UPDATE jobs SET state = 'done' WHERE id = %s", (id,))

    run(kernel, (code, [connection, 1]), (code, [connection, 2]))
    assert seen[0] is not seen[1]
    assert {row.state for row in db.database.rows("jobs")} == {"done"}


def test_what_a_task_leaves_open_is_rolled_back(kernel):
    """A lock that a task forgot is given back at its end: the other goes on."""
    db = PostgreSQL(kernel, JOBS, rows=ROWS)

    def forgets(id):
        conn = psycopg.connect("postgresql://db/shop")
        conn.execute("UPDATE jobs SET state = 'lost' WHERE id = %s", (id,))

    run(kernel, (forgets, [1]), (forgets, [1]))
    assert all(task.is_finished for task in kernel.tasks)
    assert {row.state for row in db.database.rows("jobs")} == {"new"}


def test_psycopg2_connections(kernel):
    """`db.connect_psycopg2()` is a connection of psycopg2's kind."""
    db = PostgreSQL(kernel, JOBS, rows=ROWS)

    def code(conn):
        with conn, conn.cursor() as cur:
            cur.execute("UPDATE jobs SET state = %s WHERE id IN %s", ("x", (1, 2)))

    run(kernel, (code, [db.connect_psycopg2()]))
    assert {row.state for row in db.database.rows("jobs")} == {"x"}


def test_calls_are_rows_that_stay(kernel):
    """A recorded call is a row at once; the rollback around it takes nothing back."""
    db = PostgreSQL(kernel, JOBS, rows=ROWS, calls=["mail"])
    mail = db.calls("mail", returns=lambda method, *args, **named: method)

    def code():
        with psycopg.connect("postgresql://db/shop") as conn:
            conn.execute("UPDATE jobs SET state = 'mailed'")
            assert mail.send("o-1", to="x@example.org") == "send"
            conn.rollback()

    async def awaits():
        assert await mail("o-2") == "call"

    run(kernel, (code, []), (awaits, []))
    rows = [
        (r.method, r.argument, r.arguments, r.task) for r in db.database.rows("mail")
    ]
    assert sorted(rows) == [
        ("call", "o-2", '["o-2"]', "task-1"),
        ("send", "o-1", '["o-1", {"to": "x@example.org"}]', "task-0"),
    ]
    assert {row.state for row in db.database.rows("jobs")} == {"new"}


class Picks:
    """A rule that takes the given options."""

    def __init__(self, *options):
        self.options = list(options)

    def pick(self, enabled):
        return 0

    def choose(self, options_count):
        assert options_count == 3
        return self.options.pop(0)


def test_calls_may_fail_or_lose_their_answer(kernel):
    """A failed call is no row; one whose answer is lost is a row and raises."""
    db = PostgreSQL(kernel, JOBS, calls=["carrier"])
    carrier = db.calls("carrier", fails=[ConnectionError], loses=[TimeoutError])
    raised = []

    def code():
        for _ in range(3):
            try:
                carrier.label("s-1")
            except OSError as error:
                raised.append(type(error))

    kernel.rule = Picks(1, 2, 0)
    run(kernel, (code, []))
    assert raised == [ConnectionError, TimeoutError]
    assert len(db.database.rows("carrier")) == 2


def test_what_is_no_schema_is_refused(kernel):
    """A schema that is none, and calls without a table, are said."""
    with pytest.raises(InvalidScenario, match="DDL as text, SQLAlchemy's MetaData"):
        PostgreSQL(kernel, 5)
    with pytest.raises(InvalidScenario, match=r"next: name it .* calls=\["):
        PostgreSQL(Kernel(timed=False), JOBS).calls("mail")


def test_a_driver_that_is_not_installed_is_named(kernel, monkeypatch):
    """The message says what to install."""
    db = PostgreSQL(kernel, JOBS)
    monkeypatch.setattr(
        "wavecheck.scenarios.drivers.postgresql.find_spec", lambda name: None
    )
    with pytest.raises(InvalidScenario, match=r"pip install 'psycopg2-binary'"):
        db.connect_psycopg2()
    with pytest.raises(InvalidScenario, match=r"pip install 'psycopg\[binary\]'"):
        db.connect()


def test_several_arrays_side_by_side(kernel):
    """unnest() of arrays of unequal length fills with NULL, as on a server."""
    db = PostgreSQL(kernel, JOBS)
    found = db.query("SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a']) AS t(id, name)")
    assert [one.name for one in found.columns] == ["id", "name"]
    assert found.rows == ((1, "a"), (2, None))

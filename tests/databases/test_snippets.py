"""What code on queues writes: refused by name, never accused, or as PostgreSQL."""

from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from wavecheck.scenarios.drivers.postgresql import PostgreSQL
from wavecheck.scenarios.drivers.running import run_code
from wavecheck.sim.errors import WavecheckError
from wavecheck.sim.kernel import Kernel

SCHEMA = """
CREATE TABLE t (
    id int PRIMARY KEY, state text NOT NULL DEFAULT 'new', n int, tags text[],
    errors jsonb[], doc jsonb, at timestamptz DEFAULT now(), amount numeric(10,2));
"""
ROWS = {"t": [{"id": 1, "n": 3, "tags": ["x", "y"]}, {"id": 2, "n": 4}]}


def on_model(code):
    """Run code on psycopg as the only task of a world; return what it returns."""
    kernel = Kernel(timed=False)
    PostgreSQL(kernel, SCHEMA, rows=ROWS)
    found = []

    def task():
        with psycopg.connect("postgresql://db/shop") as conn:
            found.append(code(conn))

    kernel.spawn(run_code(task), "task")
    kernel.run_to_quiescence()
    return found[0]


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("DELETE FROM t WHERE ctid = ANY(ARRAY(SELECT ctid FROM t))", "column ctid"),
        ("INSERT INTO t (id) VALUES (7) RETURNING (xmax = 0)", "the column xmax"),
        ("SELECT j FROM t AS j", "a whole row as a value, j"),
        ("SELECT id FROM t WHERE state ~ '^n'", "the operator text ~ text"),
        ("SELECT doc - ARRAY['a'] FROM t", "the operator jsonb - text"),
        ("MERGE INTO t USING t AS s ON t.id = s.id WHEN MATCHED THEN DELETE", "Merge"),
        ("TRUNCATE t", "the statement Truncate"),
        ("LOCK TABLE t", "the statement Lock"),
        (
            "SELECT * FROM generate_series(now(), now() + '1 day', '1 hour') AS s",
            "generate_series() of timestamptz",
        ),
        ("SELECT generate_series(1, 3)", "the function generate_series()"),
        ("COPY t FROM STDIN", "the statement Copy"),
        ("CREATE INDEX CONCURRENTLY i ON t (n)", "the statement Index"),
        ("SELECT * FROM t TABLESAMPLE SYSTEM (10)", "RangeTableSample in FROM"),
        ("SELECT hashtext('a')", "the function hashtext()"),
        ("DO $$ BEGIN END $$", "the statement Do"),
    ],
)
def test_what_postgresql_has_and_the_model_has_not_is_refused(sql, named):
    """By name, with the user's line and a way out; it is no error of the code's."""
    with pytest.raises(WavecheckError) as caught:
        on_model(lambda conn: conn.execute(sql))
    said = str(caught.value)
    assert named in said
    assert "test_snippets.py" in said
    assert "--db URL runs it on PostgreSQL itself" in said


def test_arrays_come_as_lists():
    """Arrays that a statement returns, of texts and of documents."""
    sql = (
        "UPDATE t SET errors = array_append(errors, %s::jsonb) WHERE id = 1"
        " RETURNING tags, errors"
    )
    assert on_model(lambda conn: conn.execute(sql, ['{"e": 1}']).fetchone()) == (
        ["x", "y"],
        [{"e": 1}],
    )


def test_a_numeric_holds_so_many_digits():
    """A value that does not fit is an error, one that does is rounded."""

    def code(conn):
        sql = "UPDATE t SET amount = %s WHERE id = 1 RETURNING amount"
        fits = conn.execute(sql, [Decimal("99999999.994")]).fetchone()
        with pytest.raises(psycopg.errors.NumericValueOutOfRange), conn.transaction():
            conn.execute(sql, [Decimal("99999999.995")])
        return fits

    assert on_model(code) == (Decimal("99999999.99"),)


def test_what_there_is_not_is_postgresqls_error():
    """An unknown column, and arithmetic that no type has, are the code's faults."""
    states = []

    def code(conn):
        for sql in ("SELECT nope FROM t", "SELECT state + 1 FROM t", "SELECT -state"):
            with pytest.raises(psycopg.Error) as caught, conn.transaction():
                conn.execute(sql)
            states.append(caught.value.sqlstate)

    on_model(code)
    assert states == ["42703", "42883", "42703"]


def test_an_interval_is_made_by_names():
    """As pgmq writes it; what is left out is 0, and years are those of psycopg."""
    sql = "SELECT make_interval(secs => %s), make_interval(1, days => 2)"
    assert on_model(lambda conn: conn.execute(sql, [30.25]).fetchone()) == (
        timedelta(seconds=30.25),
        timedelta(days=367),
    )
    with pytest.raises(WavecheckError, match=r"arguments of lower\(\) by name"):
        on_model(lambda conn: conn.execute("SELECT lower(a => 'A')"))

"""LISTEN and NOTIFY through psycopg: told at the commit, and never after a rollback."""

import psycopg
import pytest

import wavecheck as wc
from wavecheck import check, prove
from wavecheck.sim.errors import WavecheckError
from wavecheck.sim.verdict import Outcome

SCHEMA = """
CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL DEFAULT 'queued');
CREATE TABLE seen (payload text, jobs bigint)
"""


def listens(stop_after):
    """Waits for notices and notes what it sees then."""
    with psycopg.connect("postgresql://db/shop", autocommit=True) as conn:
        conn.execute("LISTEN jobs")
        for notice in conn.notifies(stop_after=stop_after):
            (count,) = conn.execute("SELECT count(*) FROM jobs").fetchone()
            conn.execute("INSERT INTO seen VALUES (%s, %s)", (notice.payload, count))


def looks_now_and_then(stop_after):
    """Waits for a while only."""
    with psycopg.connect("postgresql://db/shop", autocommit=True) as conn:
        conn.execute("LISTEN jobs")
        for notice in conn.notifies(timeout=5, stop_after=stop_after):
            conn.execute("INSERT INTO seen VALUES (%s, 1)", (notice.payload,))


def handles(stop_after):
    """Has a handler, which nobody calls here."""
    with psycopg.connect("postgresql://db/shop") as conn:
        conn.add_notify_handler(print)


def does_not_listen(stop_after):
    """Would wait for ever."""
    with psycopg.connect("postgresql://db/shop", autocommit=True) as conn:
        list(conn.notifies())


def notifies():
    """One that is rolled back, and one that commits."""
    with psycopg.connect("postgresql://db/shop") as conn:
        conn.execute("NOTIFY jobs, 'never'")
        conn.rollback()
        conn.execute("SELECT pg_notify('jobs', 'one')")
        conn.execute("INSERT INTO jobs VALUES (1)")


CODE = (listens, looks_now_and_then, handles, does_not_listen)


@wc.world(code={one.__name__: one for one in CODE})
def telling(w):
    """One that listens, one that notifies."""
    w.postgresql(SCHEMA)
    w.task("listener", w.code, 1)
    w.task("notifier", notifies)
    w.never("rolled back, and told", "SELECT payload FROM seen WHERE payload = 'never'")
    w.never("told before the commit", "SELECT payload FROM seen WHERE jobs = 0")
    w.at_the_end("not told", "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM seen)")


WORLD = f"{__file__}:telling"


def outcomes(result):
    return {one.property_name: one.outcome for one in result.verdicts}


def test_notices_come_with_the_commit():
    """Proved; whoever listens too late is not told, and then waits for ever."""
    found = outcomes(prove(WORLD, "listens"))
    assert found["rolled back, and told"] is Outcome.PROVED
    assert found["told before the commit"] is Outcome.PROVED
    assert found["not told"] is Outcome.VIOLATED


def test_the_end_of_a_timeout_may_come_at_any_moment():
    """With a timeout nobody waits for ever, and some are not told."""
    found = outcomes(check(WORLD, "looks_now_and_then", executions=40, shrinks=False))
    assert found["rolled back, and told"] is Outcome.NOT_FOUND
    assert found["not told"] is Outcome.VIOLATED


@pytest.mark.parametrize(
    ("code", "said"),
    [("handles", "notify handlers"), ("does_not_listen", "would wait for ever")],
)
def test_what_is_not_in_the_model_is_refused_with_the_line(code, said):
    """Handlers, and waiting without LISTEN."""
    with pytest.raises(WavecheckError, match=said) as caught:
        check(WORLD, code, executions=5, shrinks=False)
    assert "test_notifies.py" in str(caught.value)

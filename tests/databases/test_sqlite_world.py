"""Worlds on SQLite: code on sqlite3, unmodified, by the rules of one writer."""

import sqlite3

import pytest

import wavecheck as wc
from wavecheck import check, prove
from wavecheck.scenarios.drivers.sqlite_database import SQLite
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.verdict import Outcome

SCHEMA = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, state TEXT NOT NULL DEFAULT 'queued',
    runs INTEGER NOT NULL DEFAULT 0);
"""
NEXT = "SELECT id FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1"
TAKE = "UPDATE jobs SET state = 'done', runs = runs + 1 WHERE id = ?"


def unguarded(mail):
    """Looks, and changes in a transaction of its own."""
    conn = sqlite3.connect("/var/lib/shop.db")
    found = conn.execute(NEXT).fetchone()
    if found:
        with conn:
            conn.execute(TAKE, found)
        mail.send(found[0])
    conn.close()


def begins(conn, word, mail):
    conn.execute(word)
    found = conn.execute(NEXT).fetchone()
    if found:
        conn.execute(TAKE, found)
    conn.execute("COMMIT")
    if found:
        mail.send(found[0])
    conn.close()


def immediate(mail):
    """Takes the lock first, and waits for it."""
    conn = sqlite3.connect("/var/lib/shop.db", isolation_level=None)
    assert conn.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    begins(conn, "BEGIN IMMEDIATE", mail)


def impatient(mail):
    """The same without a busy timeout."""
    conn = sqlite3.connect("/var/lib/shop.db", timeout=0, isolation_level=None)
    begins(conn, "BEGIN IMMEDIATE", mail)


def upgrading(mail):
    """Reads in a transaction, then writes: SQLite fails the second at once."""
    conn = sqlite3.connect("/var/lib/shop.db", isolation_level=None)
    begins(conn, "BEGIN", mail)


def returning(mail):
    """One statement."""
    with sqlite3.connect("/var/lib/shop.db") as conn:
        found = conn.execute(
            "UPDATE jobs SET state = 'done', runs = runs + 1"
            f" WHERE id = ({NEXT}) RETURNING id"
        ).fetchone()
    if found:
        mail.send(found[0])


CODE = (unguarded, immediate, impatient, upgrading, returning)


@wc.world(
    sizes={"workers": 2, "jobs": 2},
    code={one.__name__: one for one in CODE},
    parameters={"gives_up": False},
)
def queue(w):
    """Workers that each take one job and mail it."""
    rows = [{"id": n + 1} for n in range(w.jobs)]
    db = w.sqlite(SCHEMA, rows={"jobs": rows}, gives_up=w.gives_up, calls=["mail"])
    for n in range(w.workers):
        w.task(f"worker-{n}", w.code, db.calls("mail"))
    w.never(
        "mailed twice",
        "SELECT argument FROM mail GROUP BY argument HAVING count(*) > 1",
    )
    w.after_each_commit("run twice", "SELECT id FROM jobs WHERE runs > 1")


def violated(result):
    return {
        one.property_name for one in result.verdicts if one.outcome is Outcome.VIOLATED
    }


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("unguarded", {"mailed twice", "run twice"}),
        ("immediate", set()),
        ("impatient", {"no_error"}),
        ("upgrading", {"no_error"}),
        ("returning", set()),
    ],
)
def test_verdicts(code, broken):
    """Search and proof find what breaks on SQLite, and nothing else."""
    subject = f"{__file__}:queue"
    assert violated(check(subject, code, executions=60, shrinks=False)) == broken
    assert violated(prove(subject, code)) == broken


def test_the_end_of_a_timeout_is_found_where_it_may_come():
    """With gives_up whoever waits for the lock may fail: database is locked."""
    subject = f"{__file__}:queue"
    result = check(subject, "immediate", executions=60, settings={"gives_up": True})
    (found,) = [one for one in result.verdicts if one.property_name == "no_error"]
    assert "database is locked" in str(found.violation)


def journal():
    """Asks for a mode in which readers lock as well."""
    sqlite3.connect("shop.db").execute("PRAGMA journal_mode = DELETE")


def references():
    """Asks for foreign keys."""
    sqlite3.connect("shop.db").execute("PRAGMA foreign_keys = ON")


@wc.world(code={"journal": journal, "references": references})
def pragmas(w):
    """One task on an empty database."""
    w.sqlite(SCHEMA)
    w.task("task", w.code)
    w.never("wrong", "SELECT id FROM jobs")


@pytest.mark.parametrize("code", ["journal", "references"])
def test_other_modes_are_refused_by_name(code):
    """What the model of WAL mode does not hold for is not passed over."""
    with pytest.raises(InvalidScenario, match=r"PRAGMA (journal_mode|foreign_keys)"):
        check(f"{__file__}:pragmas", code, executions=1)


def test_rows_that_violate_the_schema_are_named():
    """The row, its table and what SQLite says of it."""
    with pytest.raises(InvalidScenario, match="row 2 of table 'jobs': UNIQUE"):
        SQLite(Kernel(timed=False), SCHEMA, rows={"jobs": [{"id": 1}, {"id": 1}]})


def test_a_schema_that_is_no_text_is_refused():
    """Models are for PostgreSQL."""
    with pytest.raises(InvalidScenario, match="DDL as text"):
        SQLite(Kernel(timed=False), 5)

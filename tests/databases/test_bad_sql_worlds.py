"""SQL worlds with a mistake in them: what is said, and where."""

import importlib.util

import pytest

from wavecheck import check
from wavecheck.sim.errors import WavecheckError

WORLD = '''
import socket
import threading

import psycopg

import wavecheck as wc


def code():
    with psycopg.connect("postgresql://db/shop") as conn:
        CODE


@wc.world(sizes={"workers": 2})
def world(w):
    db = w.postgresql("""
        CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n > 0));
        DDL
    """, rows={"t": [ROW]}, name="shop")
    for number in range(w.workers):
        w.task(f"worker-{number}", code)
    w.never("wrong", "PROPERTY")
'''
FINE = {
    "CODE": 'conn.execute("SELECT n FROM t")',
    "DDL": "",
    "ROW": '{"id": 1, "n": 1}',
    "PROPERTY": "SELECT 1 FROM t WHERE n > 9",
}


@pytest.fixture
def said(tmp_path):
    """Check a world with something replaced; return what is said."""

    def run(**replaced):
        text = WORLD
        for name, value in {**FINE, **replaced}.items():
            text = text.replace(name, value)
        path = tmp_path / "world.py"
        path.write_text(text)
        with pytest.raises(WavecheckError) as caught:
            check(f"{path}:world", executions=3)
        return str(caught.value)

    return run


@pytest.mark.parametrize(
    ("ddl", "named"),
    [
        ("CREATE VIEW v AS SELECT 1", "the declaration View at line 3, column 9"),
        ("CREATE TABLE u (p point)", "the type point at line 3, column 27"),
        (
            "CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f()",
            "the declaration CreateTrig at line 3, column 9",
        ),
        (
            "CREATE TABLE u (id int GENERATED ALWAYS AS (1) STORED)",
            "a GENERATED constraint at line 3, column 32",
        ),
    ],
)
def test_ddl_that_is_not_known_is_named(said, ddl, named):
    """What it is, where in the schema, and the one statement of it."""
    text = said(DDL=ddl)
    assert text.startswith(f"SQL that is not modelled: {named}\n  statement  {ddl}\n")


def test_ddl_that_is_none_is_a_syntax_error(said):
    """PostgreSQL's own words."""
    assert "schema: syntax error at end of input" in said(DDL="CREATE TABLE u (id int")


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ('{"id": 1, "n": 0}', "row 1 of table 't': new row for relation \"t\""),
        ('{"id": None}', "row 1 of table 't': null value in column"),
        ('{"nope": 1}', "row 1 of table 't': column \"nope\""),
        ('{"id": 1}, {"id": 1}', "row 2 of table 't': duplicate key"),
    ],
)
def test_rows_that_violate_the_schema_are_named(said, row, named):
    """The table, the row's number, and what PostgreSQL says."""
    assert named in said(ROW=row)


def test_a_property_that_changes_something_is_refused(said):
    """Before anything runs, with its SQL."""
    text = said(PROPERTY="DELETE FROM t RETURNING id")
    assert "would change it" in text
    assert "DELETE FROM t RETURNING id" in text


def test_another_database_is_refused_with_the_line(said):
    """The address, what there is, and what to add to the world."""
    text = said(CODE='psycopg.connect("postgresql://db/stock")')
    assert "connects to postgresql 'postgresql://db/stock'" in text
    assert "world.py:12 in code" in text
    assert "w.postgresql(schema, name='stock')" in text


@pytest.mark.parametrize(
    "code",
    [
        "threading.Thread(target=print).start()",
        'with socket.socket() as own: own.connect(("127.0.0.1", 9))',
    ],
)
def test_threads_and_sockets_of_the_codes_own_are_refused(said, code):
    """By name, with the line that would have made one."""
    assert "world.py:12 in code" in said(CODE=code)


def test_a_driver_that_is_not_installed_says_what_to_install(said, monkeypatch):
    """The call that needs it and the command that installs it."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "wavecheck.scenarios.drivers.postgresql.find_spec",
        lambda name: None if name == "psycopg2" else find(name),
    )
    text = said(CODE="pass", PROPERTY='SELECT 1"); db.connect_psycopg2(); ("')
    assert text.startswith("db.connect_psycopg2() needs psycopg2")
    assert "pip install 'psycopg2-binary'" in text

"""Rows of a world's tables from CSV files, as COPY writes them."""

import re

import pytest

from wavecheck.scenarios.drivers.postgresql import PostgreSQL
from wavecheck.scenarios.drivers.sqlite_database import SQLite
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel

PG = (
    "CREATE TABLE jobs ("
    "id int PRIMARY KEY, args text NOT NULL, at timestamptz, t text[])"
)
LITE = "CREATE TABLE jobs (id INTEGER PRIMARY KEY, args TEXT NOT NULL, at TEXT, t TEXT)"


@pytest.fixture
def rows(tmp_path):
    """Read a file into a table; return what it has then."""

    def read(text, database=PostgreSQL, schema=PG):
        path = tmp_path / "jobs.csv"
        path.write_bytes(text.encode())
        made = database(Kernel(timed=False), schema, rows={"jobs": path})
        return made.query("SELECT id, args, at IS NULL, t FROM jobs ORDER BY id").rows

    return read


def test_a_file_as_copy_writes_it(rows):
    """Quotes, commas and lines in values; an empty field is NULL, in quotes empty."""
    text = (
        "\ufeffid,args,at,t\r\n"
        '1,"{""a"": ""x, y""}",2024-01-02 03:04:05+00,"{a,b}"\r\n'
        '2,"",,\r\n'
        '3,"two\nlines",2024-01-02,{}\r\n'
    )
    assert rows(text) == (
        (1, '{"a": "x, y"}', False, ["a", "b"]),
        (2, "", True, None),
        (3, "two\nlines", False, []),
    )


def test_sqlite_takes_the_same_file(rows):
    """Values get the types of their columns there as well."""
    assert rows('id,args\n7,""\n', SQLite, LITE) == ((7, "", 1, None),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line is not the names of columns"),
        ("id,id\n1,2\n", "its first line is not the names of columns"),
        ('id,args\n1,"a\nb"\n2\n', r"jobs\.csv:4: a row that does not fit its header"),
        ('id,args\n1,"a"b\n', r"jobs\.csv:2: a quote that does not fit"),
        ("id,nope\n1,2\n", r"row 1 of table 'jobs': column .nope."),
        ("id,args\nx,2\n", r"row 1 of table 'jobs': invalid input syntax"),
        ("id,args\n1,\n", r"row 1 of table 'jobs': null value in column .args."),
    ],
)
def test_what_does_not_fit_is_named(rows, text, said):
    """The file with its line, or the row with what the schema says."""
    with pytest.raises(InvalidScenario, match=said):
        rows(text)


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path):
    """The path, what was expected, and the command that writes a slice."""
    path = tmp_path / "none.csv"
    with pytest.raises(InvalidScenario, match=re.escape(str(path))) as caught:
        PostgreSQL(Kernel(timed=False), PG, rows={"jobs": path})
    assert r"\copy (SELECT" in str(caught.value)

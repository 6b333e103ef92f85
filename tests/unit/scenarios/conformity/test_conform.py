"""The differential search: finds what is wrong, keeps it, and leaves nothing behind."""

import json
import sqlite3

import psycopg
import pytest

from wavecheck.reports.cli import run_command
from wavecheck.scenarios.conformity import (
    Mismatch,
    SessionStep,
    TableWorld,
    conform,
    open_sessions,
    read_worlds,
    run_both,
    world_file,
)
from wavecheck.scenarios.conformity.drawing import draw_until
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.transactions.level import Level
from wavecheck.sim.transactions.locks import Locks
from wavecheck.sim.transactions.manager import Transactions


@pytest.fixture
def sqlite():
    """Sessions on a temporary SQLite file."""
    sessions = open_sessions("sqlite://")
    yield sessions
    sessions.close()


@pytest.fixture
def wrong_model(monkeypatch):
    """A model in which SQLite lets a transaction write on an old snapshot."""
    monkeypatch.setattr(Transactions, "_leave_behind", lambda self: None)
    monkeypatch.setattr("wavecheck.scenarios.conformity.drawing.SHRINKS_MAX", 60)


@pytest.mark.usefixtures("wrong_model")
def test_a_wrong_model_is_found_and_shrunk(sqlite):
    """A planted defect is found within 300 worlds, and the first one is shrunk."""
    found = []
    result = conform(
        sqlite, [Level.DEFERRED], schedules=300, progress=lambda one: found.append(one)
    )
    (disagreement,) = result.disagreements()
    drawn = result.levels[0].worlds_count
    assert drawn < 300
    assert len(found) <= drawn + 62
    assert disagreement.found.endswith("database is locked")
    assert "the model allows" in str(disagreement)


@pytest.mark.postgres
def test_a_model_without_deadlocks_is_found(postgres_url, monkeypatch):
    """A model that finds no circle of waiting sessions disagrees with PostgreSQL."""
    monkeypatch.setattr(Locks, "is_in_circle", lambda self, slot: False)
    sessions = open_sessions(postgres_url)

    def put(key):
        return SessionStep(kind="update", column="key", operand=key, value=5)

    world = TableWorld(
        level=Level.READ_COMMITTED,
        rows={"a": {1: 1, 2: 1}},
        programs=((put(1), put(2)), (put(2), put(1))),
        order=(0, 1, 0, 1),
    )
    try:
        result = run_both(world, sessions)
    finally:
        sessions.close()
    assert isinstance(result, Mismatch)
    assert "deadlock detected" in result.found


def test_the_same_seed_draws_the_same_worlds():
    """Drawing depends on the seed alone."""

    def drawn(seed):
        worlds = []

        def note(world):
            worlds.append(world)
            return True

        draw_until(
            Level.SERIALIZABLE, note, locks_rows=True, worlds_count=20, from_seed=seed
        )
        return worlds

    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.usefixtures("wrong_model")
def test_a_disagreement_is_kept_and_run_first(tmp_path, capsys, monkeypatch):
    """It is a fault of ours: exit status 4, a file, and the file is run first."""
    monkeypatch.chdir(tmp_path)
    line = ["conform", "--db", "sqlite://", "--schedules", "200"]
    assert run_command([*line, "--isolation", "deferred"]) == 4
    assert "DISAGREES" in capsys.readouterr().out
    (file,) = (tmp_path / "wavecheck-conform").iterdir()
    assert run_command([*line, "--json", "-"]) == 4
    result = json.loads(capsys.readouterr().out)
    assert result["levels"][0]["schedules"] == 0
    assert result["kept"] == [f"wavecheck-conform/{file.name}"]


def test_a_kept_world_is_read_as_it_was_written(tmp_path):
    """A world survives the way to a file and back."""
    world = TableWorld(
        level=Level.READ_COMMITTED,
        rows={"a": {1: 2}},
        programs=((SessionStep(kind="delete"),), (SessionStep(kind="lock", limit=1),)),
        order=(0, 1),
    )
    name, content = world_file(world, "PostgreSQL")
    (tmp_path / name).write_bytes(content)
    assert read_worlds(tmp_path) == [world]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("{}", "format"),
        ("not json", "the file"),
        ('{"format": "wavecheck conform", "version": 2}', "version"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path, content, place):
    """The message names the file, the place and what to do."""
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InvalidScenario, match=rf"x\.json: {place}") as raised:
        read_worlds(tmp_path)
    assert "next: " in str(raised.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql://ann:hunter2@host/x", "begins with 'mysql'"),
        ("nonsense", "begins with 'nonsense'"),
        ("postgresql://ann:hunter2@127.0.0.1:1/x", "check that the server runs"),
        ("postgresql://ann:hunter2@127.0.0.1:port/x", "address cannot be read"),
        ("sqlite:///no/such/folder/x.db", "unable to open"),
    ],
)
def test_a_database_that_cannot_be_used(url, expected, capsys):
    """Exit status 2, one reason, what to do, and never the password."""
    assert run_command(["conform", "--db", url]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert "next: " in error or "expected  " in error
    assert "hunter2" not in error


def test_a_level_that_the_database_does_not_know(capsys):
    """The message lists the levels that it knows."""
    assert run_command(["conform", "--db", "sqlite://", "--isolation", "strict"]) == 2
    assert "one of: deferred, immediate" in capsys.readouterr().err


def test_a_file_with_other_tables_is_left_alone(tmp_path, capsys):
    """A SQLite file of somebody else's is refused and not touched."""
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE a (key INTEGER)")
    connection.close()
    before = path.read_bytes()
    assert run_command(["conform", "--db", f"sqlite:///{path}"]) == 2
    assert "left alone" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_the_file_is_removed(tmp_path):
    """What conform has made it removes, with the files that belong to it."""
    line = ["conform", "--db", f"sqlite:///{tmp_path / 'own.db'}", "--schedules", "5"]
    assert run_command([*line, "--keep", str(tmp_path / "kept")]) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.postgres
def test_a_foreign_schema_is_left_alone(postgres_url, monkeypatch, capsys):
    """A schema of the same name without our mark is refused and not touched."""
    monkeypatch.setattr(
        "wavecheck.scenarios.server.place.name_of", lambda backend: "wavecheck_x"
    )
    line = ["conform", "--db", postgres_url, "--schedules", "1"]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA wavecheck_x")
        connection.execute("CREATE TABLE wavecheck_x.a AS SELECT 1 AS key")
        try:
            assert run_command(line) == 2
            left = connection.execute("SELECT key FROM wavecheck_x.a").fetchall()
        finally:
            connection.execute("DROP SCHEMA wavecheck_x CASCADE")
    assert "'wavecheck_x' that is not ours" in capsys.readouterr().err
    assert left == [(1,)]


@pytest.mark.postgres
def test_an_interrupted_run_cleans_up(postgres_url, monkeypatch, capsys):
    """Ctrl-C keeps what was compared so far and drops the schema."""
    worlds = []

    def interrupt(world, sessions):
        worlds.append(world)
        if len(worlds) == 3:
            raise KeyboardInterrupt
        return run_both(world, sessions)

    monkeypatch.setattr("wavecheck.scenarios.conformity.conforming.run_both", interrupt)
    assert run_command(["conform", "--db", postgres_url, "--schedules", "9"]) == 130
    assert "interrupted; no disagreement so far" in capsys.readouterr().out
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'wavecheck%'"
        ).fetchone()
    assert found == (0,)

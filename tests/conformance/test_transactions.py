"""The model of transactions against real databases: the classic anomalies, and more.

`data/anomalies.txt` says what PostgreSQL and SQLite show in each case, reviewed by
hand against their documentation. Each case is run on the model and on the database.
"""

from pathlib import Path

import pytest

from wavecheck.scenarios.conformity import (
    Agreement,
    SessionStep,
    TableWorld,
    conform,
    open_sessions,
    read_worlds,
)
from wavecheck.scenarios.conformity import run_both as run_on_both
from wavecheck.scenarios.conformity.world import describe
from wavecheck.sim.transactions.level import Level

ANOMALIES = Path(__file__).parent / "data" / "anomalies.txt"
KEPT = Path(__file__).parent / "data" / "kept"
POSTGRES = (Level.READ_COMMITTED, Level.REPEATABLE_READ, Level.SERIALIZABLE)
SQLITE = (Level.DEFERRED, Level.IMMEDIATE)
COMMIT, ROLLBACK = SessionStep(kind="commit"), SessionStep(kind="rollback")


def select(key):
    """SELECT one row."""
    return SessionStep(kind="select", column="key", operand=key)


def count(value):
    """SELECT how many rows have a value."""
    return SessionStep(kind="count", column="value", operand=value)


def put(key, value):
    """UPDATE one row."""
    return SessionStep(kind="update", column="key", operand=key, value=value)


def add(key, value):
    """UPDATE one row: value = value + n."""
    return put(key, value).model_copy(update={"is_added": True})


def claim():
    """SELECT the first row of value 0 that nobody has locked, FOR UPDATE."""
    return SessionStep(
        kind="lock", column="value", operand=0, limit=1, skips_locked=True
    )


def insert(key, value):
    """INSERT one row."""
    return SessionStep(kind="insert", key=key, value=value)


def delete(key):
    """DELETE one row."""
    return SessionStep(kind="delete", column="key", operand=key)


ONES = {1: 1, 2: 1}
CASES = {
    "lost update": (
        ONES,
        [[select(1), put(1, 10), COMMIT], [select(1), put(1, 20), COMMIT]],
        "121212",
    ),
    "write skew": (
        ONES,
        [[count(1), put(1, 0), COMMIT], [count(1), put(2, 0), COMMIT]],
        "121212",
    ),
    "read skew": (
        ONES,
        [[select(1), select(2), COMMIT], [put(1, 2), put(2, 2), COMMIT]],
        "122211",
    ),
    "phantom": (
        ONES,
        [[count(1), count(1), COMMIT], [insert(3, 1), COMMIT]],
        "12211",
    ),
    "deadlock of two": (
        ONES,
        [[put(1, 10), put(2, 10), COMMIT], [put(2, 20), put(1, 20), COMMIT]],
        "1212",
    ),
    "deadlock of three": (
        {1: 1, 2: 1, 3: 1},
        [
            [put(1, 10), put(2, 10), COMMIT],
            [put(2, 20), put(3, 20), COMMIT],
            [put(3, 30), put(1, 30), COMMIT],
        ],
        "123123",
    ),
    "skip locked": (
        {1: 0, 2: 0},
        [[claim(), put(1, 1), COMMIT], [claim(), put(2, 1), COMMIT], [claim(), COMMIT]],
        "12312123",
    ),
    "unique key, committed": (
        ONES,
        [[insert(5, 1), COMMIT], [insert(5, 2), COMMIT]],
        "121",
    ),
    "unique key, rolled back": (
        ONES,
        [[insert(5, 1), ROLLBACK], [insert(5, 2), COMMIT]],
        "121",
    ),
    "update of a deleted row": (
        ONES,
        [[delete(1), COMMIT], [add(1, 5), COMMIT]],
        "121",
    ),
    "update of a row not deleted": (
        ONES,
        [[delete(1), ROLLBACK], [add(1, 5), COMMIT]],
        "121",
    ),
    "update of an updated row": (
        ONES,
        [[add(1, 5), COMMIT], [add(1, 5), COMMIT]],
        "121",
    ),
}


def recorded():
    """What each database shows, by (database, case, level)."""
    found, lines = {}, []
    for line in ANOMALIES.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            database, name, levels = line.split(": ")
            lines = []
            found.update(
                ((database, name, level), lines) for level in levels.split(", ")
            )
        else:
            lines.append(line.strip())
    return found


def shown(result):
    """What a database has shown, as the file tells it."""
    lines = []
    for taken in result.steps:
        others = "".join(
            f"; {number + 1} goes on: {describe(one)}"
            for number, one in enumerate(taken.shown)
            if one is not None and number != taken.session
        )
        own = describe(taken.shown[taken.session])
        lines.append(f"{taken.session + 1}: {own}{others}")
    return [*lines, f"ends {describe(result.rows['a'])}"]


def world(name, level):
    """A case as a world."""
    rows, programs, order = CASES[name]
    return TableWorld(
        level=level,
        rows={"a": rows},
        programs=tuple(map(tuple, programs)),
        order=tuple(int(one) - 1 for one in order),
    )


def check(name, level, sessions):
    """Run a case; a machine under load may let a server decide a race differently."""
    for _ in range(3):
        result = run_on_both(world(name, level), sessions)
        if isinstance(result, Agreement):
            break
    assert isinstance(result, Agreement), str(result)
    assert shown(result) == recorded()[sessions.name, name, level]


@pytest.fixture(scope="module")
def postgres(postgres_url):
    """Sessions on a real PostgreSQL."""
    sessions = open_sessions(postgres_url)
    yield sessions
    sessions.close()


@pytest.fixture(scope="module")
def sqlite():
    """Sessions on a real SQLite."""
    sessions = open_sessions("sqlite://")
    yield sessions
    sessions.close()


@pytest.mark.postgres
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("level", POSTGRES)
def test_postgres_and_the_model_agree_on(postgres, name, level):
    """Model and PostgreSQL show the same, and what the record says."""
    check(name, level, postgres)


@pytest.mark.parametrize("name", [name for name in CASES if name != "skip locked"])
@pytest.mark.parametrize("level", SQLITE)
def test_sqlite_and_the_model_agree_on(sqlite, name, level):
    """Model and SQLite show the same, and what the record says."""
    check(name, level, sqlite)


@pytest.mark.postgres
@pytest.mark.parametrize("kept", read_worlds(KEPT), ids=lambda one: one.level)
def test_what_disagreed_once_agrees(postgres, kept):
    """Worlds that `conform` has found, shrunk; each is run several times."""
    for _ in range(3):
        result = run_on_both(kept, postgres)
        assert isinstance(result, Agreement), str(result)


@pytest.mark.postgres
@pytest.mark.parametrize("level", POSTGRES)
def test_drawn_worlds_agree_on_postgres(postgres, level):
    """The differential search finds no disagreement in 80 drawn schedules."""
    result = conform(postgres, [level], schedules=80, seed=3)
    (found,) = result.levels
    assert found.disagreement is None, str(found.disagreement)
    assert found.worlds_count == 80
    assert found.blocked_count > 0


@pytest.mark.parametrize("level", SQLITE)
def test_drawn_worlds_agree_on_sqlite(sqlite, level):
    """The differential search finds no disagreement in 30 drawn schedules."""
    result = conform(sqlite, [level], schedules=30, seed=3)
    (found,) = result.levels
    assert found.disagreement is None, str(found.disagreement)
    assert found.worlds_count == 30

"""What PostgreSQL's documents say of its levels, by model and server alike.

The ten anomalies of Hermitage (github.com/ept/hermitage), what becomes of rows that
change while they are waited for (EvalPlanQual), deadlocks, and races of keys. Each is
a script; `data/sql_truth.txt` says what is shown, reviewed by hand against the
documentation. `pytest --regenerate` writes the file from what both agree on.
"""

from pathlib import Path

import pytest

from wavecheck.scenarios.conformity import (
    Agreement,
    SessionStep,
    TableWorld,
    open_sessions,
    run_both,
)
from wavecheck.scenarios.conformity.world import ENDS, describe
from wavecheck.sim.transactions.level import Level

RECORD = Path(__file__).parent / "data" / "sql_truth.txt"
LEVELS = (Level.READ_COMMITTED, Level.REPEATABLE_READ, Level.SERIALIZABLE)
ROWS = {1: 10, 2: 20}
PUT = "UPDATE a SET value = {} WHERE key = {}"
GET = "SELECT key, value FROM a WHERE key = {}"
ALL = "SELECT key, value FROM a ORDER BY key"
THIRDS = "SELECT key, value FROM a WHERE value % 3 = 0 ORDER BY key"

CASES = {
    # Hermitage, by its own names.
    "G0, dirty write": [
        (1, PUT.format(11, 1)),
        (2, PUT.format(12, 1)),
        (1, PUT.format(21, 2)),
        (1, "commit"),
        (2, PUT.format(22, 2)),
        (2, "commit"),
    ],
    "G1a, aborted read": [
        (1, PUT.format(101, 1)),
        (2, ALL),
        (1, "rollback"),
        (2, ALL),
        (2, "commit"),
    ],
    "G1b, intermediate read": [
        (1, PUT.format(101, 1)),
        (2, ALL),
        (1, PUT.format(11, 1)),
        (1, "commit"),
        (2, ALL),
        (2, "commit"),
    ],
    "G1c, circular information flow": [
        (1, PUT.format(11, 1)),
        (2, PUT.format(22, 2)),
        (1, GET.format(2)),
        (2, GET.format(1)),
        (1, "commit"),
        (2, "commit"),
    ],
    "OTV, observed transaction vanishes": [
        (1, PUT.format(11, 1)),
        (1, PUT.format(19, 2)),
        (2, PUT.format(12, 1)),
        (1, "commit"),
        (3, GET.format(1)),
        (2, PUT.format(18, 2)),
        (3, GET.format(2)),
        (2, "commit"),
        (3, GET.format(2)),
        (3, GET.format(1)),
        (3, "commit"),
    ],
    "PMP, predicate many preceders": [
        (1, "SELECT key, value FROM a WHERE value = 30"),
        (2, "INSERT INTO a VALUES (3, 30)"),
        (2, "commit"),
        (1, THIRDS),
        (1, "commit"),
    ],
    "PMP, of a writer": [
        (1, "UPDATE a SET value = value + 10"),
        (2, "DELETE FROM a WHERE value = 20"),
        (1, "commit"),
        (2, ALL),
        (2, "commit"),
    ],
    "P4, lost update": [
        (1, GET.format(1)),
        (2, GET.format(1)),
        (1, PUT.format(11, 1)),
        (2, PUT.format(11, 1)),
        (1, "commit"),
        (2, "commit"),
    ],
    "G-single, read skew": [
        (1, GET.format(1)),
        (2, PUT.format(12, 1)),
        (2, PUT.format(18, 2)),
        (2, "commit"),
        (1, GET.format(2)),
        (1, "commit"),
    ],
    "G-single, of a writer": [
        (1, GET.format(1)),
        (2, ALL),
        (2, PUT.format(12, 1)),
        (2, PUT.format(18, 2)),
        (2, "commit"),
        (1, "DELETE FROM a WHERE value = 20"),
        (1, "commit"),
    ],
    "G2-item, write skew": [
        (1, ALL),
        (2, ALL),
        (1, PUT.format(11, 1)),
        (2, PUT.format(21, 2)),
        (1, "commit"),
        (2, "commit"),
    ],
    "G2, anti-dependency cycle": [
        (1, THIRDS),
        (2, THIRDS),
        (1, "INSERT INTO a VALUES (3, 30)"),
        (2, "INSERT INTO a VALUES (4, 42)"),
        (1, "commit"),
        (2, "commit"),
    ],
    # EvalPlanQual: a row is judged again on its newest version.
    "EPQ, the row no longer matches": [
        (1, PUT.format(50, 1)),
        (2, "UPDATE a SET value = 0 WHERE value = 10"),
        (1, "commit"),
        (2, "commit"),
    ],
    "EPQ, a row that matches only now is missed": [
        (1, "UPDATE a SET value = 30 - value"),
        (2, "DELETE FROM a WHERE value = 10 RETURNING key"),
        (1, "commit"),
        (2, "commit"),
    ],
    "EPQ, an update chain": [
        (1, "UPDATE a SET value = value + 1 WHERE key = 1"),
        (2, "UPDATE a SET value = value * 2 WHERE key = 1"),
        (3, "UPDATE a SET value = value + 5 WHERE key = 1"),
        (1, "commit"),
        (2, "commit"),
        (3, "commit"),
    ],
    "EPQ, the other side of a join is as it was": [
        (1, "INSERT INTO b VALUES (1, 7)"),
        (1, "commit"),
        (1, "UPDATE a SET value = 11 WHERE key = 1"),
        (2, "UPDATE a SET value = a.value + b.value FROM b WHERE b.key = a.key"),
        (3, "UPDATE b SET value = 70"),
        (3, "commit"),
        (1, "commit"),
        (2, "commit"),
    ],
    "EPQ, a subquery is as it was": [
        (1, PUT.format(11, 1)),
        (2, "UPDATE a SET value = (SELECT sum(value) FROM a) WHERE key = 1"),
        (1, "commit"),
        (2, "commit"),
    ],
    "EPQ, the order is as it was": [
        (1, PUT.format(90, 1)),
        (2, "SELECT key, value FROM a ORDER BY value LIMIT 1 FOR UPDATE"),
        (1, "commit"),
        (2, "commit"),
    ],
    "EPQ, the key of the row changes": [
        (1, "UPDATE a SET key = 5 WHERE key = 1"),
        (2, "UPDATE a SET value = 0 WHERE key = 1"),
        (1, "commit"),
        (2, "commit"),
    ],
    "SKIP LOCKED passes over, and looks again": [
        (1, PUT.format(11, 1)),
        (2, "SELECT key FROM a ORDER BY key LIMIT 1 FOR UPDATE SKIP LOCKED"),
        (3, "SELECT key FROM a ORDER BY key FOR UPDATE SKIP LOCKED"),
        (1, "commit"),
        (2, "commit"),
        (3, "commit"),
    ],
    "NOWAIT fails": [
        (1, GET.format(1) + " FOR UPDATE"),
        (2, GET.format(1) + " FOR SHARE NOWAIT"),
        (2, "rollback"),
        (1, "commit"),
    ],
    # Strengths of locks.
    "share locks let each other be": [
        (1, GET.format(1) + " FOR SHARE"),
        (2, GET.format(1) + " FOR SHARE"),
        (3, PUT.format(0, 1)),
        (1, "commit"),
        (2, "commit"),
        (3, "commit"),
    ],
    "two upgrades of a share lock are a deadlock": [
        (1, GET.format(1) + " FOR SHARE"),
        (2, GET.format(1) + " FOR SHARE"),
        (1, PUT.format(11, 1)),
        (2, PUT.format(12, 1)),
        (1, "commit"),
        (2, "commit"),
    ],
    "a key share lock lets other columns change": [
        (1, GET.format(1) + " FOR KEY SHARE"),
        (2, PUT.format(11, 1)),
        (2, "commit"),
        (3, "DELETE FROM a WHERE key = 1"),
        (1, "commit"),
        (3, "commit"),
    ],
    # Deadlocks.
    "deadlock of two bulk updates": [
        (1, PUT.format(11, 2)),
        (2, "UPDATE a SET value = value + 1 WHERE key = 1"),
        (1, PUT.format(12, 1)),
        (2, PUT.format(22, 2)),
        (1, "commit"),
        (2, "commit"),
    ],
    "deadlock of three": [
        (1, PUT.format(11, 1)),
        (2, PUT.format(22, 2)),
        (3, "INSERT INTO a VALUES (3, 30)"),
        (1, PUT.format(12, 2)),
        (2, "INSERT INTO a VALUES (3, 31)"),
        (3, PUT.format(13, 1)),
        (1, "commit"),
        (2, "commit"),
        (3, "commit"),
    ],
    # Keys.
    "unique race, the first commits": [
        (1, "INSERT INTO d (key, u) VALUES (1, 7)"),
        (2, "INSERT INTO d (key, u) VALUES (2, 7)"),
        (1, "commit"),
        (2, "commit"),
    ],
    "unique race, the first rolls back": [
        (1, "INSERT INTO d (key, u) VALUES (1, 7)"),
        (2, "INSERT INTO d (key, u) VALUES (2, 7)"),
        (1, "rollback"),
        (2, "commit"),
    ],
    "two insert crosswise": [
        (1, "INSERT INTO d (key, u) VALUES (1, 7)"),
        (2, "INSERT INTO d (key, u) VALUES (2, 8)"),
        (1, "INSERT INTO d (key, u) VALUES (3, 8)"),
        (2, "INSERT INTO d (key, u) VALUES (4, 7)"),
        (1, "commit"),
        (2, "commit"),
    ],
    "ON CONFLICT DO NOTHING waits": [
        (1, "INSERT INTO a VALUES (7, 1)"),
        (2, "INSERT INTO a VALUES (7, 2) ON CONFLICT DO NOTHING"),
        (1, "commit"),
        (2, ALL),
        (2, "commit"),
    ],
    "ON CONFLICT DO UPDATE takes the newest row": [
        (2, ALL),
        (1, "INSERT INTO a VALUES (7, 1)"),
        (1, "commit"),
        (
            2,
            "INSERT INTO a VALUES (7, 2) ON CONFLICT (key) DO UPDATE"
            " SET value = a.value + excluded.value RETURNING value",
        ),
        (2, "commit"),
    ],
    "a parent that is deleted": [
        (1, "DELETE FROM a WHERE key = 1"),
        (2, "INSERT INTO c (a) VALUES (1)"),
        (1, "commit"),
        (2, "commit"),
    ],
    "a parent that has got a child": [
        (1, "INSERT INTO c (a) VALUES (1) RETURNING key"),
        (2, "DELETE FROM a WHERE key = 1"),
        (1, "commit"),
        (2, "SELECT key, a FROM c ORDER BY key"),
        (2, "commit"),
    ],
    "a parent that was had FOR UPDATE": [
        (1, ALL),
        (2, GET.format(1) + " FOR UPDATE"),
        (2, PUT.format(11, 1)),
        (1, "INSERT INTO c (a) VALUES (1)"),
        (2, "commit"),
        (1, "commit"),
    ],
    "a parent that must stay": [
        (1, "INSERT INTO b VALUES (1, 1)"),
        (1, "commit"),
        (1, "INSERT INTO d (key, b) VALUES (1, 1)"),
        (2, "DELETE FROM b WHERE key = 1"),
        (1, "commit"),
        (2, "commit"),
    ],
    # Savepoints, sequences, advisory locks.
    "a savepoint gives its locks back": [
        (1, "SAVEPOINT s"),
        (1, PUT.format(11, 1)),
        (2, PUT.format(12, 1)),
        (1, "ROLLBACK TO s"),
        (1, "commit"),
        (2, "commit"),
    ],
    "a failure inside a savepoint": [
        (1, PUT.format(11, 1)),
        (1, "SAVEPOINT s"),
        (1, "INSERT INTO a VALUES (2, 0)"),
        (1, "ROLLBACK TO s"),
        (1, ALL),
        (1, "commit"),
    ],
    "sequences are not rolled back": [
        (1, "INSERT INTO c (a) VALUES (1) RETURNING key"),
        (1, "rollback"),
        (2, "INSERT INTO c (a) VALUES (1) RETURNING key"),
        (2, "commit"),
    ],
    "an advisory lock of a transaction": [
        (1, "SELECT pg_advisory_xact_lock(1)"),
        (2, "SELECT pg_try_advisory_xact_lock(1)"),
        (2, "SELECT pg_advisory_xact_lock_shared(1)"),
        (1, "commit"),
        (2, "commit"),
    ],
    "one CTE, one snapshot": [
        (1, PUT.format(11, 1)),
        (
            2,
            "WITH x AS (UPDATE a SET value = 0 WHERE key = 1 RETURNING key)"
            " SELECT count(*), (SELECT max(value) FROM a) FROM x",
        ),
        (1, "commit"),
        (2, ALL),
        (2, "commit"),
    ],
}


def world(name, level):
    """A case as a world."""
    script = CASES[name]
    programs = tuple(
        tuple(
            SessionStep(kind=text)
            if text in ENDS
            else SessionStep(kind="sql", text=text)
            for session, text in script
            if session == number
        )
        for number in range(1, max(session for session, _ in script) + 1)
    )
    order = tuple(session - 1 for session, _ in script)
    return TableWorld(level=level, rows={"a": ROWS}, programs=programs, order=order)


def shown(result):
    """What was shown, as the record tells it."""
    lines = []
    for taken in result.steps:
        others = "".join(
            f"; {number + 1} goes on: {describe(one)}"
            for number, one in enumerate(taken.shown)
            if one is not None and number != taken.session
        )
        own = describe(taken.shown[taken.session])
        lines.append(f"    {taken.session + 1}: {taken.step}  ->  {own}{others}")
    ends = "; ".join(
        f"{name} ends as {describe(rows)}" for name, rows in result.rows.items() if rows
    )
    return [*lines, f"    {ends}"]


@pytest.fixture(scope="module")
def postgres(postgres_url):
    """Sessions on a real PostgreSQL."""
    sessions = open_sessions(postgres_url)
    yield sessions
    sessions.close()


@pytest.fixture(scope="module")
def record(pytestconfig):
    """What is shown in each case; written at the end if that is asked for."""
    found, lines = {}, []
    is_new = pytestconfig.getoption("--regenerate")
    for line in [] if is_new else RECORD.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            lines.append(line)
        elif line:
            name, _, levels = line.rpartition(": ")
            lines = []
            for level in levels.split("; "):
                found[name, level] = lines
    yield found
    if is_new:
        RECORD.write_text("\n".join(told(found)) + "\n", encoding="utf-8")


def told(found):
    """The record as text: levels that show the same together."""
    for name in CASES:
        groups = {}
        for level in LEVELS:
            if (name, level) in found:
                groups.setdefault("\n".join(found[name, level]), []).append(level)
        for text, levels in groups.items():
            yield f"{name}: {'; '.join(levels)}\n{text}"


@pytest.mark.postgres
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", CASES)
def test_model_and_postgresql_show_what_is_documented(
    postgres, record, name, level, pytestconfig
):
    """Model and server show the same, and what the record says."""
    for _ in range(3):  # a machine under load may decide a race differently
        result = run_both(world(name, level), postgres)
        if isinstance(result, Agreement):
            break
    assert isinstance(result, Agreement), str(result)
    if pytestconfig.getoption("--regenerate"):
        record[name, level] = shown(result)
    assert shown(result) == record[name, level]

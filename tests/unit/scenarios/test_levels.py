"""Which level a world needs: whole tables, kinds of tasks, and locks that would do."""

import json
from pathlib import Path

import psycopg
import pytest

import wavecheck as wc
from wavecheck.reports.cli import run_command
from wavecheck.scenarios.drivers.isolation import kind_of_task, may_lock
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.levels import LEVELS, levels_of
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.verdict import Outcome

MAILER = Path(__file__).parents[3] / "examples/psycopg_worker/world.py"
SCHEMA = "CREATE TABLE doctors (id int PRIMARY KEY, on_call bool NOT NULL)"
URL = "postgresql://db/hospital"


def leave(id):
    """Go off call if another is on call; begin again if somebody was faster."""
    while True:
        try:
            with psycopg.connect(URL) as conn:
                others = conn.execute(
                    "SELECT id FROM doctors WHERE on_call AND id <> %s", (id,)
                ).fetchall()
                if others:
                    conn.execute(
                        "UPDATE doctors SET on_call = false WHERE id = %s", (id,)
                    )
                return
        except psycopg.errors.SerializationFailure:
            continue


def read():
    """Look who is on call."""
    with psycopg.connect(URL) as conn:
        conn.execute("SELECT id FROM doctors WHERE on_call").fetchall()


@wc.world
def hospital(w):
    """Write skew, and a reader that has no part in it."""
    doctors = [{"id": n, "on_call": True} for n in range(2)]
    w.postgresql(SCHEMA, rows={"doctors": doctors})
    w.task("doctor-0", leave, 0)
    w.task("doctor-1", leave, 1)
    w.task("visitor", read)
    w.at_the_end(
        "nobody on call",
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM doctors WHERE on_call)",
    )


@wc.world
def without_database(w):
    """Nothing to ask about."""
    w.task("one", w.counter("n").add, "x")


def test_write_skew_needs_serializable_and_only_of_the_doctors():
    """Violated at two levels, proved at the third, which the visitor need not have."""
    found = levels_of(Subject.of(hospital), Effort())
    name = "nobody on call"
    told = [found.cell(level, name) for level in LEVELS]
    assert [one for one, _ in told] == [
        *(Outcome.VIOLATED, Outcome.VIOLATED, Outcome.PROVED),
    ]
    assert all(schedule for _, schedule in told[:2])
    assert found.cell("serializable", "no_error")[0] is Outcome.PROVED
    assert (found.stricter, found.stricter_level) == (("doctor",), "serializable")


def test_what_level_does_not_help_may_need_a_lock():
    """A mail is not rolled back: no level proves it; one query FOR UPDATE does."""
    found = levels_of(Subject.of(f"{MAILER}:mailer", "now"), Effort())
    told = [found.cell(level, "sent twice")[0] for level in LEVELS]
    assert Outcome.PROVED not in told
    assert found.stricter is None
    (query,) = found.locks
    assert query.startswith("SELECT id, recipient, body FROM outbox")


def test_levels_that_a_limit_ended_blame_no_code(capsys):
    """Nothing was violated and little was proved: the answer says just that."""
    status = run_command(["levels", f"{MAILER}", "-c", "fixed", "--budget", "0.1s"])
    shown = capsys.readouterr().out
    assert status == 0
    assert "and not everything proved" in shown
    assert "the code itself must change" not in shown


def test_the_command_shows_one_table(capsys, tmp_path):
    """Levels by properties, the advice, the schedule of each violation, and JSON."""
    target = tmp_path / "levels.json"
    status = run_command(["levels", f"{MAILER}", "-c", "fixed", "--json", f"{target}"])
    shown = capsys.readouterr().out
    assert status == 0
    assert "everything is proved at READ COMMITTED" in shown
    assert "REPEATABLE READ, no_error:" in shown  # it does not try again
    document = json.loads(target.read_text())
    assert {one["level"] for one in document["cells"]} == set(LEVELS)


def test_transactions_of_parts_that_name_no_level_are_judged(tmp_path, monkeypatch):
    """Two count, then insert: only SERIALIZABLE keeps the second one out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.py").write_text(
        "import wavecheck as wc\n"
        "async def go(w, n):\n"
        "    async with w.db.transaction() as tx:\n"
        "        if not await tx.runs.count():\n"
        "            await tx.runs.insert(n)\n"
        "@wc.world\n"
        "def it(w):\n"
        "    w.runs = w.table('runs', {'id': int})\n"
        "    w.db = w.transactions(w.runs)\n"
        "    w.expect(wc.SerializationError)\n"
        "    w.task('a', go, w, 1)\n"
        "    w.task('b', go, w, 2)\n"
        "    w.never('two run', lambda: len(w.runs.now) > 1)\n"
    )
    found = levels_of(Subject.of("it.py"), Effort())
    assert [found.cell(level, "two run")[0] for level in LEVELS] == [
        Outcome.VIOLATED,
        Outcome.VIOLATED,
        Outcome.PROVED,
    ]


def test_sqlite_has_no_such_levels(tmp_path, monkeypatch):
    """It was proved three times over, at levels that it does not have."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.py").write_text(
        "import wavecheck as wc\n"
        "@wc.world\n"
        "def it(w):\n"
        "    w.sqlite('CREATE TABLE t (n int)')\n"
        "    w.task('a', print)\n"
    )
    with pytest.raises(InvalidScenario, match="has no PostgreSQL database"):
        levels_of(Subject.of("it.py"), Effort())


def test_a_world_without_a_database_is_refused():
    """There is nothing to isolate."""
    with pytest.raises(InvalidScenario, match="has no PostgreSQL database"):
        levels_of(Subject.of(without_database), Effort())


@pytest.mark.parametrize(
    ("sql", "may"),
    [
        ("SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1", True),
        ("SELECT id FROM jobs FOR UPDATE", False),
        ("SELECT count(*) FROM jobs", False),
        ("SELECT DISTINCT id FROM jobs", False),
        ("SELECT 1 UNION SELECT id FROM jobs", False),
        ("SELECT 1", False),
        ("UPDATE jobs SET id = 1", False),
    ],
)
def test_which_queries_could_lock(sql, may):
    """Plain queries on tables could; those that PostgreSQL refuses could not."""
    assert may_lock(sql) is may


def test_tasks_are_of_a_kind_by_their_name():
    """Numbers at the end tell tasks of one kind apart."""
    assert [kind_of_task(one) for one in ("cron-1", "payment", "w2", "7")] == [
        *("cron", "payment", "w", "7"),
    ]

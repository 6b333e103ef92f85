"""Worlds of declared statements on real databases: the answers are the model's."""

from pathlib import Path

import pytest

import wavecheck as wc
from wavecheck.reports.cli import run_command
from wavecheck.scenarios.database.replay import replay_on_database
from wavecheck.scenarios.server.declared import DeclaredTwin

ALONE = """
import wavecheck as wc

async def take(w, n):
    await w.jobs.insert_or_ignore(7, "100% it's new", 1)
    for job in await w.jobs.select(status=wc.one_of("open", "100% it's new")):
        if await w.jobs.update(job.id, status=f"taken: {n}", tries=wc.plus(1)):
            await w.work(job.id)
    try:
        await w.jobs.insert(7, "again", 0)
    except wc.UniqueViolation:
        await w.jobs.delete({"tries": wc.at_least(2)})
    await w.jobs.find(0)
    await w.jobs.count(status=wc.differs("open"))

@wc.world(sizes={"workers": 2})
def jobs(w):
    columns = {"id": int, "status": "open", "tries": 0}
    w.jobs = w.table("jobs", columns, rows=range(2))
    w.work = w.calls("work")
    for n in range(w.workers):
        w.task(f"worker-{n}", take, w, n)
    w.once("a job is done once", w.work)
    w.at_the_end("never right", lambda: True)
"""

TRANSACTIONS = """
import wavecheck as wc

async def add(w, n):
    try:
        async with w.db.transaction(w.level) as tx:
            row = await tx.order.find("a%")
            await tx.order.update("a%", n=row.n + 1)
            await tx.order.insert(f"by {n}", 0)
    except wc.TransactionError:
        await w.failed(n)

@wc.world(sizes={"workers": 2}, parameters={"level": "read committed"})
def counts(w):
    w.order = w.table("order", {"user": str, "n": 0}, rows=["a%"])
    w.db, w.failed = w.transactions(w.order), w.calls("failed")
    for n in range(w.workers):
        w.task(f"worker-{n}", add, w, n)
    w.at_the_end("an addition is lost", lambda: w.order.now.get("a%").n == 1)
"""


@pytest.fixture
def schedules(tmp_path, monkeypatch):
    """Find violations of a world; one schedule for each property."""
    monkeypatch.chdir(tmp_path)

    def find(text, **settings):
        Path("world.py").write_text(text)
        found = wc.check("world.py", executions=60, settings=settings, shrinks=False)
        return list(found.schedules.values())

    return find


def test_sqlite_answers_as_the_model(schedules):
    """Conflicts, errors, conditions; and the rows at the end are the same."""
    for schedule in schedules(ALONE):
        shown = replay_on_database(schedule, "sqlite://")
        assert shown.disagreement is None
        assert shown.violations()


@pytest.mark.postgres
@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_postgresql_answers_as_the_model(level, schedules, postgres_url):
    """Who waits for whom, who fails, and what is lost, at each level."""
    found = schedules(TRANSACTIONS, level=level)
    assert found
    for schedule in found:
        shown = replay_on_database(schedule, postgres_url)
        assert shown.disagreement is None
        assert shown.overtaken or shown.violations()
    for schedule in schedules(ALONE):
        assert replay_on_database(schedule, postgres_url).disagreement is None


def test_another_answer_is_a_disagreement(schedules, monkeypatch):
    """A database that finds nothing to update is found out."""
    honest = DeclaredTwin._answer

    async def wrong(self, session, name, sql):
        answer = await honest(self, session, name, sql)
        return 0 if name == "jobs.update" else answer

    monkeypatch.setattr(DeclaredTwin, "_answer", wrong)
    shown = replay_on_database(schedules(ALONE)[0], "sqlite://")
    assert shown.disagreement is not None
    assert shown.disagreement.real == 0


def test_the_command_says_what_the_database_did(schedules, capsys):
    """As for the pipeline; a file that is there keeps what was in it."""
    Path("one.json").write_text(wc.schedule_text(schedules(ALONE)[0]))
    assert run_command(["replay", "one.json", "--db", "sqlite:///own.db"]) == 1
    assert "every answer of the database is the model's" in capsys.readouterr().out
    assert not Path("own.db").exists()


MODELS = Path(__file__).parents[1] / "unit/scenarios/worlds/models"


def test_a_run_leaves_its_rows(command, query, tmp_path):
    """`run --db` compares every answer and leaves the tables; twice needs --replace."""
    orders = Path(__file__).parents[2] / "examples/worlds/orders.py"
    url = f"sqlite:///{tmp_path}/rows.db"
    words = ("run", orders, "-c", "guarded", "--db", url)
    status, out, _ = command(*words)
    assert status == 0
    assert "every answer is the model's" in out
    [rows] = query(url, "SELECT count(*) FROM shipments")
    assert rows[0][0] > 0
    status, _, errors = command(*words)
    assert (status, "already" in errors) == (2, True)
    assert command(*words, "--replace")[0] == 0


@pytest.mark.postgres
def test_a_run_has_the_servers_serialization_failures(command, query, postgres_url):
    """A commit that fails in the model fails on the server; `tx.do` has no SQL."""
    model = MODELS / "spring_batch_5397.py"
    words = ("run", model, "-c", "fixed", "--db", postgres_url, "--replace")
    status, out, errors = command(*words)
    assert "every answer is the model's" in out, errors
    query(postgres_url, "DROP TABLE executions")
    status, _, errors = command("run", MODELS / "kamu_1398.py", "--db", postgres_url)
    assert (status, "push changes messages by Python" in errors) == (2, True)

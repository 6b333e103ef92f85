"""Faults planted in declared statements: what a canary weakens, and what it catches."""

from pathlib import Path

import pytest

from wavecheck.reports.cli import run_command
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.canary import Fate, canary

WORLD = """
import wavecheck as wc

async def take(w, n):
    free = await w.jobs.select(status="open")
    for job in free:
        if await w.jobs.update({"id": job.id, "status": "open"}, status="taken"):
            await w.work(job.id)

async def lock(w, n):
    async with w.db.transaction() as tx:
        for job in await tx.jobs.select_for_update(status="open", limit=1):
            await tx.jobs.update(job.id, status="taken")
            await w.work(job.id)

async def sign(w, n):
    try:
        await w.names.insert(n, "same")
    except wc.UniqueViolation:
        return
    await w.work("same")

@wc.world(code={"guarded": take, "locked": lock, "signed": sign})
def jobs(w):
    w.jobs = w.table("jobs", {"id": int, "status": "open"}, rows=range(2))
    w.names = w.table("names", {"id": int, "name": ""}, unique={"one_name": "name"})
    w.work = w.calls("work")
    if w.code is lock:
        w.db = w.transactions(w.jobs)
    for n in range(2):
        w.task(f"worker-{n}", w.code, w, n)
    w.once("done once", w.work)
    w.at_the_end("two at once", lambda: len(w.jobs.now.select(status="taken")) > 2)

@wc.world
def idle(w):
    w.work = w.calls("work")
    w.task("worker", w.work, 1)
    w.once("done once", w.work)
"""

DROPPED = {
    "guarded": {"update jobs without its condition on status"},
    "locked": {"jobs read without FOR UPDATE", "one row more of jobs than its LIMIT"},
    "signed": {"names without its unique index one_name"},
}


@pytest.fixture(autouse=True)
def _file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("jobs.py").write_text(WORLD)


@pytest.mark.parametrize("code", DROPPED)
def test_what_is_dropped_from_declared_statements_is_found(code):
    """A guard, a lock, an index: without it the search finds a job done twice."""
    result = canary(Subject.of("jobs.py:jobs", code), Effort(executions=100))
    assert not result.base.has_violation()
    named = {one.mutant.name for one in result.mutants}
    assert DROPPED[code] <= named
    caught = {one.mutant.name for one in result.with_fate(Fate.CAUGHT)}
    survives = {"one row more of jobs than its LIMIT"}  # two jobs in one transaction
    assert DROPPED[code] - survives <= caught


def test_a_canary_leaves_the_world_as_it_was():
    """What is planted is in worlds of the canary's own."""
    subject = Subject.of("jobs.py:jobs", "guarded")
    first = canary(subject, Effort(executions=60))
    second = canary(subject, Effort(executions=60))
    assert [(m.mutant.name, m.fate) for m in first.mutants] == [
        (m.mutant.name, m.fate) for m in second.mutants
    ]


def test_a_world_without_such_statements_is_refused(capsys):
    """It says which statements could be weakened."""
    assert run_command(["check", "jobs.py:idle", "--canary"]) == 2
    assert "guarded updates, FOR UPDATE or unique indexes" in capsys.readouterr().err

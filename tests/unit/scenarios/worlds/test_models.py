"""Models of public faults, each in one file with no helper, and their verdicts."""

import pytest

import wavecheck as wc
from wavecheck.sim.verdict import Outcome

PG_BOSS_777 = """
import wavecheck as wc

def unblock_where_all_done(db, name):
    for dep in db.deps.select(parent=name):
        child = db.jobs.get(dep.child)
        parents = [db.jobs.get(one.parent) for one in db.deps.select(child=dep.child)]
        if child.blocked and all(one.state == "completed" for one in parents):
            db.jobs.update(dep.child, blocked=False)

def count_down(db, name):
    for dep in db.deps.select(parent=name):
        db.jobs.lock(dep.child)
        left = max(db.jobs.get(dep.child).pending - 1, 0)
        db.jobs.update(dep.child, pending=left, blocked=left > 0)

async def original(w, name):
    async with w.db.transaction() as tx:
        if await tx.jobs.update({"name": name, "state": "active"}, state="completed"):
            await tx.do(unblock_where_all_done, name)

async def fixed(w, name):
    async with w.db.transaction() as tx:
        if await tx.jobs.update({"name": name, "state": "active"}, state="completed"):
            await tx.do(count_down, name)

@wc.world(sizes={"parents": 2}, code={"original": original, "fixed": fixed})
def jobs(w):
    parents = [f"parent-{n}" for n in range(w.parents)]
    columns = {"name": str, "state": "active", "blocked": False, "pending": 0}
    child = {"name": "child", "state": "created", "blocked": True, "pending": w.parents}
    w.jobs = w.table("jobs", columns, rows=[child, *parents])
    w.deps = w.table(
        "deps", {"child": str, "parent": str}, key=("child", "parent"),
        rows=[{"child": "child", "parent": one} for one in parents])
    w.db = w.transactions(w.jobs, w.deps)
    for one in parents:
        w.task(f"worker of {one}", w.code, w, one)
    w.at_the_end("child_is_unblocked", lambda: w.jobs.now.get("child").blocked)
"""

DBOS_541 = """
import wavecheck as wc

async def original(w, who):
    names = [one.name for one in await w.flows.select(status="enqueued")]
    async with w.db.transaction("deferred") as tx:
        for name in names:
            await tx.flows.update(name, status="pending")
    return names

async def deferred(w, who, level="deferred"):
    async with w.db.transaction(level) as tx:
        names = [one.name for one in await tx.flows.select(status="enqueued")]
        for name in names:
            await tx.flows.update(name, status="pending")
    return names

async def immediate(w, who):
    return await deferred(w, who, "immediate")

async def skip_locked(w, who):
    async with w.db.transaction("repeatable read") as tx:
        rows = await tx.flows.select_for_update(status="enqueued", skip_locked=True)
        for one in rows:
            await tx.flows.update(one.name, status="pending")
    return [one.name for one in rows]

async def runner(w, who):
    try:
        names = await w.code(w, who)
    except wc.TransactionError:
        return
    for name in names:
        await w.run(name)

@wc.world(sizes={"runners": 2}, code={
    "original": original, "deferred": deferred, "immediate": immediate,
    "skip-locked": skip_locked})
def flows(w):
    w.flows = w.table("flows", {"name": str, "status": "enqueued"}, rows=["wf"])
    w.db = w.transactions(w.flows)
    w.run = w.calls("run")
    for n in range(w.runners):
        w.task(f"runner-{n}", runner, w, n)
    w.once("no_workflow_runs_twice", w.run)
"""


@pytest.fixture
def proved(tmp_path, monkeypatch):
    """Prove one code of a world; (names of what is violated, states)."""
    monkeypatch.chdir(tmp_path)

    def prove(text, code):
        (tmp_path / "model.py").write_text(text)
        result = wc.prove("model.py", code)
        wrong = {
            one.property_name
            for one in result.verdicts
            if one.outcome is Outcome.VIOLATED
        }
        assert result.explored.exploration.is_complete
        return wrong, result

    return prove


def test_pg_boss_777(proved):
    """Two parents end in overlapping transactions and strand the child, in 8 steps."""
    wrong, result = proved(PG_BOSS_777, "original")
    assert wrong == {"child_is_unblocked"}
    assert len(result.schedules["child_is_unblocked"].steps) == 8
    wrong, result = proved(PG_BOSS_777, "fixed")
    assert (wrong, result.explored.exploration.states) == (set(), 46)


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("original", {"no_workflow_runs_twice"}),
        ("deferred", set()),
        ("immediate", set()),
        ("skip-locked", set()),
    ],
)
def test_dbos_541(code, wrong, proved):
    """SQLite begins with the first write, so the SELECT is not part of it."""
    assert proved(DBOS_541, code)[0] == wrong


ALONE = """
import wavecheck as wc

async def slow(w):
    async with w.db.transaction() as tx:
        row = await tx.rows.find("a")
        await tx.rows.update("a", n=row.n + 1)

async def alone(w):
    await w.rows.update("a", n=wc.plus(1))

def blocking(w):
    w.rows.update("a", n=wc.plus(1))

@wc.world(code={"alone": alone, "blocking": blocking})
def sums(w):
    w.rows = w.table("rows", {"id": str, "n": 0}, rows=["a"])
    w.db = w.transactions(w.rows)
    w.task("slow", slow, w)
    w.task("other", w.code, w)
    w.at_the_end("an update is lost", lambda: w.rows.now.get("a").n != 2)
"""


def test_a_statement_outside_of_transactions_waits_for_them(proved):
    """It adds to what was committed; what read before it loses its update."""
    wrong, result = proved(ALONE, "alone")
    assert wrong == {"an update is lost"}
    steps = [one.operation for one in result.schedules["an update is lost"].steps]
    assert steps.count("rows.update") == 2


def test_blocking_code_in_a_world_is_searched(tmp_path, monkeypatch):
    """An ordinary function, statement by statement, with the same verdict."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(ALONE)
    result = wc.check("model.py", "blocking", executions=200)
    assert result.verdicts[0].outcome is Outcome.VIOLATED

"""Faults for every world: processes that die, statements that fail, messages."""

import pytest

import wavecheck as wc
from wavecheck.sim.verdict import Outcome

TEXT = """
import wavecheck as wc

async def work(w, n):
    job = await w.inbox.take()
    token = await w.lease.grant(job, n)
    if token is None:
        return
    if w.careful and not await w.lease.is_live(job, token):
        return
    await w.done(job)
    await w.lease.give_back(job, token)

async def retries(w, n):
    try:
        await work(w, n)
    except wc.InjectedFailure:
        await w.inbox.put("a")
        await work(w, n)

@wc.world(sizes={"jobs": 1}, parameters={"careful": False},
          code={"once": work, "retries": retries})
def jobs(w):
    w.inbox, w.lease = w.queue("inbox", ["a"]), w.lease("lease")
    w.done = w.calls("done")
    w.task("worker", w.code, w, 0, restarts=True)
    w.task("rescuer", rescue, w, is_daemon=True)
    w.once("done once", w.done)
    w.at_the_end("done", lambda: not w.done.now.get("a"))

async def rescue(w):
    await w.lost()
    await w.inbox.put("a")
"""
RESCUED = TEXT.replace(
    '    w.task("rescuer"',
    '    w.lost = w.statement("lost", when=lambda: (not len(w.inbox.now)'
    ' and not w.lease.now.live_keys() and not w.done.now.get("a")))\n'
    '    w.task("rescuer"',
)


@pytest.fixture
def verdicts(tmp_path, monkeypatch):
    """Prove the world under a plan of faults; outcomes by property."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faulty.py").write_text(RESCUED)

    def prove(code="once", **faults):
        result = wc.prove("faulty.py", code, faults=faults)
        return {one.property_name: one.outcome for one in result.verdicts}

    return prove


def test_without_faults_it_is_done_once(verdicts):
    """The rescuer's own race aside, nothing is lost."""
    assert verdicts()["done"] is Outcome.PROVED


@pytest.mark.parametrize("kind", ["crash", "fail"])
def test_a_process_that_dies_after_its_take_leaves_a_lease(kind, verdicts):
    """What held the lease never gives it back, so nobody may rescue."""
    assert verdicts(**{kind: 1})["done"] is Outcome.VIOLATED


def test_a_failure_can_be_caught(verdicts):
    """Code that retries after an injected failure sees it as an exception."""
    assert verdicts("retries")["done"] is Outcome.PROVED


def test_a_message_that_comes_twice_meets_no_second_worker(verdicts):
    """The only worker takes one of the two."""
    assert verdicts(duplicate=1)["done once"] is Outcome.PROVED


def test_a_message_that_is_lost_before_it_is_taken_is_rescued(verdicts):
    """The rescuer sees that nobody has it, and sends it once more."""
    assert verdicts(lose=1)["done"] is Outcome.PROVED


def test_a_kind_that_nothing_could_be_hit_by_is_refused(verdicts):
    """There is no cache in this world."""
    with pytest.raises(wc.InvalidScenario, match="'evict'"):
        verdicts(evict=1)

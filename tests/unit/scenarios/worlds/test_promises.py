"""Recoverable, and leads to: in search, in proof, against a graph asked by hand."""

import random
from pathlib import Path

import networkx as nx
import pytest

import wavecheck as wc
from wavecheck.reports.cli import run_command
from wavecheck.sim.verdict import Outcome

GRAPH = """
import wavecheck as wc

MOVES = {moves!r}

@wc.world
def walk(w):
    w.at = w.counter("at")

    @w.statement
    def go():
        after = MOVES[w.at.now.get()]
        if not after:
            return False
        w.at.now.set(after[w.choose(len(after))])
        return True

    async def walker():
        while True:
            if not await go():
                return

    w.task("walker", walker)
    w.recoverable("good", lambda: w.at.now.get() not in {good!r})
    w.leads_to("follows",
        lambda: w.at.now.get() in {begins!r}, lambda: w.at.now.get() in {then!r})
"""


def expected(moves, good, begins, then):
    """The two verdicts, from the graph itself."""
    graph = nx.DiGraph()
    graph.add_nodes_from(moves)
    graph.add_edges_from((one, two) for one in moves for two in moves[one])
    seen = nx.descendants(graph, 0) | {0}
    lost = any(not ({one, *nx.descendants(graph, one)} & good) for one in seen)
    unmet = graph.subgraph(seen - then)
    broken = False
    for one in begins & set(unmet):
        inside = {one, *nx.descendants(unmet, one)}
        broken |= any(not moves[two] for two in inside)
        broken |= not nx.is_directed_acyclic_graph(unmet.subgraph(inside))
    if broken:
        follows = Outcome.VIOLATED
    else:
        follows = Outcome.PROVED if begins & seen else Outcome.NOT_TESTED
    return [Outcome.VIOLATED if lost else Outcome.PROVED, follows]


@pytest.mark.parametrize("seed", range(16))
def test_random_graphs_are_judged_as_by_hand(seed, tmp_path, monkeypatch):
    """Sinks, cycles, begins at the start: the proof is right, the search agrees."""
    monkeypatch.chdir(tmp_path)
    drawn = random.Random(seed)
    count = drawn.randint(2, 6)
    moves = {
        one: sorted({drawn.randrange(count) for _ in range(drawn.randint(0, 2))})
        for one in range(count)
    }
    sets = [
        {one for one in range(count) if drawn.random() < odds}
        for odds in (0.4, 0.4, 0.4)
    ]
    listed = dict(zip(("good", "begins", "then"), map(sorted, sets), strict=True))
    Path("walk.py").write_text(GRAPH.format(moves=moves, **listed))
    proof = wc.prove("walk.py")
    said = [one.outcome for one in proof.verdicts]
    assert said == expected(moves, *sets), (moves, sets)
    found = wc.check("walk.py", executions=30)
    for proved, searched in zip(said, found.verdicts, strict=True):
        if searched.outcome is Outcome.VIOLATED:
            assert proved is Outcome.VIOLATED


JOBS = """
import wavecheck as wc

async def forgets(w):
    job = await w.queue.take()
    await w.jobs.update(job, status="running")
    if not await w.lucky():
        return
    await w.jobs.update(job, status="done")

async def repeats(w):
    job = await w.queue.take()
    await w.jobs.update(job, status="running")
    while not await w.lucky():
        pass
    await w.jobs.update(job, status="done")

async def finishes(w):
    job = await w.queue.take()
    await w.jobs.update(job, status="running")
    await w.jobs.update(job, status="done")

@wc.world(sizes={"workers": 2},
    code={"forgets": forgets, "repeats": repeats, "finishes": finishes})
def jobs(w):
    "Workers take jobs."
    w.jobs = w.table("jobs", {"id": int, "status": "open"}, rows=range(w.workers))
    w.queue = w.queue("queue", range(w.workers))
    w.lucky = w.statement(lambda: w.choose(2) == 1)
    for n in range(w.workers):
        w.task(f"worker-{n}", w.code, w)
    w.leads_to("what runs is done",
        lambda: w.jobs.now.count(status="running"),
        lambda: not w.jobs.now.count(status="running"))
    w.recoverable("all can be done", lambda: w.jobs.now.select(status="running"))
    w.leads_to("nothing", lambda: w.jobs.now.count(status="lost"), lambda: False)
"""


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """A world of jobs in a file of its own."""
    monkeypatch.chdir(tmp_path)
    Path("jobs.py").write_text(JOBS)
    return "jobs.py"


def outcomes(result):
    return [one.outcome.value for one in result.verdicts]


def test_an_execution_that_ends_open_is_a_schedule_that_replays(jobs):
    """In search and proof; nothing is said of what never began."""
    found = wc.check(jobs, "forgets", executions=100)
    assert outcomes(found) == ["violated", "violated", "not tested"]
    proof = wc.prove(jobs, "forgets")
    assert outcomes(proof) == ["violated", "violated", "not tested"]
    for result in (found, proof):
        for schedule in result.schedules.values():
            assert wc.replay(schedule).violations
            assert wc.explain(schedule).violation.message
    assert len(proof.schedules["what runs is done"].steps) <= 6


def test_a_fair_loop_breaks_what_must_follow_and_nothing_that_can_be_put_right(jobs):
    """The loop is told with its way there; luck may still come."""
    proof = wc.prove(jobs, "repeats")
    assert outcomes(proof) == ["violated", "proved", "not tested"]
    lasso = proof.explored.lassos["what runs is done"]
    assert [name for name, _ in lasso.stem]
    assert {name for name, _ in lasso.loop} <= {"worker-0", "worker-1"}
    assert not wc.check(jobs, "repeats", executions=50).has_violation()


def test_what_is_kept_is_proved(jobs, capsys):
    """And the command says so."""
    assert outcomes(wc.prove(jobs, "finishes")) == ["proved", "proved", "not tested"]
    assert run_command(["prove", jobs, "-c", "finishes"]) == 0
    assert run_command(["prove", jobs, "-c", "repeats"]) == 1
    assert "for ever, in a fair loop" in capsys.readouterr().out


def test_where_the_graph_is_not_asked_nothing_is_proved(jobs, monkeypatch):
    """A graph that is too large leaves both undecided."""
    from wavecheck.scenarios.verdicts import proving

    monkeypatch.setattr(proving, "GRAPH_TRANSITIONS_MAX", 1)
    assert outcomes(wc.prove(jobs, "repeats")) == ["not found"] * 3
    assert outcomes(wc.prove(jobs, "finishes")) == ["not found"] * 3


def test_sampling_from_tables_leaves_it_to_the_kernel(jobs):
    """What is judged along a whole execution is not sampled state by state."""
    found = wc.check(jobs, "forgets", strategy="random", executions=6_100)
    assert outcomes(found)[0] == "violated"
    assert "judged along a whole execution" in found.searched.note

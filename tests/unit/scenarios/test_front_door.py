"""The names that users import, and that each answers by name and in plain values."""

import inspect
import json
from dataclasses import replace

import networkx as nx
import pytest

import wavecheck as wc
from wavecheck import find_scenario
from wavecheck.coordinator import Claiming
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts import proving
from wavecheck.scenarios.verdicts.proving import PROOF
from wavecheck.sim.errors import CoordinatorError, InvalidScenario

NAMES = [
    "SCENARIOS",
    "CheckResult",
    "Comparison",
    "CoordinatorError",
    "Explanation",
    "InvalidScenario",
    "NondeterminismError",
    "Outcome",
    "ReplayMismatch",
    "Replayed",
    "Scenario",
    "Schedule",
    "Sweep",
    "TimedRun",
    "Verdict",
    "WavecheckError",
    "check",
    "compare",
    "explain",
    "find_scenario",
    "happens_before",
    "load_coordinator",
    "prove",
    "read_schedule",
    "replay",
    "run",
    "schedule_text",
    "state_graph",
    "sweep",
]
SMALL = {"parents": 2, "workers": 2}
DOUBLE = ["no_double_dispatch"]


@pytest.fixture(scope="module")
def checked():
    """A search that finds a double dispatch."""
    return wc.check("wd", "progressive", executions=200, properties=DOUBLE)


@pytest.fixture(scope="module")
def schedule(checked):
    """The counterexample of that search."""
    return checked.schedules["no_double_dispatch"]


def is_flat(records):
    """Whether every row has the same columns, and every cell is a plain value."""
    columns = [list(row) for row in records]
    cells = [cell for row in records for cell in row.values()]
    return all(one == columns[0] for one in columns) and all(
        cell is None or isinstance(cell, str | int | float) for cell in cells
    )


def test_these_names_are_public():
    """Who takes one of these away breaks users; each is listed once."""
    assert set(NAMES) <= set(wc.__all__)
    assert len(set(wc.__all__)) == len(wc.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_documented(name):
    """Functions and classes say what they are; functions name their errors."""
    value = getattr(wc, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


@pytest.mark.parametrize("where", ["import-job", find_scenario("import-job")])
@pytest.mark.parametrize("rule", ["claiming", Claiming])
def test_a_scenario_and_a_coordinator_by_name_or_as_they_are(where, rule):
    """All four forms ask the same."""
    result = wc.check(where, rule, executions=5, settings=SMALL)
    assert result.subject.scenario is find_scenario("import-job")
    assert [verdict.executions_count for verdict in result.verdicts] == [5] * 6


def test_a_coordinator_of_another_scenario_is_refused():
    """A rule of the pipeline does not fit the reference model, and it is said why."""
    with pytest.raises(CoordinatorError, match="no method 'dispatch'"):
        wc.check("wd", Claiming, executions=1)


def test_settings_are_values_or_text():
    """7 and "7" are the same setting; so are True and "true"."""
    values = {"parents": 7, "threshold": 0.5, "parents_call": False}
    texts = {"parents": "7", "threshold": "0.5", "parents_call": "false"}
    scenario = find_scenario("import-job")
    assert scenario.settings(values) == scenario.settings(texts)


def test_bad_names_are_refused_with_the_nearest():
    """A typing error in a scenario or a setting raises, and names what was meant."""
    with pytest.raises(InvalidScenario, match="did you mean 'import-job'"):
        wc.run("import-jb", "claiming")
    with pytest.raises(InvalidScenario, match="did you mean 'parents'"):
        wc.compare("import-job", settings={"parent": 3})
    with pytest.raises(InvalidScenario, match="greater than or equal to 1"):
        wc.prove("import-job", "claiming", settings={"parents": 0})


def test_one_run_and_a_comparison_agree():
    """`run` is the comparison of one; a class goes by its module."""
    one = wc.run("import-job", Claiming, settings=SMALL)
    two = wc.compare("import-job", ["stalling", Claiming], settings=SMALL)
    assert one.to_record() == two.runs[1].to_record()
    assert one.batches == two.runs[1].batches
    assert one.coordinator_name == "wavecheck.coordinator.claiming:Claiming"


def test_tables_of_timed_runs_are_flat():
    """Comparison, batches, calls and alerts: a row each, plain cells."""
    found = wc.compare("incident", ["stalling", "progressive"])
    stalling = found.runs[0]
    rows = found.to_records()
    assert [row["coordinator"] for row in rows] == ["stalling", "progressive"]
    assert rows[0]["pending_batches"] == 35
    assert rows[0]["no_stranded_batch"] == "violated"
    assert len(stalling.batch_records()) == 45
    assert len(stalling.call_records()) == 348
    assert [row["is_right"] for row in stalling.alert_records()] == [True] * 3
    tables = (
        rows,
        stalling.batch_records(),
        stalling.call_records(),
        stalling.alert_records(),
    )
    assert all(map(is_flat, tables))


def test_tables_of_a_search_and_of_a_trace_are_flat(checked, schedule):
    """Verdicts have their evidence; a trace has one row for each step."""
    (row,) = checked.to_records()
    assert row["outcome"] == "violated"
    assert row["steps"] == len(schedule.steps)
    told, replayed = wc.explain(schedule), wc.replay(schedule)
    assert told.to_records() == replayed.to_records()
    assert [one["step"] for one in told.to_records()] == list(
        range(1, row["steps"] + 1)
    )
    assert json.loads(told.to_records()[0]["args"]) == schedule.steps[0].args
    assert is_flat(checked.to_records())
    assert is_flat(told.to_records())


def test_tables_of_proofs_are_flat():
    """A sweep has a row for each size and property, with exact counts."""
    grown = wc.sweep("wd", "progressive", seconds=30)
    assert grown.has_violation()
    rows = grown.to_records()
    assert is_flat(rows)
    assert len(rows) == sum(len(one.verdicts) for one in grown.proofs)
    assert rows[0]["states"] > 0
    proved = wc.prove("wd", "claiming")
    assert {row["outcome"] for row in proved.to_records()} == {"proved"}


def test_the_order_of_a_schedule_and_the_graph_of_its_world(schedule):
    """Happens-before has a node for each step; the state graph has the exact counts."""
    assert len(wc.happens_before(schedule)) == len(schedule.steps)
    graph = wc.state_graph("wd", "progressive")
    whole = replace(PROOF, reduces=False)
    proof = proving.prove(Subject.of("wd", "progressive"), whole)
    assert graph.number_of_nodes() == proof.explored.exploration.states
    assert graph.number_of_edges() == proof.explored.exploration.transitions
    assert graph.nodes[0]["level"] == 0
    assert nx.is_directed_acyclic_graph(nx.DiGraph(graph))
    assert all(nx.has_path(graph, 0, node) for node in list(graph)[:50])
    steps = {(data["task"], data["operation"]) for *_, data in graph.edges(data=True)}
    assert ("listener-0", "create") in steps
    broken = {name for *_, data in graph.edges(data=True) for name in data["violates"]}
    assert "no_double_dispatch" in broken


def test_a_graph_that_is_too_large_to_look_at_is_refused():
    """More states than asked for: the limit, and what to do."""
    with pytest.raises(InvalidScenario, match="at most 10"):
        wc.state_graph("wd", "progressive", states_max=10)

"""Happens-before: program order, conflicts on rows, and nothing else."""

from itertools import pairwise

import networkx as nx
import pytest

from wavecheck import find_scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.search.happens_before import happens_before
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import Entry, RecordedChoices, Script
from wavecheck.sim.search.schedule import passes


def graph_of(names):
    """Run `wd` with progressive in the order of task names; return its graph."""
    subject = Subject.of(find_scenario("wd"), "progressive")
    world = subject.world()
    script = Script(world.kernel, [Entry(name) for name in names])
    world.kernel.on_step = script.note
    assert not passes(world, script, "no_double_dispatch")
    world.kernel.on_step = None
    choices = tuple(world.kernel.choices)
    schedule = subject.record(RecordedChoices(choices), "no_double_dispatch")
    return happens_before(subject.world(), schedule)


DOUBLE = ["listener-0"] * 4 + ["listener-1"] * 4 + ["listener-0", "listener-1"]


def test_the_steps_of_a_task_are_ordered():
    """Each step of a task comes before the next one of the same task."""
    graph = nx.transitive_closure(graph_of(DOUBLE))
    for task in ("listener-0", "listener-1"):
        steps = [n for n, data in graph.nodes(data=True) if data["task"] == task]
        assert all(graph.has_edge(one, two) for one, two in pairwise(steps))


def test_a_read_comes_before_the_change_it_did_not_see():
    """Selecting the pending batches (4) comes before batch 1 is created (5)."""
    assert graph_of(DOUBLE).edges[4, 5]["why"] == "batches 1"


def test_the_two_sends_of_one_batch_are_ordered():
    """The second send of batch 0 comes after the first, and the row is named."""
    graph = graph_of(DOUBLE)
    assert graph.edges[9, 10]["why"] == "batches 0"


def test_steps_that_do_not_meet_are_not_ordered():
    """Two listeners create different batches: neither comes before the other."""
    tasks = [
        *("listener-1", *["listener-0"] * 4, *["listener-1"] * 3),
        *("listener-0", "listener-1"),
    ]
    closure = nx.transitive_closure(graph_of(tasks))
    assert not closure.has_edge(1, 2)
    assert closure.has_edge(1, 5), "selecting the pending batches sees batch 1"


@pytest.mark.parametrize("step", range(1, 11))
def test_every_step_is_a_node_with_its_statement(step):
    """Nodes carry task and operation; the graph has no cycle."""
    graph = graph_of(DOUBLE)
    assert {"task", "operation"} <= graph.nodes[step].keys()
    assert nx.is_directed_acyclic_graph(graph)


def test_who_asks_for_a_queue_s_length_conflicts_with_its_items():
    """Counting the accumulated ids comes after the step that put the last one there."""
    subject = Subject.of(find_scenario("import-job"), "progressive")
    schedule = subject.record(RandomWalk(1))
    graph = happens_before(subject.world(), schedule)
    operations = nx.get_node_attributes(graph, "operation")
    counted = [n for n, name in operations.items() if name == "count_accumulated"]
    assert counted
    put = [n for n, name in operations.items() if name == "accumulate_parents"]
    closure = nx.transitive_closure(graph)
    assert all(closure.has_edge(min(put), step) for step in counted)

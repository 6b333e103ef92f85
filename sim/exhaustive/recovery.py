"""Recoverability: from every reachable state, can some continuation still end well?

Knows the graph. In the words of temporal logic AG EF good, where *good* is a final
state that does not violate the property. A state from which no continuation is good is
past the *point of no return*: whatever the schedule does from there, it is lost.

Theory of operation: backward reachability from the good final states, over the edges
sorted by target; whatever is not reached is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavecheck.sim.errors import HarnessBug
from wavecheck.sim.exhaustive.counterexample import named, path_to
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.graph import Graph
from wavecheck.sim.exhaustive.symmetry import position

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Whether a property can always still be met at the end.

    Attributes:
        property_name: which property.
        lost: states from which no continuation ends well.
        states: all of them.
        point_of_no_return: steps of a shortest execution whose last step loses; None
            if nothing is ever lost.
    """

    property_name: str
    lost: int
    states: int
    point_of_no_return: tuple[tuple[str, tuple[int, ...]], ...] | None


def can_end_well(graph: Graph, property_index: int) -> Array:
    """Return for each state whether some continuation ends without a violation."""
    is_bad_edge = graph.violated >> np.uint32(property_index) & 1
    is_good = graph.is_final & (
        graph.ends_violated >> np.uint32(property_index) & 1 == 0
    )
    return reaching(graph, is_good, np.flatnonzero(is_bad_edge == 0))


def reaching(graph: Graph, is_good: Array, usable: Array) -> Array:
    """Return for each state whether a good one can be reached.

    Args:
        graph: all states.
        is_good: which states are good.
        usable: numbers of the edges that may be taken.
    """
    is_good = is_good.copy()
    targets, sources = graph.targets[usable], graph.sources()[usable]
    order = np.argsort(targets, kind="stable")
    sources = sources[order]
    starts = np.searchsorted(targets[order], np.arange(graph.states_count + 1))
    group = np.flatnonzero(is_good)
    while len(group):
        counts = starts[group + 1] - starts[group]
        offsets = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        before = sources[np.repeat(starts[group], counts) + offsets]
        group = np.unique(before[~is_good[before]])
        is_good[group] = True
    return np.asarray(is_good)


def recovery(search: Search, graph: Graph, property_index: int) -> Recovery:
    """Judge AG EF of one property, and find where it is lost first.

    Args:
        search: that visited every reachable state.
        graph: of that search.
        property_index: of the property.
    """
    is_good = can_end_well(graph, property_index)
    lost = np.flatnonzero(~is_good)
    learner = search.learner
    path = None
    if len(lost):
        level = int(graph.levels[lost].min())
        number = int(lost[graph.levels[lost] == level][0])
        state = graph.state(number)
        path = tuple(named(learner, path_to(search, level, state)))
    return Recovery(
        property_name=learner.properties[property_index].name,
        lost=len(lost),
        states=graph.states_count,
        point_of_no_return=path,
    )


def first_lost(
    search: Search,
    graph: Graph,
    property_index: int,
    steps: Sequence[tuple[str, tuple[int, ...]]],
) -> int | None:
    """Return the number of the first step of an execution after which it is lost.

    Args:
        search: that visited every reachable state.
        graph: of that search.
        property_index: of the property.
        steps: (task name, answers to the choices inside the step), to the violation.

    Returns:
        Counted from 1; None if it is lost before the first step.
    """
    is_good = can_end_well(graph, property_index)
    number = graph.initial
    if not is_good[number]:
        return None
    system, healing = search.system, search.learner.healing
    tasks = {task.name: index for index, task in enumerate(search.learner.tasks)}
    state = system.initial()
    for count, (name, choices) in enumerate(steps, start=1):
        first = graph.starts[number]
        while first < graph.starts[number + 1] and graph.tasks[first] == healing:
            state = system.step(state, int(graph.tasks[first]), ())
            number = int(graph.targets[first])
            first = graph.starts[number]
        task, standing = tasks[name], system.standing_for(state)
        place = position(system.layout, state, standing, task, search.learner.groups)
        edge = _edge(search, graph, number, place, choices)
        state = system.step(state, task, choices)
        number = int(graph.targets[edge])
        if not is_good[number] or graph.violated[edge] >> property_index & 1:
            return count
    raise HarnessBug("an execution that violates a property can still end well")


def _edge(
    search: Search, graph: Graph, number: int, task: int, choices: tuple[int, ...]
) -> int:
    """Return the edge that a task's step takes out of a state."""
    edges = np.arange(graph.starts[number], graph.starts[number + 1])
    edges = edges[graph.tasks[edges] == task]
    chunk = [np.array([word], np.uint64) for word in graph.state(number)]
    outcome = int(search.system.settled_outcomes(chunk)[task][0])
    held = search.system.tables[task].outcomes
    for rank in range(len(edges)):  # edges of one task are in the alternatives' order
        one = held.alternatives[outcome + rank]
        if one is not None and one.choices == choices:
            return int(edges[rank])
    raise HarnessBug("a step of an execution is not in the graph")

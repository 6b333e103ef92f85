"""The state graph with words on it: for people, exports and pictures of small worlds.

Knows a completed search and its graph of numbers; knows no domain. Not for large
graphs: each state gets a dictionary of its own.
"""

from typing import Any

import networkx as nx

from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.graph import Graph
from wavecheck.sim.parts import Table
from wavecheck.sim.trace import plain


def state_graph(search: Search, graph: Graph) -> "nx.MultiDiGraph[int]":
    """Return a graph of states and steps, with what each of them is.

    Args:
        search: that visited every reachable state and left nothing out.
        graph: of that search.

    Returns:
        Nodes are numbered by breadth-first level, the initial state is 0. A node has
        `level`, `is_final`, `violates` (names of the properties that a final state
        violates) and `shared` (what differs from the initial state). An edge has
        `task`, `operation`, `args` (plain) and `violates` (by the step itself).
    """
    order = sorted(range(graph.states_count), key=lambda one: _rank(graph, one))
    number = {state: place for place, state in enumerate(order)}
    labelled: nx.MultiDiGraph[int] = nx.MultiDiGraph()
    is_final = graph.is_final
    for state in order:
        labelled.add_node(
            number[state],
            level=int(graph.levels[state]),
            is_final=bool(is_final[state]),
            violates=_names(search, int(graph.ends_violated[state])),
            shared=_shared(search, graph.state(state)),
        )
    for state in order:
        fields = search.system.layout.unpack(graph.state(state))
        for edge in range(int(graph.starts[state]), int(graph.starts[state + 1])):
            task = int(graph.tasks[edge])
            labelled.add_edge(
                number[state],
                number[int(graph.targets[edge])],
                violates=_names(search, int(graph.violated[edge])),
                **_step(search, task, fields[task]),
            )
    return labelled


def _rank(graph: Graph, state: int) -> tuple[int, tuple[int, ...]]:
    return int(graph.levels[state]), graph.state(state)


def _names(search: Search, bits: int) -> list[str]:
    return [
        one.name
        for index, one in enumerate(search.learner.properties)
        if bits >> index & 1
    ]


def _step(search: Search, task: int, local: int) -> dict[str, Any]:
    learner = search.learner
    number = learner.tasks[task].states[local].operation
    assert number is not None, "a task that has ended takes no step"
    operation = learner.effects.operations[number].operation
    return {
        "task": learner.tasks[task].name,
        "operation": operation.statement.name,
        "args": plain(operation.args),
    }


def _shared(search: Search, state: tuple[int, ...]) -> dict[str, Any]:
    """Return the components whose value is not the initial one, by name."""
    shown = {}
    for component, number in zip(
        search.learner.shared.components, search.system.shared_of(state), strict=True
    ):
        if number:
            part, value = component.part, component.values[number]
            is_row = isinstance(part, Table)
            key = f" {plain(component.key)}" if is_row else ""
            shown[f"{part.name}{key}"] = repr(value) if value is None else value
    return shown

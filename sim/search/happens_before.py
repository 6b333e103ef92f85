"""Happens-before: which steps of an execution are ordered by more than the schedule.

Two steps are ordered if one task takes both, or if they conflict: one changes a row
that the other reads or changes, and what the other sees of it differs. The graph is the
order's transitive reduction: an edge is there only if no longer path says the same.

Source: Lamport, "Time, Clocks, and the Ordering of Events", CACM 1978; conflicts as in
Mazurkiewicz traces. Complexity: quadratic in steps; meant for one counterexample.
"""

from typing import TYPE_CHECKING

from wavecheck.sim.search.footprints import Footprint, footprints
from wavecheck.sim.search.kinds import Place
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.world import World

if TYPE_CHECKING:
    import networkx as nx


def happens_before(world: World, schedule: Schedule) -> "nx.DiGraph[int]":
    """Return the order of a schedule's steps as a graph.

    Args:
        world: of the schedule.
        schedule: what to run.

    Returns:
        A node for each step, by number, with `task` and `operation`; an edge from a
        step to a later one, with `why`: "task", or the part and row of the conflict.
    """
    # A schedule ends with its violation, not with quiescence.
    rule, count = RecordedChoices(schedule.choices), len(schedule.steps)
    steps = footprints(world, rule, steps_max=count).steps
    import networkx as nx  # slow to load

    graph: nx.DiGraph[int] = nx.DiGraph()
    for number, step in enumerate(steps, start=1):
        name = step.operation.statement.name
        graph.add_node(number, task=step.task, operation=name)
    for later, second in enumerate(steps, start=1):
        for earlier, first in enumerate(steps[: later - 1], start=1):
            why = _why(first, second)
            if why:
                graph.add_edge(earlier, later, why=why)
    reduced: nx.DiGraph[int] = nx.transitive_reduction(graph)
    reduced.add_nodes_from(graph.nodes(data=True))
    for earlier, later in reduced.edges:
        reduced.edges[earlier, later]["why"] = graph.edges[earlier, later]["why"]
    return reduced


def _why(first: Footprint, second: Footprint) -> str:
    """Say why one step comes before another; empty: nothing orders them."""
    if first.task == second.task:
        return "task"
    place = first.conflict(second)
    return "" if place is None else _name(place)


def _name(place: Place) -> str:
    part, key = place
    return f"{part} {key}" if key is not None else part

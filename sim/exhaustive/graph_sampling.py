"""Sampling on a finished graph: the fastest way to draw uniformly random executions.

Knows the graph; the numbers of the states take the place of the states, so a step is
three look-ups. Only for graphs whose steps have one alternative each, so that a
uniformly random edge is a uniformly random task.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.exhaustive.counterexample import replay
from sim.exhaustive.exploration import Counterexample
from sim.exhaustive.graph import Graph
from sim.exhaustive.learning import Learner
from sim.exhaustive.sampling import Draw, Samples

Array = npt.NDArray[Any]

_BLOCK: Final = 1 << 15
_HALF: Final = np.uint64(32)


def can_sample(graph: Graph) -> bool:
    """Return whether a random edge is a random task, and every execution ends."""
    return bool((graph.options == 1).all())


def sample_graph(
    learner: Learner, graph: Graph, draw: Draw, executions: int
) -> Samples:
    """Run at least so many uniformly random executions, in whole blocks.

    Args:
        learner: of the world.
        graph: of all its reachable states, without cycles.
        draw: where the numbers come from.
        executions: how many.
    """
    assert can_sample(graph)
    properties = learner.properties
    counts = dict.fromkeys(range(len(properties)), 0)
    counterexamples: dict[int, Counterexample] = {}
    done = steps_count = 0
    degrees = np.diff(graph.starts).astype(np.uint64)
    watches_edges = bool(graph.violated.any())
    while done < executions:
        violated, taken = _block(graph, degrees, draw, watches_edges=watches_edges)
        done += _BLOCK
        steps_count += sum(len(edges) for _, edges in taken)
        for index, judged in enumerate(properties):
            hits = np.flatnonzero(violated >> np.uint32(index) & 1)
            counts[index] += len(hits)
            if len(hits) and index not in counterexamples:
                steps = _steps_of(learner, graph, taken, int(hits[0]), index)
                counterexamples[index] = replay(learner.world, judged, steps)
    return Samples(
        executions=done,
        steps=steps_count,
        violations={properties[one].name: n for one, n in counts.items()},
        counterexamples={properties[one].name: c for one, c in counterexamples.items()},
    )


def _block(
    graph: Graph, degrees: Array, draw: Draw, *, watches_edges: bool
) -> tuple[Array, list[tuple[Array, Array]]]:
    """Run one block; return what each execution violates, and the edges it took."""
    state = np.full(_BLOCK, graph.initial)
    which = np.arange(_BLOCK)
    violated = np.zeros(_BLOCK, np.uint32)
    taken: list[tuple[Array, Array]] = []
    while True:
        degree = degrees.take(state)
        ended = np.flatnonzero(degree == 0)
        if len(ended):
            violated[which[ended]] |= graph.ends_violated.take(state[ended])
            rest = np.flatnonzero(degree)
            state, which, degree = state[rest], which[rest], degree[rest]
            if not len(rest):
                return violated, taken
        degree *= draw.raw(len(which)) >> _HALF
        degree >>= _HALF
        edges = graph.starts.take(state) + degree.view(np.int64)
        if watches_edges:
            violated[which] |= graph.violated.take(edges)
        taken.append((which, edges))
        state = graph.targets.take(edges)


def _steps_of(
    learner: Learner,
    graph: Graph,
    taken: list[tuple[Array, Array]],
    execution: int,
    index: int,
) -> list[tuple[str, tuple[int, ...]]]:
    steps: list[tuple[str, tuple[int, ...]]] = []
    for which, edges in taken:
        place = int(np.searchsorted(which, execution))
        if place == len(which) or which[place] != execution:
            break
        edge = int(edges[place])
        steps.append((learner.tasks[int(graph.tasks[edge])].name, ()))
        if graph.violated[edge] >> np.uint32(index) & 1:
            break
    return steps

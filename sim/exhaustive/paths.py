"""Counting without sampling: how many schedules there are, how likely a violation is.

Knows the graph. Both are sums over all paths from the initial state, and on a graph
without cycles they are computed state by state in topological order (Kahn's), each edge
once. Where there is a cycle there are infinitely many schedules, and it says so.

Numbers of schedules are exact: each is kept as limbs of 32 bits. Odds are exact
fractions on small graphs, and floats with a bound on their relative error on others:
each product and each sum rounds once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from wavecheck.sim.exhaustive.graph import Graph

Array = npt.NDArray[Any]

EXACT_EDGES_MAX: Final = 200_000
_LIMB_BITS: Final = 32
_LIMB: Final = np.uint64(_LIMB_BITS)
_LIMB_MASK: Final = np.uint64((1 << _LIMB_BITS) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """The probability that a uniformly random schedule violates a property.

    Whatever the kernel's rule is asked is answered uniformly: at each step every
    enabled task is equally likely, and at each choice inside a step every answer. So
    what a step does weighs as much as the choices that lead to it.

    Attributes:
        exact: as a fraction; None on large graphs.
        value: as a float.
        relative_error: bound on the error of `value`.
    """

    exact: Fraction | None
    value: float
    relative_error: float


def topological(graph: Graph) -> Iterator[Array]:
    """Yield the states in groups; every edge leads to a later group.

    On a graph with a cycle some states are never yielded.
    """
    missing = np.bincount(graph.targets, minlength=graph.states_count)
    group = np.array([graph.initial])
    if missing[graph.initial]:
        return
    while len(group):
        yield group
        edges, _ = graph.edges_of(group)
        targets, counts = np.unique(graph.targets[edges], return_counts=True)
        missing[targets] -= counts
        group = targets[missing[targets] == 0]


def count_schedules(graph: Graph) -> int | None:
    """Return the exact number of complete schedules; None if there is a cycle."""
    counts = np.zeros((1, graph.states_count), np.uint64)
    counts[0, graph.initial] = 1
    done = 0
    total = 0
    is_final = graph.is_final
    for group in topological(graph):
        done += len(group)
        ends = group[is_final[group]]
        total += sum(
            int(limb[ends].sum(dtype=np.uint64)) << _LIMB_BITS * index
            for index, limb in enumerate(counts)
        )
        edges, places = graph.edges_of(group)
        if not len(edges):
            continue
        targets = graph.targets[edges]
        order = np.argsort(targets, kind="stable")
        targets = targets[order]
        firsts = np.flatnonzero(np.r_[True, targets[1:] != targets[:-1]])
        sources = group[places[order]]
        unique = targets[firsts]
        for index in range(len(counts)):
            counts[index, unique] += np.add.reduceat(counts[index, sources], firsts)
        counts = _carried(counts, unique)
    return total if done == graph.states_count else None


def _carried(counts: Array, states: Array) -> Array:
    """Move what exceeds a limb to the next one; add a limb where the last overflows."""
    index = 0
    while index < len(counts):
        carry = counts[index, states] >> _LIMB
        if carry.any():
            if index + 1 == len(counts):
                counts = np.concatenate([counts, np.zeros_like(counts[:1])])
            counts[index, states] &= _LIMB_MASK
            counts[index + 1, states] += carry
        index += 1
    return counts


def odds(graph: Graph, property_index: int) -> Odds | None:
    """Return how likely a uniformly random schedule violates a property.

    Args:
        graph: of all reachable states.
        property_index: as in the bit sets of the graph.

    Returns:
        None if the graph has a cycle.
    """
    weights = _edge_weights(graph)
    is_bad = (graph.violated >> np.uint32(property_index) & 1).astype(np.bool_)
    ends_badly = (graph.ends_violated >> np.uint32(property_index) & 1).astype(np.bool_)
    groups = list(topological(graph))
    if sum(len(group) for group in groups) != graph.states_count:
        return None
    exact = None
    if len(graph.targets) <= EXACT_EDGES_MAX:
        exact = _exact_odds(graph, groups, weights, is_bad, ends_badly)
        return Odds(exact=exact, value=float(exact), relative_error=2.0**-53)
    chance = np.zeros(graph.states_count)
    chance[graph.initial] = 1.0
    violated = 0.0
    for group in groups:
        violated += float(chance[group][ends_badly[group]].sum())
        edges, places = graph.edges_of(group)
        flow = chance[group][places] / weights[edges]
        bad = is_bad[edges]
        violated += float(flow[bad].sum())
        np.add.at(chance, graph.targets[edges[~bad]], flow[~bad])
    # Along a path each step divides once and adds at most as often as there are tasks.
    roundings = len(groups) * (2 + int(np.diff(graph.starts).max(initial=0)))
    error = (roundings + len(groups)) * 2.0**-52
    return Odds(exact=None, value=violated, relative_error=error)


def _edge_weights(graph: Graph) -> Array:
    """Return one over the probability of each edge, given its state."""
    sources = graph.sources()
    is_new_task = np.ones(len(sources), np.bool_)
    is_new_task[1:] = (sources[1:] != sources[:-1]) | (
        graph.tasks[1:] != graph.tasks[:-1]
    )
    enabled = np.bincount(sources[is_new_task], minlength=graph.states_count)
    return enabled[sources] * graph.one_in.astype(np.int64)


def _exact_odds(
    graph: Graph, groups: list[Array], weights: Array, is_bad: Array, ends_badly: Array
) -> Fraction:
    chance = [Fraction(0)] * graph.states_count
    chance[graph.initial] = Fraction(1)
    violated = Fraction(0)
    starts, targets = graph.starts.tolist(), graph.targets.tolist()
    weight, bad, ends = weights.tolist(), is_bad.tolist(), ends_badly.tolist()
    for state in np.concatenate(groups).tolist():
        mine = chance[state]
        if not mine:
            continue
        if ends[state]:
            violated += mine
        for edge in range(starts[state], starts[state + 1]):
            if bad[edge]:
                violated += mine / weight[edge]
            else:
                chance[targets[edge]] += mine / weight[edge]
        chance[state] = Fraction(0)
    return violated

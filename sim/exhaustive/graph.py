"""The state graph of a completed exploration: numbered states, edges as arrays.

Knows a finished search. For questions beyond safety, which need the edges at once: how
many schedules there are, how likely a violation is, what can still be reached.

Shape: states are numbered in the order of the seen set; the edges out of state i are
`targets[starts[i]:starts[i + 1]]`, and likewise `tasks`, `violated` and `one_in`.

Complexity: about 18 bytes an edge and 12 a state; half a microsecond an edge.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavecheck.sim.errors import HarnessBug
from wavecheck.sim.exhaustive.explore import CHUNK, Search
from wavecheck.sim.exhaustive.layout import Words
from wavecheck.sim.exhaustive.seen import (
    order_of,
    restored,
    sorted_unique,
    store_in_place,
)

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """States and steps of one world.

    Attributes:
        states_count: how many states.
        words: of the states.
        initial: number of the initial state.
        starts: first edge of each state, and the number of edges at the end.
        targets: state that each edge leads to.
        tasks: index of the task that takes the step.
        one_in: one over the odds of the choices inside the step, each being uniform.
        violated: bit set of the always-properties that the step violates.
        ends_violated: bit set of the properties that a final state violates; 0 for
            states that are not final.
        levels: breadth-first level of each state.
    """

    states_count: int
    words: Words
    initial: int
    starts: Array
    targets: Array
    tasks: Array
    one_in: Array
    violated: Array
    ends_violated: Array
    levels: Array

    def state(self, number: int) -> tuple[int, ...]:
        """Return the words of one state."""
        return tuple([int(word[number]) for word in self.words])

    @property
    def is_final(self) -> Array:
        """Which states have no step."""
        return np.asarray(self.starts[1:] == self.starts[:-1])

    def edges_of(self, states: Array) -> tuple[Array, Array]:
        """Return the edges out of some states, and for each edge its place in them."""
        first, counts = self.starts[states], np.diff(self.starts)[states]
        places = np.repeat(np.arange(len(states)), counts)
        offsets = np.arange(len(places)) - np.repeat(counts.cumsum() - counts, counts)
        return first[places] + offsets, places

    def sources(self) -> Array:
        """Return the state that each edge comes from."""
        return np.repeat(
            np.arange(self.states_count, dtype=self.targets.dtype), np.diff(self.starts)
        )


class _Index:
    """Finds the numbers of states."""

    def __init__(self, search: Search) -> None:
        kept = [np.array(word) for word in search.levels.all_states()]
        store_in_place(kept)
        self._kept, self._order = sorted_unique(kept)
        self.count = len(self._order)

    def words(self) -> Words:
        """Return the states in order of their numbers."""
        return restored(self._kept)

    def numbers(self, words: Words) -> Array:
        """Return the numbers of some states that are there."""
        kept = [np.array(word) for word in words]
        store_in_place(kept)
        order = order_of(kept)
        places = np.argsort(order)
        found = np.searchsorted(self._order, order[places])
        found = np.minimum(found, self.count - 1)
        for mine, word in zip(self._kept, kept, strict=True):
            if (mine[found] != word[places]).any():
                raise HarnessBug("a successor of an explored state was never seen")
        numbers = np.empty(len(found), np.int32)
        numbers[places] = found
        return numbers


def graph_of(search: Search) -> Graph:
    """Return the graph of a search that visited every reachable state."""
    index = _Index(search)
    edges: list[list[Array]] = []
    levels = np.zeros(index.count, np.int32)
    ends_violated = np.zeros(index.count, np.uint32)
    for level, words in enumerate(search.levels):
        for start in range(0, len(words[0]), CHUNK):
            chunk = [np.ascontiguousarray(w[start : start + CHUNK]) for w in words]
            numbers = index.numbers(chunk)
            levels[numbers] = level
            found = _edges(search, index, chunk, numbers)
            edges.extend(found)
            has_step = np.zeros(len(numbers), np.bool_)
            for one in found:
                has_step[one[5]] = True
            for place in np.flatnonzero(~has_step).tolist():
                state = [int(word[place]) for word in chunk]
                ended = search.learner.judge_end(search.system.shared_of(state))[0]
                ends_violated[numbers[place]] = sum(1 << one for one in ended)
    if not edges:
        edges = [[np.zeros(0, np.int32) for _ in range(6)]]
    source, target, task, one_in, steps_violated, _ = (
        np.concatenate([one[column] for one in edges]) for column in range(6)
    )
    places = np.argsort(source, kind="stable")
    starts = np.concatenate([[0], np.bincount(source, minlength=index.count).cumsum()])
    return Graph(
        states_count=index.count,
        words=index.words(),
        initial=int(index.numbers(search.system.initial())[0]),
        starts=starts,
        targets=target[places],
        tasks=task[places],
        one_in=one_in[places],
        violated=steps_violated[places],
        ends_violated=ends_violated,
        levels=levels,
    )


def _edges(
    search: Search, index: _Index, chunk: Words, numbers: Array
) -> list[list[Array]]:
    system, found = search.system, []
    for task, outcome in enumerate(system.settled_outcomes(chunk)):
        held = system.tables[task].outcomes
        for words, where, alternatives in system.successors(chunk, task, outcome):
            found.append(
                [
                    numbers[where],
                    index.numbers(words),
                    np.full(len(where), task, np.int16),
                    held.one_in.take(alternatives),
                    held.violated.take(alternatives),
                    where,
                ]
            )
    return found

"""Promises: what must stay possible, and what must follow, in the graph of all states.

Knows the graph of a completed search. *Recoverable* (AG EF good): from every state some
continuation comes to a state in which nothing is wrong. *Leads to* (G(p -> F q) of
every fair execution): where something begins, it is met later.

Theory of operation: recoverability is backward reachability from the good states.
Whatever begins and is not met stays within the states in which it is not met; what is
reached there from a beginning is *open*. It is broken by an open state in which nothing
can happen, or by a fair cycle of open states; there is no other way.

Complexity: linear in the graph, and one Python call for each distinct value of what the
checks read.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wavecheck.sim.errors import HarnessBug
from wavecheck.sim.exhaustive.counterexample import (
    Path,
    named,
    path_to,
    replay,
    step_between,
)
from wavecheck.sim.exhaustive.exploration import Counterexample
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.fairness import Lasso, fair_cycle
from wavecheck.sim.exhaustive.graph import Graph
from wavecheck.sim.exhaustive.judging import holds_in
from wavecheck.sim.exhaustive.recovery import reaching

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseResult:
    """What the graph says of a promise.

    Attributes:
        is_at_risk: some state could have broken it.
        counterexample: an execution that ends without it.
        lasso: a fair execution that goes on for ever without it.
    """

    is_at_risk: bool
    counterexample: Counterexample | None = None
    lasso: Lasso | None = None


def is_recoverable(search: Search, graph: Graph, index: int) -> PromiseResult:
    """Judge whether a property can be met from every state.

    A final state that breaks it was found by the search; what is left are states that
    go round for ever.
    """
    is_wrong = holds_in(search, graph.words, index, "at_end")
    is_lost = ~reaching(graph, ~is_wrong, np.arange(len(graph.targets)))
    if not is_lost.any() or (is_lost & graph.is_final).any():
        return PromiseResult(is_at_risk=True)
    lasso = fair_cycle(search, graph, index, among=is_lost)
    if lasso is None:
        raise HarnessBug("states that are lost end nowhere and go round nowhere")
    return PromiseResult(is_at_risk=True, lasso=lasso)


def is_kept(search: Search, graph: Graph, index: int) -> PromiseResult:
    """Judge whether what begins is met later, in every fair execution."""
    begins = holds_in(search, graph.words, index, "begins")
    is_unmet = holds_in(search, graph.words, index, "at_end")
    if not begins.any():
        return PromiseResult(is_at_risk=False)
    still_open = _Open(search, graph, begins & is_unmet, is_unmet)
    ended = np.flatnonzero(still_open.is_open & graph.is_final)
    if len(ended):
        number = int(ended[still_open.lengths[ended].argmin()])
        learner = search.learner
        steps = named(learner, still_open.path_to(number))
        learner.shared.forget()  # the parts will hold what the kernel leaves in them
        shown = replay(learner.world, learner.properties[index], steps)
        return PromiseResult(is_at_risk=True, counterexample=shown)
    lasso = fair_cycle(
        search, graph, index, among=still_open.is_open, stem_to=still_open.path_to
    )
    return PromiseResult(is_at_risk=True, lasso=lasso)


class _Open:
    """The states in which something has begun and is not met, and shortest ways there.

    Args:
        search: that visited every state.
        graph: of that search.
        begins: states in which it begins and is not met.
        is_unmet: states in which it is not met.
    """

    def __init__(
        self, search: Search, graph: Graph, begins: Array, is_unmet: Array
    ) -> None:
        self._search, self._graph = search, graph
        self.is_open = np.zeros(graph.states_count, np.bool_)
        self.lengths = np.full(graph.states_count, -1, np.int64)
        self._edges = np.full(graph.states_count, -1, np.int64)
        self._sources = graph.sources()
        numbers = np.flatnonzero(begins)
        frontier = np.zeros(0, np.int64)
        length, last = 0, int(graph.levels[numbers].max(initial=0))
        while length <= last or len(frontier):
            starting = numbers[graph.levels[numbers] == length]
            starting = starting[~self.is_open[starting]]
            new = np.concatenate([frontier, starting])
            self.is_open[new] = True
            self.lengths[new] = length
            edges, _ = graph.edges_of(new)
            targets = graph.targets[edges]
            is_next = is_unmet[targets] & ~self.is_open[targets]
            frontier, first = np.unique(targets[is_next], return_index=True)
            self._edges[frontier] = edges[is_next][first]
            length += 1

    def path_to(self, number: int) -> Path:
        """Return the steps of a shortest way, by a beginning, to an open state."""
        graph, search = self._graph, self._search
        steps: Path = []
        while self._edges[number] >= 0:
            edge = int(self._edges[number])
            source, task = int(self._sources[edge]), int(graph.tasks[edge])
            states = graph.state(source), graph.state(number)
            steps.append((task, step_between(search, states[0], task, states[1])))
            number = source
        level = int(graph.levels[number])
        return [*path_to(search, level, graph.state(number)), *steps[::-1]]

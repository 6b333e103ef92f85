"""Progress under fairness: a cycle on which a property stays violated for ever.

Knows the graph of a completed search. Pollers and retries never end, so their graphs
have cycles and no final state; what must hold at the end is then asked of them: does
every fair execution leave, again and again, the states in which it does not hold?

Theory of operation: an infinite execution is *weakly fair* if no task is enabled from
some moment on and never takes a step. Of the states in which the property does not
hold, the strongly connected components are searched for one in which each task takes
a step inside or is somewhere disabled; walking round all of it is fair, and, since the
states that a fair execution meets for ever lie in one component, there is no other way.

Known gap: a task that is disabled now and then may be passed over for ever (that is
weak, not strong fairness); so a lasso may pass a waiting task by each time it could go.

Source: C. Baier, J.-P. Katoen, "Principles of Model Checking", sections 3.5 and 6.5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wavecheck.sim.errors import HarnessBug
from wavecheck.sim.exhaustive.counterexample import (
    Follow,
    Path,
    path_to,
    step_between,
)
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.graph import Graph
from wavecheck.sim.exhaustive.judging import holds_in
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.property import Property
from wavecheck.sim.task import Task

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = npt.NDArray[Any]
Steps = tuple[tuple[str, tuple[int, ...]], ...]
"""(task name, answers to the choices inside the step) of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasso:
    """An execution that goes on for ever, fairly, while a property does not hold.

    Attributes:
        property_name: which property.
        stem: steps from the initial state to the loop.
        loop: steps that lead back to where they began; at least one.
        choices: what the kernel's rule answers on the stem and twice round the loop.
        message: what is wrong at the start of the loop, in the words of the domain.
    """

    property_name: str
    stem: Steps
    loop: Steps
    choices: tuple[int, ...]
    message: str


def fair_cycle(
    search: Search,
    graph: Graph,
    property_index: int,
    *,
    among: Array | None = None,
    stem_to: Callable[[int], Path] | None = None,
) -> Lasso | None:
    """Return a fair execution that for ever violates what must hold at the end.

    Args:
        search: that visited every reachable state.
        graph: of that search.
        property_index: of the property; without a check of final states there is none.
        among: only states of these are looked at; all if not given.
        stem_to: steps from the initial state to one of them; a shortest way if not
            given.

    Returns:
        A lasso whose stem is a shortest one, replayed on the kernel; None if there is
        no fair cycle.

    Complexity: linear in the graph, and one Python call for each distinct value of
    what the check reads.
    """
    judged = search.learner.properties[property_index]
    if judged.at_end is None or not len(graph.targets):
        return None
    sources = graph.sources()
    if among is None:
        among = np.ones(graph.states_count, np.bool_)
    is_bad = _on_cycles(graph, sources, among)
    numbers = np.flatnonzero(is_bad)
    if not len(numbers):
        return None
    words = [word[numbers] for word in graph.words]
    is_bad[numbers] = holds_in(search, words, property_index)
    labels = _components(graph, sources, is_bad)
    inner = np.flatnonzero(
        (labels[sources] == labels[graph.targets]) & (labels[sources] >= 0)
    )
    fair = _fair_components(search, graph, labels, sources, inner)
    if not len(fair):
        return None
    members = np.flatnonzero(np.isin(labels, fair))
    entry = int(members[graph.levels[members].argmin()])
    walk = _Walk(search, graph, sources, inner[labels[sources[inner]] == labels[entry]])
    if stem_to is None:
        stem = path_to(search, int(graph.levels[entry]), graph.state(entry))
    else:
        stem = stem_to(entry)
    names = [task.name for task in search.learner.tasks]
    loop = [
        (
            int(graph.tasks[edge]),
            step_between(
                search,
                graph.state(int(sources[edge])),
                int(graph.tasks[edge]),
                graph.state(int(graph.targets[edge])),
            ),
        )
        for edge in walk.round_trip(entry)
    ]
    return replay_lasso(
        search.learner,
        judged,
        tuple((names[task], choices) for task, choices in stem),
        tuple((names[task], choices) for task, choices in loop),
    )


def _matrix(sources: Array, targets: Array, size: int) -> "csr_array":
    from scipy.sparse import csr_array  # slow to load, and cycles are rare

    ones = np.ones(len(sources), np.int8)
    return csr_array((ones, (sources, targets)), shape=(size, size))


def _components(graph: Graph, sources: Array, is_member: Array) -> Array:
    """Return the number of each member's strongly connected component, else -1."""
    from scipy.sparse.csgraph import connected_components

    kept = is_member[sources] & is_member[graph.targets]
    size = graph.states_count
    matrix = _matrix(sources[kept], graph.targets[kept], size)
    _, labels = connected_components(matrix, directed=True, connection="strong")
    return np.where(is_member, labels, -1)


def _on_cycles(graph: Graph, sources: Array, is_member: Array) -> Array:
    """Return which states lie on some cycle."""
    labels = _components(graph, sources, is_member)
    is_inner = (labels[sources] == labels[graph.targets]) & (labels[sources] >= 0)
    found = np.zeros(graph.states_count, np.bool_)
    found[sources[is_inner]] = True
    return found


def _fair_components(
    search: Search, graph: Graph, labels: Array, sources: Array, inner: Array
) -> Array:
    """Return the components with a cycle on which no enabled task is left out.

    Args:
        search: knows how many tasks there are.
        graph: all edges.
        labels: component of each state, or -1.
        sources: state that each edge comes from.
        inner: edges inside a component.
    """
    candidates = np.unique(labels[sources[inner]])
    for task in range(len(search.learner.tasks)):
        if not len(candidates):
            break
        of_task = graph.tasks == task
        is_enabled = np.zeros(graph.states_count, np.bool_)
        is_enabled[sources[of_task]] = True
        steps = labels[sources[inner[of_task[inner]]]]
        rests = labels[~is_enabled]
        candidates = candidates[np.isin(candidates, steps) | np.isin(candidates, rests)]
    return candidates


class _Walk:
    """Finds ways inside one strongly connected component.

    Args:
        search: knows how many tasks there are.
        graph: all edges.
        sources: state that each edge comes from.
        edges: those inside the component, ascending by source.
    """

    def __init__(
        self, search: Search, graph: Graph, sources: Array, edges: Array
    ) -> None:
        self._tasks_count = len(search.learner.tasks)
        self._states, self._sources = np.unique(sources[edges], return_inverse=True)
        self._targets = np.searchsorted(self._states, graph.targets[edges])
        self._edges = edges
        self._tasks = graph.tasks[edges]
        size = len(self._states)
        self._matrix = _matrix(self._sources, self._targets, size)
        self._is_disabled = np.ones((self._tasks_count, size), np.bool_)
        every, places = graph.edges_of(self._states)
        self._is_disabled[graph.tasks[every], places] = False

    def round_trip(self, entry: int) -> list[int]:
        """Return edges from a state back to it that are fair to every task.

        Each task to which the way so far is not fair yet is taken to the nearest state
        in which it can step inside the component, and steps, or is disabled.
        """
        start = here = int(np.searchsorted(self._states, entry))
        way: list[int] = []
        for task in range(self._tasks_count):
            passed = [start, *self._targets[way].tolist()]
            if (
                self._is_disabled[task, passed].any()
                or (self._tasks[way] == task).any()
            ):
                continue
            is_own = self._tasks == task
            is_goal = self._is_disabled[task].copy()
            is_goal[self._sources[is_own]] = True
            way += self._way(here, is_goal)
            here = int(self._targets[way[-1]]) if way else start
            if not self._is_disabled[task, here]:
                way.append(int(np.flatnonzero(is_own & (self._sources == here))[0]))
                here = int(self._targets[way[-1]])
        is_goal = np.zeros(len(self._states), np.bool_)
        is_goal[start] = True
        way += self._way(here, is_goal)
        assert way, "a state on a cycle enables a task that steps inside"
        return [int(self._edges[one]) for one in way]

    def _way(self, here: int, is_goal: Array) -> list[int]:
        """Return the places of the edges on a shortest way to some goal."""
        from scipy.sparse.csgraph import breadth_first_order

        order, before = breadth_first_order(self._matrix, here)
        state = int(order[is_goal[order].argmax()])
        way = []
        while state != here:
            source = int(before[state])
            first, end = np.searchsorted(self._sources, [source, source + 1])
            way.append(int(first + (self._targets[first:end] == state).argmax()))
            state = source
        return way[::-1]


def replay_lasso(learner: Learner, judged: Property, stem: Steps, loop: Steps) -> Lasso:
    """Perform a lasso on the kernel, twice round the loop, and see that it is one.

    State that is left out need not be the same after each round.

    Raises:
        HarnessBug: the loop does not lead back, or the property holds on its way.
    """
    assert judged.at_end is not None
    world: Any = learner.world
    kernel: Kernel = world.kernel
    kernel.rewind()
    learner.shared.forget()  # the parts will hold what the kernel leaves in them
    steps = (*stem, *loop, *loop)
    turns = {len(stem) + round_ * len(loop) for round_ in range(3)}
    snapshots: list[list[Any]] = []
    messages: list[str | None] = []
    performed: list[str] = []

    def look() -> None:
        if len(performed) >= len(stem):
            messages.append(judged.at_end(world) if judged.at_end else None)
        if len(performed) in turns:
            snapshots.append(learner.values_now())

    def note(task: Task, operation: Operation[Any], result: Any, changes: Any) -> None:
        performed.append(task.name)
        look()
        kernel.is_stopped = len(performed) == len(steps)

    rule, kernel.rule = kernel.rule, Follow(kernel, steps)
    on_step, kernel.on_step = kernel.on_step, note
    try:
        world.start()
        look()
        kernel.run_to_quiescence()
        choices = tuple(kernel.choices)
    finally:
        kernel.rule, kernel.on_step = rule, on_step
        kernel.rewind()
    is_loop = snapshots[0] == snapshots[1] == snapshots[2]
    message = messages[0]
    if (
        performed != [name for name, _ in steps]
        or not is_loop
        or message is None
        or None in messages
    ):
        raise HarnessBug(f"a lasso for {judged.name} was found and cannot be replayed")
    return Lasso(
        property_name=judged.name,
        stem=stem,
        loop=loop,
        choices=choices,
        message=message,
    )

"""A small state graph with everything that can be looked at in each of its states.

Knows the exhaustive engine; knows no page. For graphs that a person may walk through:
every state gets its tables, every step its words.
"""

from dataclasses import dataclass
from typing import Final

from wavecheck.reports.explanation.playback import Frame, frame_of
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.exhaustive import Limits
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.graph import Graph, graph_of
from wavecheck.sim.exhaustive.prove import searched
from wavecheck.sim.exhaustive.recovery import can_end_well
from wavecheck.sim.trace import Step

STATES_MAX: Final = 2_000
"""More states than this are no graph to walk through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStep:
    """One enabled step.

    Attributes:
        step: task, statement, arguments and result; its number and changes are empty.
        target: number of the state that it leads to.
        violates: names of the properties that the step violates.
    """

    step: Step
    target: int
    violates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphState:
    """One state.

    Attributes:
        frame: all parts.
        steps: that are enabled; none: nothing can happen any more.
        violates: names of the properties that it violates as a final state.
        lost: names of the properties that every continuation violates.
    """

    frame: Frame
    steps: tuple[GraphStep, ...]
    violates: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallGraph:
    """All states of a subject.

    Attributes:
        properties: names of those that were judged.
        states: number 0 is the initial one.
    """

    properties: tuple[str, ...]
    states: tuple[GraphState, ...]


def small_graph(subject: Subject, states_max: int = STATES_MAX) -> SmallGraph | None:
    """Explore a subject and describe every state; nothing is left out.

    Returns:
        None if there are more states than `states_max`.

    Raises:
        CannotLearn: the code under test hides state from the engine.
        CoordinatorError: it failed in some reachable state.
    """
    search, stopped_by = searched(subject.world(), limits=Limits(states_max=states_max))
    if stopped_by:
        return None
    graph = graph_of(search)
    # The engine numbers states as it packs them; a reader begins at 0.
    order = [graph.initial, *range(graph.initial)]
    order += range(graph.initial + 1, graph.states_count)
    numbers = {state: number for number, state in enumerate(order)}
    names = tuple(one.name for one in search.learner.properties)
    recoverable = [can_end_well(graph, index) for index in range(len(names))]
    return SmallGraph(
        properties=names,
        states=tuple(
            GraphState(
                steps=tuple(_steps(search, graph, state, numbers)),
                frame=_frame(search, graph, state),
                violates=_named(names, int(graph.ends_violated[state])),
                lost=tuple(
                    name
                    for name, good in zip(names, recoverable, strict=True)
                    if not good[state]
                ),
            )
            for state in order
        ),
    )


def _frame(search: Search, graph: Graph, state: int) -> Frame:
    learner = search.learner
    learner.shared.load(search.system.shared_of(graph.state(state)))
    return frame_of(learner.world.kernel)


def _steps(
    search: Search, graph: Graph, state: int, numbers: dict[int, int]
) -> list[GraphStep]:
    learner = search.learner
    fields = search.system.layout.unpack(graph.state(state))
    shared = fields[len(learner.tasks) :]
    names = tuple(one.name for one in learner.properties)
    found = []
    taken: dict[int, int] = {}
    for edge in range(int(graph.starts[state]), int(graph.starts[state + 1])):
        task = int(graph.tasks[edge])
        number = learner.tasks[task].states[fields[task]].operation
        assert number is not None, "a task that has ended takes no step"
        operation = learner.effects.operations[number].operation
        # The edges of one task stand in the order of its alternatives.
        _, alternatives = learner.effects.resolve(number, shared, task)
        alternative = taken[task] = taken.get(task, -1) + 1
        result = alternatives[alternative].result
        value, error, _ = learner.effects.results.values[result]
        found.append(
            GraphStep(
                step=Step(
                    number=0,
                    time=0,
                    task=learner.tasks[task].name,
                    operation=operation.statement.name,
                    kind=operation.statement.kind.value,
                    args=operation.args,
                    result=value if error is None else error,
                    changes=(),
                ),
                target=numbers[int(graph.targets[edge])],
                violates=_named(names, int(graph.violated[edge])),
            )
        )
    return found


def _named(names: tuple[str, ...], bits: int) -> tuple[str, ...]:
    return tuple(name for index, name in enumerate(names) if bits >> index & 1)

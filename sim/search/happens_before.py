"""Happens-before: which steps of an execution are ordered by more than the schedule.

Two steps are ordered if one task takes both, or if they conflict: one changes a row
that the other reads or changes, and what the other sees of it differs. Reads are noted
by the footprint recorder, so no statement declares anything. The graph is the order's
transitive reduction: an edge is there only if no longer path says the same.

Source: Lamport, "Time, Clocks, and the Ordering of Events", CACM 1978; conflicts as in
Mazurkiewicz traces. Complexity: quadratic in steps; meant for one counterexample.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wavecheck.sim.exhaustive.recording import Projection, Recorder, record
from wavecheck.sim.exhaustive.reduction import Reduction
from wavecheck.sim.operation import Operation, Statement
from wavecheck.sim.parts import Change, Part
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.task import Task
from wavecheck.sim.world import World

if TYPE_CHECKING:
    import networkx as nx

Place = tuple[str, Hashable]
"""A part's name and a row's key."""


@dataclass(frozen=True, slots=True)
class _Footprint:
    task: str
    operation: str
    reads: tuple[tuple[Place, Projection | None], ...]
    writes: tuple[tuple[Place, Any, Any], ...]


class _Places:
    """Numbers for parts' rows, as the recorder wants them."""

    def __init__(self) -> None:
        self.numbers: dict[Place, int] = {}

    def known(self, part: Part, key: Hashable) -> int | None:
        """Return the number of a place, if it has one."""
        return self.numbers.get((part.name, key))

    def component(self, part: Part, key: Hashable) -> int:
        """Return the number of a place; it gets one if it has none."""
        return self.numbers.setdefault((part.name, key), len(self.numbers))

    def components_of(self, part: Part) -> list[int]:
        """Return the numbers of all places of a part."""
        return [
            number for (name, _), number in self.numbers.items() if name == part.name
        ]


class _Steps(set[Statement]):
    """The kernel's set of performed statements; adding to it begins a footprint."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def add(self, statement: Statement) -> None:
        self._recorder.start()
        super().add(statement)


def happens_before(world: World, schedule: Schedule) -> "nx.DiGraph[int]":
    """Return the order of a schedule's steps as a graph.

    Args:
        world: of the schedule, built for this; it cannot be used for anything else.
        schedule: what to run.

    Returns:
        A node for each step, by number, with `task` and `operation`; an edge from a
        step to a later one, with `why`: "task", or the part and row of the conflict.
    """
    steps = _footprints(world, schedule)
    import networkx as nx  # slow to load

    graph: nx.DiGraph[int] = nx.DiGraph()
    for number, step in enumerate(steps, start=1):
        graph.add_node(number, task=step.task, operation=step.operation)
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


def _footprints(world: World, schedule: Schedule) -> list[_Footprint]:
    places = _Places()
    recorder = Recorder(places, Reduction())
    kernel = world.kernel
    for part in kernel.parts.values():  # every row that is there from the start
        for key in getattr(part, "_rows", {}):
            places.component(part, key)
    steps: list[_Footprint] = []

    def note(
        task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        recorder.is_active = False
        found = list(places.numbers)
        steps.append(
            _Footprint(
                task.name,
                operation.statement.name,
                tuple((found[number], seen) for number, seen in recorder.reads),
                tuple(
                    ((part.name, key), before, after)
                    for part, key, before, after in changes
                ),
            )
        )
        for part, key, _, _ in changes:
            places.component(part, key)
        # A schedule ends with its violation, not with quiescence.
        kernel.is_stopped = len(steps) == len(schedule.steps)

    record(kernel, recorder)
    kernel.performed, kernel.on_step = _Steps(recorder), note
    execute(world, RecordedChoices(schedule.choices))
    return steps


def _why(first: _Footprint, second: _Footprint) -> str:
    """Say why one step comes before another; empty: nothing orders them."""
    if first.task == second.task:
        return "task"
    return _conflict(first.writes, second) or _conflict(second.writes, first)


def _conflict(writes: tuple[tuple[Place, Any, Any], ...], other: _Footprint) -> str:
    """Say which row a step's changes and another step have in common."""
    for place, before, after in writes:
        if any(place == changed for changed, _, _ in other.writes):
            return _name(place)
        for read, seen in other.reads:
            if read[0] != place[0] or read[1] not in (place[1], _WHOLE):
                continue
            # An item that comes or goes changes whatever is seen of a whole queue.
            is_whole = read[1] == _WHOLE
            if is_whole or seen is None or seen.of(before) != seen.of(after):
                return _name(place)
    return ""


def _name(place: Place) -> str:
    part, key = place
    return f"{part} {key}" if key is not None else part


_WHOLE = "(whole)"

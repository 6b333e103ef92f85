"""What can be shown of a counterexample, gathered by running it.

Knows how to run a schedule and what to note on the way: the trace, the tables after
each step, which steps are ordered, the nearest schedule that passes. Knows no page:
what it returns are plain values.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wavecheck.reports.explanation.code_places import CodePlace, place_of
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Counter, Part, Queue, Table
from wavecheck.sim.property import with_no_error
from wavecheck.sim.search.explain import Explanation
from wavecheck.sim.search.happens_before import happens_before
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, recorded_steps, run_rule
from wavecheck.sim.task import Task
from wavecheck.sim.trace import Step, plain
from wavecheck.sim.world import World, statements_in

Row = tuple[Any, ...]
"""The cells of one row, as plain data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """What one part of the shared state holds at one moment.

    Attributes:
        name: of the part.
        columns: names; the cells of each row.
        keys: how many of the first columns tell rows apart; 0: the place does.
        rows: in the part's own order.
    """

    name: str
    columns: tuple[str, ...]
    keys: int
    rows: tuple[Row, ...]


Frame = tuple[PartState, ...]
"""All parts at one moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One execution, with everything that can be looked at on the way.

    Attributes:
        steps: the trace.
        frames: the shared state before the first step and after each one.
        order: (earlier step, later step, why) of happens-before, transitively reduced;
            why is "task", or the part and row that both touch.
        ended: tasks that take no further step, by name.
    """

    steps: tuple[Step, ...]
    frames: tuple[Frame, ...]
    order: tuple[tuple[int, int, str], ...]
    ended: tuple[str, ...]
    places: tuple[CodePlace | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementText:
    """What one statement is, in words.

    Attributes:
        meaning: the first line of its documentation.
        parameters: names of its arguments, in order.
    """

    meaning: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """One counterexample with all that a page or an export shows of it.

    Attributes:
        explanation: why it fails.
        rule: the first line of the coordinator's own documentation; may be empty.
        meaning: of the violated property, one sentence.
        is_judged_at_end: the property is judged when nothing can happen any more.
        failing: the counterexample.
        passing: the nearest schedule that passes, if one was found.
        statements: those that occur, by name.
        settings: of a world that has a database; None: it has none.
    """

    explanation: Explanation
    rule: str
    meaning: str
    is_judged_at_end: bool
    failing: Track
    passing: Track | None
    statements: Mapping[str, StatementText]
    settings: Any


def playback_of(evidence: Evidence) -> Playback:
    """Run a counterexample and gather what can be shown of it.

    Args:
        evidence: of a schedule that violates its property.

    Raises:
        ReplayMismatch: it does not replay, or violates nothing.
    """
    schedule, world = evidence.schedule, evidence.world()
    told = evidence.explanation
    passing = None
    if told.escape is not None:
        passed = run_rule(world, RecordedChoices(told.escape.choices))
        passing = replace(
            schedule, choices=passed.choices, steps=recorded_steps(passed.steps)
        )
    tracks = [
        None if one is None else _track(evidence.world(), one, stops_at)
        for one, stops_at in ((schedule, schedule.property_name), (passing, ""))
    ]
    failing = tracks[0]
    assert failing is not None
    known = with_no_error(world.properties)
    judged = next(one for one in known if one.name == schedule.property_name)
    return Playback(
        explanation=told,
        rule=_first_line(evidence.subject.coordinator_type),
        meaning=judged.meaning,
        is_judged_at_end=judged.moment.is_at_end,
        failing=failing,
        passing=tracks[1],
        statements=_statements(world, tracks),
        settings=world.settings if isinstance(world, PipelineWorld) else None,
    )


def _track(world: World, schedule: Schedule, stops_at: str) -> Track:
    kernel = world.kernel
    frames = [frame_of(kernel)]
    places: list[CodePlace | None] = []

    def note(task: Task, *details: object) -> None:
        frames.append(frame_of(kernel))
        places.append(place_of(task.coroutine))

    ran = run_rule(world, RecordedChoices(schedule.choices), note, stops_at=stops_at)
    ended = tuple(task.name for task in kernel.tasks if task.is_finished)
    order = happens_before(world, schedule)
    return Track(
        steps=ran.steps,
        frames=tuple(frames),
        order=tuple(
            (earlier, later, str(order.edges[earlier, later]["why"]))
            for earlier, later in sorted(order.edges)
        ),
        ended=ended,
        places=tuple(places),
    )


def frame_of(kernel: Kernel) -> Frame:
    """Return what all parts of a kernel hold now."""
    return tuple(_part_state(part) for part in kernel.parts.values())


def _part_state(part: Part) -> PartState:
    held: Any = part.snapshot()
    if isinstance(part, Table):
        # Tables put their key first, so the first columns are what tells rows apart.
        keys = len(part._key_columns)
        return PartState(
            name=part.name,
            columns=part.columns,
            keys=keys,
            rows=tuple(tuple(_plain(cell) for cell in row) for row in held),
        )
    if isinstance(part, Counter):
        pairs = tuple((_plain(key), _plain(value)) for key, value in held)
        return PartState(name=part.name, columns=("key", "value"), keys=1, rows=pairs)
    if isinstance(part, Queue):
        items = tuple((_plain(item),) for item in held)
        return PartState(name=part.name, columns=("item",), keys=0, rows=items)
    return PartState(
        name=part.name, columns=("value",), keys=0, rows=((_plain(held),),)
    )


def _plain(value: Any) -> Any:
    try:
        return plain(value)
    except TypeError:  # a part of somebody else's may hold anything that has a text
        return str(value)


def _statements(
    world: World, tracks: list[Track | None]
) -> Mapping[str, StatementText]:
    used = {step.operation for one in tracks if one is not None for step in one.steps}
    return {
        name: StatementText(
            meaning=_first_line(statement.function),
            parameters=tuple(inspect.signature(statement.function).parameters)[1:],
        )
        for name, statement in statements_in(world).items()
        if name in used
    }


def _first_line(documented: object) -> str:
    text = (inspect.getdoc(documented) or "").strip()
    return text.splitlines()[0] if text else ""

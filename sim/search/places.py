"""Where in the code each step of a schedule stands: file and line of the await.

Knows coroutines and schedules; knows no domain. When the kernel has performed a step
and not yet resumed its task, the innermost coroutine still stands at the statement.
"""

from collections.abc import Coroutine
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, run_rule
from wavecheck.sim.task import Task
from wavecheck.sim.world import World


@dataclass(frozen=True, slots=True)
class Place:
    """A line of code.

    Attributes:
        file: as Python names it, usually an absolute path.
        line: 1-based.
        function: qualified name.
    """

    file: str
    line: int
    function: str


def places_of(world: World, schedule: Schedule) -> list[Place | None]:
    """Return where each step of a schedule was awaited; None: in no Python code.

    Args:
        world: of the schedule.
        schedule: what to run.
    """
    found: list[Place | None] = []

    def note(
        task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        found.append(_innermost(task.coroutine))

    run_rule(
        world,
        RecordedChoices(schedule.choices),
        note,
        stops_at=schedule.property_name,
    )
    return found


def _innermost(coroutine: Coroutine[Any, Any, Any]) -> Place | None:
    place = None
    awaited: Any = coroutine
    while isinstance(awaited, CoroutineType):
        frame = awaited.cr_frame
        if frame is not None:
            code = frame.f_code
            place = Place(code.co_filename, frame.f_lineno, code.co_qualname)
        awaited = awaited.cr_await
    return place

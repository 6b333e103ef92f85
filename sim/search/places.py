"""Where in the code each step of a schedule stands: file and line of the await.

Knows coroutines and schedules; knows no domain. When the kernel has performed a step
and not yet resumed its task, the innermost coroutine still stands at the statement.
"""

from typing import Any

from wavecheck.sim.blame import Place, standing_at
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, run_rule
from wavecheck.sim.task import Task
from wavecheck.sim.world import World


def places_of(world: World, schedule: Schedule) -> list[Place | None]:
    """Return where each step of a schedule was awaited; None: in no Python code.

    Of a schedule that ends by an error the last place is where that was raised.

    Args:
        world: of the schedule.
        schedule: what to run.
    """
    found: list[Place | None] = []

    def note(
        task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        found.append(standing_at(task.coroutine))

    replayed = run_rule(
        world,
        RecordedChoices(schedule.choices),
        note,
        stops_at=schedule.property_name,
    )
    violation = replayed.violations.get(schedule.property_name)
    if found and violation is not None and violation.place is not None:
        found[-1] = violation.place
    return found

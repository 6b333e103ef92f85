"""A schedule as SQL: which session sends what, in which order.

For people who are not on Python. The text is what the stores send to PostgreSQL.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from wavecheck.coordinator.sql import (
    removal_text,
    rows_text,
    statement_text,
    tables_text,
)
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.pipeline.twin import clock_offset
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.scenarios.worlds.sql_text import (
    removal_sql,
    statement_sql,
    tables_sql,
)
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.faults import FAULT_TASK_PREFIX
from wavecheck.sim.operation import Kind
from wavecheck.sim.trace import Step
from wavecheck.sim.transactions import Blocked
from wavecheck.sim.worlds import WorldBuilder

_WORDS: Final = {"commit": "COMMIT", "roll_back": "ROLLBACK"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLStep:
    """One statement of one session.

    Attributes:
        number: of the step in the schedule, 1-based.
        session: name of the task.
        sql: what it sends, without a semicolon.
        result: what the model answers.
        is_blocked: it has to wait, and its answer comes later.
    """

    number: int
    session: str
    sql: str
    result: object
    is_blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLScript:
    """A whole schedule as SQL.

    Attributes:
        title: what it shows, in one line.
        setup: makes the tables and the rows that it starts with.
        teardown: removes them.
        steps: in order.
    """

    title: str
    setup: str
    teardown: str
    steps: tuple[SQLStep, ...]

    def sessions(self) -> list[str]:
        """Return the names of the sessions, in order of their first step."""
        return list(dict.fromkeys(step.session for step in self.steps))


def sql_script(evidence: Evidence) -> SQLScript:
    """Replay a schedule in the model, and write down the SQL of each step.

    Args:
        evidence: of a schedule without faults, which no statement makes.

    Raises:
        InvalidScenario: it has faults, or its scenario has no tables in a database.
        ReplayMismatch: the schedule is not what the model does.
    """
    schedule, world = evidence.schedule, evidence.world()
    if any(step.task.startswith(FAULT_TASK_PREFIX) for step in schedule.steps):
        raise InvalidScenario(
            "the schedule has faults, and no SQL makes a process die\n"
            "next: export one that was found without --faults"
        )
    steps = evidence.replayed.steps
    write: Callable[[Step], str]
    if isinstance(world, PipelineWorld):
        setup, teardown = tables_text(), removal_text()
        store = world.store
        setup += rows_text(store.jobs, store.waves, store.batches)
        write = partial(sql_of, world.settings)
    elif isinstance(world, WorldBuilder) and world.tables:
        setup, teardown = tables_sql(world, steps), removal_sql(world)
        write = partial(statement_sql, world)
    else:
        raise InvalidScenario(
            f"scenario {schedule.scenario!r} has no tables in a database\n"
            "next: export a schedule of import-job, or of a world with w.table(...)"
        )
    return SQLScript(
        title=f"{schedule.coordinator} in {schedule.scenario}: {schedule.message}",
        setup=setup,
        teardown=teardown,
        steps=tuple(_steps(write, steps)),
    )


def _steps(write: Callable[[Step], str], steps: tuple[Step, ...]) -> Iterator[SQLStep]:
    waiting: set[str] = set()
    for step in steps:
        is_blocked = type(step.result) is Blocked
        if step.kind == Kind.SLEEP.value or step.task in waiting:
            # Sent already: it is the same statement, attempted once more.
            if not is_blocked:
                waiting.discard(step.task)
            continue
        sql = write(step)
        if not sql:
            continue
        if is_blocked:
            waiting.add(step.task)
        yield SQLStep(
            number=step.number,
            session=step.task,
            sql=sql,
            result=step.result,
            is_blocked=is_blocked,
        )


def sql_of(settings: Any, step: Step) -> str:
    """Return what a step of the pipeline sends to PostgreSQL; "": nothing.

    Args:
        settings: of the world.
        step: with its arguments and its result.
    """
    if step.operation in _WORDS:
        return _WORDS[step.operation]
    if step.operation == "begin":
        return f"BEGIN ISOLATION LEVEL {str(step.args[0]).upper()}"
    if isinstance(step.result, Exception):  # it met a lock, and is attempted again
        return ""
    stale_after = round(settings.stale_after_seconds * 1_000_000)
    lease = round(settings.lease_seconds * 1_000_000)
    late = clock_offset(
        step.operation, step.result, stale_after=stale_after, lease=lease
    )
    return statement_text(
        step.operation,
        step.args,
        now=step.time + late,
        stale_after=stale_after,
        lease=lease,
    )

"""The same execution on a real database, statement by statement.

Joins a recorded schedule, or a timed run, with a workspace in a database. Knows
scenarios and what the stores offer; prints nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from wavecheck.coordinator.sql import (
    REFUSALS,
    DatabaseUnusable,
    as_unusable,
    parse_url,
    read_batches,
    read_jobs,
    read_sends,
    read_waves,
)
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.pipeline.facts import Finding, RowFacts
from wavecheck.scenarios.pipeline.twin import PipelineTwin
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.scenarios.server.declared import DeclaredTwin
from wavecheck.scenarios.server.twin import SessionTwin
from wavecheck.scenarios.server.workspace import Workspace, version_of, workspace
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.event_loop import left
from wavecheck.sim.faults import FAULT_TASK_PREFIX
from wavecheck.sim.kernel import StepListener
from wavecheck.sim.lockstep import Disagreement, Lockstep, WaitsForLock
from wavecheck.sim.search.recorded import Entry, Script
from wavecheck.sim.search.schedule import Replayed, Schedule, replay, run_rule
from wavecheck.sim.trace import Step
from wavecheck.sim.world import World
from wavecheck.sim.worlds import WorldBuilder


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReplay:
    """What a replay on a database showed.

    Attributes:
        server: name and version.
        place: the schema or file that it worked in.
        coordinator: whose statements.
        replayed: what the model showed, up to the first disagreement.
        statements_count: statements that the database performed.
        connections_count: connections, one for each task.
        blocked: statements that the database held up, in order.
        disagreement: the first answer that differs from the model's; None: none does.
        overtaken: why the execution could not be followed to its end; "": it could.
        findings: what the rows in the database say, when all is over.
        sent_twice: (batch id, attempt, how often) of every message sent more than once.
        seconds: how long the statements took, the model's own time included.
    """

    server: str
    place: str
    coordinator: str
    replayed: Replayed
    statements_count: int
    connections_count: int
    blocked: tuple[WaitsForLock, ...]
    disagreement: Disagreement | None
    overtaken: str
    findings: tuple[Finding, ...]
    sent_twice: tuple[tuple[str, int, int], ...]
    seconds: float

    def violations(self) -> dict[str, str]:
        """Return what the rows violate of what the model violated, by property."""
        return {
            one.property_name: one.violation
            for one in self.findings
            if one.violation is not None
            and one.property_name in self.replayed.violations
        }


def replay_on_database(
    recorded: Schedule | Evidence, url: str, coordinator: str | None = None
) -> DatabaseReplay:
    """Replay a schedule in the model and on a database, in lockstep.

    Args:
        recorded: what was recorded.
        url: of the database.
        coordinator: another one, which then follows the same order of tasks as far as
            it goes; None: the recorded one.

    Raises:
        InvalidScenario: the database cannot be used, or the scenario has no tables on
            one.
        ReplayMismatch: the schedule is not what the model does.
    """
    evidence = Evidence.of(recorded)
    schedule, world = evidence.schedule, evidence.world()
    if coordinator is None:

        def run(listener: StepListener) -> Replayed:
            return replay(world, schedule, listener)

    else:
        order = [Entry(step.task) for step in schedule.steps]
        world = evidence.subject.running(coordinator).world()

        def run(listener: StepListener) -> Replayed:
            script = Script(world.kernel, order)

            def note(*details: Any) -> None:
                script.note(*details)
                listener(*details)

            return run_rule(world, script, note)

    return follow(
        world,
        run,
        url,
        coordinator=coordinator or schedule.coordinator,
        steps=() if isinstance(world, PipelineWorld) else evidence.replayed.steps,
    )


def follow(
    world: World,
    run: Callable[[StepListener], Replayed],
    url: str,
    *,
    coordinator: str,
    steps: tuple[Step, ...] = (),
) -> DatabaseReplay:
    """Run an execution of the model with a database in lockstep.

    Args:
        world: a fresh world that `run` executes.
        run: executes it, and tells a listener each step.
        url: of the database.
        coordinator: name, for the result.
        steps: of the execution, as far as they are known, for the types of columns.

    Raises:
        InvalidScenario: the database cannot be used, or the world has no tables there.
    """
    with working_in(url) as (runner, place):
        twin = twin_of(world, place, steps)
        lockstep = Lockstep(world.kernel, twin, runner)
        runner.run(twin.open())
        try:

            def listener(*details: Any) -> None:
                if lockstep.statements_count == 0:
                    with left():
                        runner.run(_connect(twin, world))
                lockstep.follow(*details)

            clock = runner.get_loop().time
            began = clock()
            replayed = run(listener)
            seconds = clock() - began
            findings, sent_twice = runner.run(_judge(place, world, twin, replayed))
            return DatabaseReplay(
                server=runner.run(version_of(place.control)),
                place=place.name,
                coordinator=coordinator,
                replayed=replayed,
                statements_count=twin.sent_count
                if isinstance(twin, DeclaredTwin)
                else lockstep.statements_count,
                connections_count=len(twin.sessions),
                blocked=tuple(lockstep.blocked),
                disagreement=lockstep.disagreement,
                overtaken=lockstep.overtaken,
                findings=findings,
                sent_twice=sent_twice,
                seconds=seconds,
            )
        finally:
            world.kernel.close()  # a replay that was cut short has tasks that wait
            runner.run(lockstep.abandon())
            runner.run(twin.close())


async def _connect(twin: SessionTwin, world: World) -> None:
    """Give each task that will make statements a connection of its own."""
    for task in world.kernel.tasks:
        if not task.name.startswith(FAULT_TASK_PREFIX):
            await twin.connect(task.name)


async def _judge(
    place: Workspace, world: World, twin: SessionTwin, replayed: Replayed
) -> tuple[tuple[Finding, ...], tuple[tuple[str, int, int], ...]]:
    """Return what the rows in the database say, and which messages were doubled."""
    if isinstance(twin, DeclaredTwin):
        # Properties are Python that looks at the model's parts: what they say holds of
        # the database where its rows are the model's.
        other = await twin.disagrees()
        undecided = f"table {other} has other rows than the model" if other else ""
        return tuple(
            Finding(
                property_name=name,
                violation=None if other else one.message,
                undecided=undecided,
            )
            for name, one in replayed.violations.items()
        ), ()
    control = place.control
    sends = await read_sends(control)
    facts = RowFacts(
        await read_jobs(control),
        await read_waves(control),
        await read_batches(control),
        sends=sends,
        plans=_pipeline(world).plans,
    )
    doubled = tuple(
        (batch_id, attempt, count)
        for (batch_id, attempt), count in Counter(sends).items()
        if count > 1
    )
    return facts.findings(), doubled


def _pipeline(world: World) -> PipelineWorld:
    assert isinstance(world, PipelineWorld)
    return world


def twin_of(
    world: World, place: Workspace, steps: tuple[Step, ...] = ()
) -> PipelineTwin | DeclaredTwin:
    """Return what performs a world's steps in a workspace.

    Raises:
        InvalidScenario: the world has no tables there.
    """
    if isinstance(world, PipelineWorld):
        return PipelineTwin(world, place)
    if isinstance(world, WorldBuilder) and world.tables:
        return DeclaredTwin(world, place, steps)
    raise InvalidScenario(
        "this scenario has no tables on a real database\n"
        "  expected  import-job, incident, or a world with w.table(...)\n"
        "next: wavecheck check import-job --save DIR records schedules that have"
    )


@contextmanager
def working_in(url: str) -> Iterator[tuple[asyncio.Runner, Workspace]]:
    """Give an event loop and a workspace; clean up however it ends."""
    stack = AsyncExitStack()
    try:
        with asyncio.Runner() as runner:
            # How a statement fails that Ctrl-C has cut off is of no use to anybody.
            runner.get_loop().set_exception_handler(lambda loop, context: None)
            place = runner.run(stack.enter_async_context(workspace(url)))
            try:
                yield runner, place
            finally:
                runner.run(stack.aclose())
    except DatabaseUnusable as error:
        raise InvalidScenario(str(error)) from error
    except REFUSALS as error:
        raise InvalidScenario(str(as_unusable(error, parse_url(url)))) from error

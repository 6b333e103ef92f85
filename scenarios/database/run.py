"""A timed run whose rows stay behind in a database, for SQL and for people.

Every statement of the run is performed there at its virtual moment, by the class that
runs in production, and its answer compared with the model's. Knows scenarios and what
the stores offer; prints nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from wavecheck.coordinator.sql import (
    REFUSALS,
    Connection,
    DatabaseUnusable,
    as_unusable,
    connected,
    create_tables,
    make_engine,
    parse_url,
    read_jobs,
    refuse_other_tables,
    remove_job,
)
from wavecheck.scenarios.database.replay import twin_of, working_in
from wavecheck.scenarios.pipeline.incident import IncidentWorld
from wavecheck.scenarios.pipeline.twin import PipelineTwin
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.scenarios.server.declared import DeclaredTwin, send_all, tables_there
from wavecheck.scenarios.server.workspace import Workspace
from wavecheck.scenarios.worlds.sql_text import removal_sql, tables_sql
from wavecheck.sim.errors import HarnessBug, InvalidScenario
from wavecheck.sim.kernel import StepListener
from wavecheck.sim.lockstep import Lockstep
from wavecheck.sim.worlds import WorldBuilder

Result = TypeVar("Result")


def run_on_database(
    world: PipelineWorld,
    run: Callable[[StepListener], Result],
    url: str,
    *,
    replaces: bool = False,
) -> tuple[Result, int]:
    """Run a world with a database in lockstep, and leave its rows there.

    Args:
        world: freshly built, on a timed kernel.
        run: runs it, and tells a listener each step.
        url: of the database; its tables are made if they are not there.
        replaces: remove what there is of the same job first.

    Returns:
        What `run` returned, and how many statements the database performed.

    Raises:
        InvalidScenario: the database cannot be used, or it has the job already.
        HarnessBug: an answer of the database is not the model's.
    """
    try:
        with asyncio.Runner() as runner:
            return _run(runner, world, run, url, replaces=replaces)
    except DatabaseUnusable as error:
        raise InvalidScenario(str(error)) from error
    except REFUSALS as error:
        raise InvalidScenario(str(as_unusable(error, parse_url(url)))) from error


def _run(
    runner: asyncio.Runner,
    world: PipelineWorld,
    run: Callable[[StepListener], Result],
    url: str,
    *,
    replaces: bool,
) -> tuple[Result, int]:
    address = parse_url(url)
    _refuse_memory(url)
    # The run can be had again, so a machine that stops may lose its rows.
    engine = make_engine(address, pool_size=2, is_durable=False)
    stack = AsyncExitStack()
    try:
        control = runner.run(stack.enter_async_context(connected(engine)))
        place = Workspace(engine=engine, control=control, name=str(address.database))
        twin = PipelineTwin(world, place, connects_each=False, epoch=_epoch_of(world))
        runner.run(_make_room(control, world, replaces=replaces))
        runner.run(twin.open())
        stack.push_async_callback(twin.close)
        lockstep = Lockstep(world.kernel, twin, runner)
        result = run(lockstep.follow)
        if lockstep.disagreement is not None:
            raise HarnessBug(str(lockstep.disagreement))
        return result, lockstep.statements_count
    finally:
        world.kernel.close()  # a run that was cut short has tasks that wait
        runner.run(stack.aclose())
        runner.run(engine.dispose())


def run_world_on_database(
    world: WorldBuilder,
    run: Callable[[StepListener], Result],
    url: str,
    *,
    replaces: bool = False,
) -> tuple[Result, int]:
    """Run a world of parts with a database in lockstep, and leave its rows there.

    Args:
        world: freshly built, on a timed kernel.
        run: runs it, and tells a listener each step.
        url: of the database; the run has a place of its own there, and the rows are
            left in tables of the world's names.
        replaces: remove tables of these names first.

    Returns:
        What `run` returned, and how many statements the database performed.

    Raises:
        InvalidScenario: the database cannot be used, has tables of these names, or the
            world has no tables there.
        HarnessBug: an answer of the database is not the model's.
    """
    _refuse_memory(url)
    with asyncio.Runner() as runner:
        if not replaces:
            runner.run(_refuse_tables(world, url))
    is_file = parse_url(url).get_backend_name() == "sqlite"
    with working_in("sqlite://" if is_file else url) as (runner, place):
        twin = twin_of(world, place)
        assert isinstance(twin, DeclaredTwin)
        lockstep = Lockstep(world.kernel, twin, runner)
        runner.run(twin.open())
        try:
            result = run(lockstep.follow)
            other = runner.run(twin.disagrees())
            if lockstep.disagreement is not None or lockstep.overtaken or other:
                raise HarnessBug(
                    str(lockstep.disagreement or lockstep.overtaken)
                    if not other
                    else f"table {other} has other rows than the model"
                )
        finally:
            world.kernel.close()
            runner.run(lockstep.abandon())
            runner.run(twin.close())
    with asyncio.Runner() as runner:
        runner.run(_leave_tables(world, url))
    return result, twin.sent_count


async def _refuse_tables(world: WorldBuilder, url: str) -> None:
    async with _connected(url) as control:
        names = await tables_there(control)
    for table in world.tables:
        if table.name in names:
            raise InvalidScenario(
                f"the database has a table {table.name!r} already\n"
                "next: --replace removes it first; or give another database"
            )


async def _leave_tables(world: WorldBuilder, url: str) -> None:
    """Make the tables of a world as they are now, in one transaction."""
    is_postgresql = parse_url(url).get_backend_name() == "postgresql"
    text = removal_sql(world) + tables_sql(world, (), is_postgresql=is_postgresql)
    async with _connected(url) as control:
        await send_all(control, text)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    engine = make_engine(parse_url(url), pool_size=2)
    try:
        async with connected(engine) as control:
            yield control
    finally:
        await engine.dispose()


def _refuse_memory(url: str) -> None:
    address = parse_url(url)
    if address.get_backend_name() == "sqlite" and not address.database:
        raise InvalidScenario(
            "rows in memory are gone with the process\nnext: --db sqlite:///FILE"
        )


async def _make_room(
    control: Connection, world: PipelineWorld, *, replaces: bool
) -> None:
    """Make the tables; see to it that the world's job is not there."""
    await refuse_other_tables(control)
    await create_tables(control)
    there = {job.job_id for job in await read_jobs(control)}
    for job in world.store.jobs:
        if job.job_id not in there:
            continue
        if not replaces:
            raise InvalidScenario(
                f"the database has job {job.job_id!r} already\n"
                "next: --replace removes it first; or give another database"
            )
        await remove_job(control, job.job_id)


def _epoch_of(world: PipelineWorld) -> int:
    """Return the ticks from 1970 to the world's time zero; 1970 if it has none."""
    return world.timeline.started_at if isinstance(world, IncidentWorld) else 0

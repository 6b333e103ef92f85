"""What every store promises, on the in-memory tables, SQLite and PostgreSQL alike.

The checks are `wavecheck.coordinator.conformance`, which a user's own store can
run too.
"""

import asyncio
import os
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from wavecheck.coordinator.conformance import CHECKS, LEASE, STALE_AFTER, NotConforming
from wavecheck.coordinator.sql import (
    SQLStore,
    add_rows,
    connected,
    create_tables,
    make_engine,
    read_batches,
    read_jobs,
    read_waves,
)
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement

SCHEMA = f"wavecheck_conformance_{os.getpid()}"


class MemoryBench:
    """The in-memory tables on a kernel; a check is a task."""

    def __init__(self, store_type=PipelineStore):
        self.kernel = Kernel(timed=True)
        self.db = store_type(self.kernel, stale_after=STALE_AFTER, lease=LEASE)

    def set_clock(self, now):
        self.kernel._now = now

    async def add(self, jobs, waves, batches):
        for job in jobs:
            self.db.add_job(job.job_id, job.parents_total)
        for wave in waves:
            self.db.waves.insert(wave)
        for batch in batches:
            self.db.batches.insert(batch)
        self.kernel.journal.clear()  # set-up, not what a statement did

    async def read(self):
        db = self.db
        return list(db.jobs), list(db.waves), list(db.batches)

    async def together(self, *statements):
        return [await statement for statement in statements]


class SQLBench:
    """A store in a database; its clock is a number."""

    def __init__(self, engine, store_type=SQLStore):
        self.engine = engine
        self.now = 0
        self.db = store_type(
            engine,
            clock=lambda: self.now,
            wait=lambda: asyncio.sleep(0.01),
            stale_after=STALE_AFTER,
            lease=LEASE,
        )

    def set_clock(self, now):
        self.now = now

    async def add(self, jobs, waves, batches):
        async with connected(self.engine) as connection:
            await add_rows(connection, jobs, waves, batches)

    async def read(self):
        async with connected(self.engine) as connection:
            return [
                list(await read(connection))
                for read in (read_jobs, read_waves, read_batches)
            ]

    async def together(self, *statements):
        return list(await asyncio.gather(*statements))


@asynccontextmanager
async def sql_bench(engine, *, schema=None, store_type=SQLStore):
    try:
        async with connected(engine) as connection:
            if schema is not None:
                await connection.execute(text(f"CREATE SCHEMA {schema}"))
            await create_tables(connection)
        yield SQLBench(engine, store_type)
    finally:
        if schema is not None:
            async with connected(engine) as connection:
                await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        await engine.dispose()


def run_in_memory(check, store_type=PipelineStore):
    bench = MemoryBench(store_type)
    bench.kernel.spawn(check(bench), "check")
    bench.kernel.run_to_quiescence()
    assert bench.kernel.tasks[0].is_finished


def run_on(engine, check, **options):
    async def run():
        async with sql_bench(engine, **options) as bench:
            await asyncio.wait_for(check(bench), 60)

    asyncio.run(run())


@pytest.mark.parametrize("name", CHECKS)
def test_in_memory_tables(name):
    """The simulator's store keeps the promise."""
    run_in_memory(CHECKS[name])


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_sqlite(name, kind, tmp_path):
    """SQLite keeps the promise, in a file and in memory."""
    url = f"sqlite:///{tmp_path}/test.db" if kind == "file" else "sqlite://"
    run_on(make_engine(url), CHECKS[name])


@pytest.mark.postgres
@pytest.mark.parametrize("name", CHECKS)
def test_postgresql(name, postgres_url):
    """PostgreSQL keeps the promise, with ten connections at work."""
    engine = make_engine(postgres_url, schema=SCHEMA, pool_size=10)
    run_on(engine, CHECKS[name], schema=SCHEMA)


class UnguardedClaim(PipelineStore):
    """Claims a batch whatever it is."""

    @statement
    def claim_batch(self, batch_id):
        PipelineStore.mark_dispatched.statement.function(self, batch_id)
        return True


class ImpatientReaper(SQLStore):
    """Ends a lease at the moment at which it is still valid."""

    async def expire_leases(self, job_id):
        clock, self.clock = self.clock, lambda: clock() + 1
        try:
            return await super().expire_leases(job_id)
        finally:
            self.clock = clock


class SelectsThenInserts(SQLStore):
    """Works out the covered parents in one statement and inserts in another."""

    async def create_uncovered_batch(self, job_id, parent_wave, wave_number, limit):
        async with connected(self.source) as connection:
            batches = await read_batches(connection)
        await asyncio.sleep(0.05)
        held = {
            parent
            for one in batches
            for parent in one.parent_ids
            if one.wave_number == wave_number
        }
        due = [
            parent
            for one in batches
            for parent in one.parent_ids
            if one.status == "completed" and parent not in held
        ]
        if len(due) < limit:
            return None
        return await self.insert_derived_batch(job_id, wave_number, tuple(due[:limit]))


def test_an_unguarded_claim_is_caught():
    """The suite sees a claim that succeeds more than once."""
    with pytest.raises(CoordinatorError, match="claims that succeed"):
        run_in_memory(CHECKS["claims_succeed_once"], UnguardedClaim)


@pytest.mark.parametrize(
    ("store_type", "name", "message"),
    [
        (ImpatientReaper, "leases_expire", "none is over\n  expected  0"),
        (SelectsThenInserts, "parents_are_covered_once", "covered\n  expected"),
    ],
)
def test_faulty_sql_stores_are_caught(store_type, name, message, tmp_path):
    """The suite sees a lease that ends early, and a check apart from its insert."""
    engine = make_engine(f"sqlite:///{tmp_path}/test.db")
    with pytest.raises(NotConforming, match=message):
        run_on(engine, CHECKS[name], store_type=store_type)

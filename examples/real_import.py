r"""A small real import: several processes, one database, the verified class.

    python examples/real_import.py sqlite:///import.db --workers 4 --batches 400
    python examples/real_import.py postgresql://app@localhost/scratch \
        -c leased --kills 5

Half of the batches are parents (SalesOrder), the other half is derived from them as
they finish (TransactionLine). Each worker is a process of its own; what it imports goes
into the table `imported`. At the end every batch must be completed, every record
imported, and no message sent twice. One process more starts the job and then polls.
`--kills` ends workers by SIGKILL, spread at random over the job while batches are under
way, and starts others in their place: that takes `leased`, whose claims run out after
`--lease` seconds.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from wavecheck.coordinator import (
    VARIANTS,
    Batch,
    BatchState,
    Coordinator,
    ImportPlan,
    Job,
    JobState,
    Leased,
    Wave,
    WaveKind,
    WaveState,
)
from wavecheck.coordinator.listener import LISTENERS
from wavecheck.coordinator.sql import (
    SQLStore,
    add_rows,
    connected,
    create_tables,
    make_engine,
    read_jobs,
    read_sends,
    remove_job,
)
from wavecheck.coordinator.worker import WORKERS, Worker


class Bounded(Leased):
    """`leased`, which hands out no more than its workers can do within a lease."""

    waiting_max = 100


RULES: dict[str, type[Coordinator]] = {**VARIANTS, "leased": Bounded}
JOB = "import-1"
PROCESSES = get_context("fork")


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    url: str
    coordinator: str
    workers: int
    batches: int
    kills: int
    lease: float
    service_ms: float
    seed: int

    def plan(self) -> ImportPlan:
        """Return the job: one derived batch for each parent."""
        return ImportPlan(
            job_id=JOB,
            parent_wave=1,
            derived_wave=2,
            parent_batches=self.batches // 2,
            parents_per_batch=1,
            threshold=0.1,
        )


def make_store(engine: AsyncEngine, lease_seconds: float) -> SQLStore:
    """Return the store as a service makes it: its clock, its way to wait."""
    return SQLStore(
        engine,
        clock=lambda: time.time_ns() // 1_000,
        wait=lambda: asyncio.sleep(0.02),
        stale_after=600_000_000,
        lease=round(lease_seconds * 1_000_000),
    )


# One worker process -------------------------------------------------------------


def make_worker(options: Options, store: SQLStore, engine: AsyncEngine) -> Worker:
    """Put the verified classes together."""
    coordinator_type, plan = RULES[options.coordinator], options.plan()

    async def import_records(batch: Batch) -> None:
        """Import what a batch stands for; a record that is there already stays."""
        await asyncio.sleep(options.service_ms / 1_000)
        async with engine.connect() as connection:
            await connection.execute(
                text(
                    "INSERT INTO imported (wave_number, record, batch_id)"
                    " VALUES (:wave, :record, :batch) ON CONFLICT DO NOTHING"
                ),
                [
                    {
                        "wave": batch.wave_number,
                        "record": record,
                        "batch": batch.batch_id,
                    }
                    for record in batch.parent_ids
                ],
            )

    return WORKERS[coordinator_type.worker_policy](
        db=store,
        coordinator=coordinator_type(store),
        listener=LISTENERS[coordinator_type.listener_policy](store, plan),
        plan=plan,
        process=import_records,
        parents_call=True,
        derived_call=True,
    )


async def serve(options: Options, number: int, tallies: Any) -> None:
    """Work until the job is done; process 0 starts the job, and then polls."""
    engine = make_engine(options.url, pool_size=2)

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def count(*details: object) -> None:
        tallies[number] += 1

    worker = make_worker(options, make_store(engine, options.lease), engine)

    async def poll() -> None:
        """Now and then do what somebody may have left undone."""
        while True:
            await worker.recover()
            await asyncio.sleep(options.lease / 3)

    async def watch() -> None:
        while True:
            async with connected(engine) as connection:
                jobs = await read_jobs(connection)
            if jobs[0].status is JobState.COMPLETED:
                return
            await asyncio.sleep(0.2)

    task = asyncio.create_task(worker.run() if number else poll())
    done = asyncio.create_task(watch())
    await asyncio.wait([done, task], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()  # it never ends by itself: this raises
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await engine.dispose()


def work(options: Options, number: int, tallies: Any) -> None:
    """Run one process."""
    asyncio.run(serve(options, number, tallies))


# The main process ---------------------------------------------------------------


async def set_up(options: Options) -> None:
    """Make the tables and the rows that the job starts with."""
    plan = options.plan()
    engine = make_engine(options.url)
    async with connected(engine) as connection:
        await create_tables(connection)
        await remove_job(connection, JOB)
        await connection.execute(text("DROP TABLE IF EXISTS imported"))
        await connection.execute(
            text(
                "CREATE TABLE imported (wave_number integer, record text,"
                " batch_id text, PRIMARY KEY (wave_number, record))"
            )
        )
        await add_rows(
            connection,
            [Job(JOB, JobState.PROCESSING, plan.parent_batches, None)],
            [
                Wave(JOB, 1, WaveKind.MAIN, "SalesOrder", WaveState.PENDING, True, 0),
                Wave(
                    JOB,
                    2,
                    WaveKind.DERIVED,
                    "TransactionLine",
                    WaveState.PENDING,
                    False,
                    0,
                ),
            ],
            [
                Batch(
                    f"{JOB}-w1-{number:06d}",
                    JOB,
                    1,
                    BatchState.PENDING,
                    (f"order-{number:06d}",),
                    0,
                    None,
                    None,
                )
                for number in range(1, plan.parent_batches + 1)
            ],
        )
    await engine.dispose()


async def check(options: Options) -> dict[str, int]:
    """Count what must be, and what must not be, when all is done."""
    engine = make_engine(options.url)
    async with connected(engine) as connection:
        sends = await read_sends(connection)
        counts = {
            "completed": "SELECT count(*) FROM wave_batches WHERE status = 'completed'",
            "unfinished": "SELECT count(*) FROM wave_batches"
            " WHERE status <> 'completed'",
            "imported": "SELECT count(*) FROM imported",
            "covered": "SELECT count(DISTINCT record) FROM imported"
            " WHERE wave_number = 2",
            "retaken": "SELECT count(*) FROM wave_batches WHERE attempt > 1",
        }
        found = {
            name: (await connection.execute(text(query))).scalar_one()
            for name, query in counts.items()
        }
    await engine.dispose()
    return {**found, "sent_twice": len(sends) - len(set(sends))}


async def progress(engine: AsyncEngine) -> tuple[int, int]:
    """Return how many batches are completed, and how many are under way."""
    async with connected(engine) as connection:
        rows = await connection.execute(
            text("SELECT status, count(*) FROM wave_batches GROUP BY status")
        )
        counts = {one[0]: one[1] for one in rows}
    return (
        counts.get(BatchState.COMPLETED, 0),
        counts.get(BatchState.DISPATCHED, 0) + counts.get(BatchState.PROCESSING, 0),
    )


def run(options: Options) -> dict[str, Any]:
    """Run the whole import; return what was counted."""
    asyncio.run(set_up(options))
    # Plain shared numbers: a worker that dies can leave no lock behind.
    tallies = PROCESSES.Array("q", 1 + options.workers, lock=False)
    draw = random.Random(options.seed)
    began = time.perf_counter()

    def start(number: int) -> BaseProcess:
        process = PROCESSES.Process(target=work, args=(options, number, tallies))
        process.start()
        return process

    processes = [start(number) for number in range(1 + options.workers)]
    kill_at = sorted(
        draw.randrange(options.batches * 3 // 4) for _ in range(options.kills)
    )
    killed = 0
    engine = make_engine(options.url)
    with asyncio.Runner() as runner:
        while any(one.is_alive() for one in processes):
            time.sleep(0.05 if killed == options.kills else 0.01)
            if killed == options.kills:
                continue
            completed, under_way = runner.run(progress(engine))
            number = draw.randint(1, options.workers)  # workers, not the poller
            victim = processes[number]
            if completed >= kill_at[killed] and under_way and victim.is_alive():
                os.kill(victim.pid or 0, signal.SIGKILL)
                victim.join()
                processes[number] = start(number)
                killed += 1
        runner.run(engine.dispose())
    seconds = time.perf_counter() - began
    failed = sum(one.exitcode != 0 for one in processes)
    statements = sum(tallies)
    return {
        **asyncio.run(check(options)),
        "workers": options.workers,
        "processes_failed": failed,
        "workers_killed": killed,
        "statements": statements,
        "seconds": round(seconds, 2),
        "statements_per_second": round(statements / seconds),
    }


def main() -> int:
    """Run it from the command line; 0: nothing was lost and nothing came twice."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("-c", "--coordinator", default="claiming", choices=RULES)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--lease", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--service-ms", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    options = Options(**vars(parser.parse_args()))
    found = run(options)
    print(json.dumps(found))
    is_whole = (
        found["unfinished"] == 0
        and found["completed"] == found["imported"] == options.batches
        and found["covered"] == options.batches // 2
        and found["sent_twice"] == 0
    )
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())

"""From the database's rows to the protocol's, and the rows that a job starts with."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from wavecheck.coordinator.sql.errors import DatabaseUnusable
from wavecheck.coordinator.sql.schema import (
    BATCHES,
    CACHE,
    FINISHED,
    JOBS,
    METADATA,
    QUEUE,
    WAVES,
)
from wavecheck.coordinator.sql.transactions import in_one_transaction
from wavecheck.coordinator.states import (
    Batch,
    BatchState,
    Job,
    JobState,
    Wave,
    WaveKind,
    WaveState,
)


def job_of(row: Sequence[Any]) -> Job:
    """Return one row of `jobs` with its types."""
    job_id, status, parents_total, completed_at = row
    return Job(job_id, JobState(status), parents_total, completed_at)


def wave_of(row: Sequence[Any]) -> Wave:
    """Return one row of `waves` with its types."""
    job_id, wave_number, kind, record_type, status, is_sealed, updated_at = row
    return Wave(
        job_id=job_id,
        wave_number=wave_number,
        kind=WaveKind(kind),
        record_type=record_type,
        status=WaveState(status),
        is_sealed=is_sealed,
        updated_at=updated_at,
    )


def batch_of(row: Sequence[Any]) -> Batch:
    """Return one row of `wave_batches` with its types."""
    batch_id, job_id, wave_number, status, parent_ids, *rest = row
    return Batch(
        batch_id, job_id, wave_number, BatchState(status), tuple(parent_ids), *rest
    )


async def create_tables(connection: AsyncConnection) -> None:
    """Make the tables that are not there yet."""
    await connection.run_sync(METADATA.create_all)


async def add_rows(
    connection: AsyncConnection,
    jobs: Sequence[Job],
    waves: Sequence[Wave],
    batches: Sequence[Batch],
) -> None:
    """Insert the rows that a job starts with, in one transaction."""
    async with in_one_transaction(connection):
        for table, rows in ((JOBS, jobs), (WAVES, waves), (BATCHES, batches)):
            if rows:
                await connection.execute(insert(table), [row._asdict() for row in rows])


async def read_jobs(connection: AsyncConnection) -> tuple[Job, ...]:
    """Read every job, ascending by id."""
    found = await connection.execute(select(JOBS).order_by(JOBS.c.job_id))
    return tuple(job_of(row) for row in found)


async def read_waves(connection: AsyncConnection) -> tuple[Wave, ...]:
    """Read every wave, ascending by its key."""
    by_key = select(WAVES).order_by(WAVES.c.job_id, WAVES.c.wave_number)
    return tuple(wave_of(row) for row in await connection.execute(by_key))


async def read_batches(connection: AsyncConnection) -> tuple[Batch, ...]:
    """Read every batch, ascending by id."""
    by_id = select(BATCHES).order_by(BATCHES.c.batch_id)
    return tuple(batch_of(row) for row in await connection.execute(by_id))


async def read_sends(connection: AsyncConnection) -> tuple[tuple[str, int], ...]:
    """Read (batch id, attempt) of every message ever sent, oldest first."""
    found = await connection.execute(
        select(QUEUE.c.batch_id, QUEUE.c.attempt)
        .where(QUEUE.c.sent_at.is_not(None))
        .order_by(QUEUE.c.message_id)
    )
    return tuple((batch_id, attempt) for batch_id, attempt in found)


async def refuse_other_tables(connection: AsyncConnection) -> None:
    """Refuse tables that have a store's names and not its columns.

    Raises:
        DatabaseUnusable: a column is missing.
    """
    missing = await connection.run_sync(_missing_columns)
    if missing:
        raise DatabaseUnusable(
            f"the database has a table {missing[0]!r} without a column {missing[1]!r}\n"
            "next: give another database, or another schema of it"
        )


def _missing_columns(connection: Connection) -> tuple[str, str] | None:
    known = inspect(connection)
    there = known.get_table_names()
    for table in METADATA.sorted_tables:
        if table.name not in there:
            continue
        names = [column["name"] for column in known.get_columns(table.name)]
        for column in table.columns:
            if column.name not in names:
                return table.name, column.name
    return None


async def remove_job(connection: AsyncConnection, job_id: str) -> None:
    """Remove everything of one job, in one transaction."""
    of_job = select(BATCHES.c.batch_id).where(BATCHES.c.job_id == job_id)
    async with in_one_transaction(connection):
        await connection.execute(delete(QUEUE).where(QUEUE.c.batch_id.in_(of_job)))
        for table in (CACHE, FINISHED, BATCHES, WAVES, JOBS):
            await connection.execute(delete(table).where(table.c.job_id == job_id))

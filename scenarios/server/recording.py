"""Putting things as they are told to be: what no statement of the protocol does.

For set-up, for events from outside (a recorded creation, a fault) and for reading what
there is. Knows the schema; who decides what happens is somebody else.
"""

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from wavecheck.coordinator.sql.schema import (
    BATCHES,
    CACHE,
    FINISHED,
    JOBS,
    QUEUE,
    WAVES,
)
from wavecheck.coordinator.states import Batch, Job, Wave


async def put_row(connection: AsyncConnection, row: Job | Wave | Batch) -> None:
    """Insert a row, or make the row with its key equal to it."""
    table: Table = {Job: JOBS, Wave: WAVES, Batch: BATCHES}[type(row)]
    values = row._asdict()
    is_same = [column == values[column.name] for column in table.primary_key]
    changed = await connection.execute(update(table).where(*is_same).values(values))
    if not changed.rowcount:
        await connection.execute(insert(table).values(values))


async def return_message(
    connection: AsyncConnection, batch_id: str, attempt: int
) -> None:
    """Put a message at the end of the queue that no coordinator has sent."""
    await connection.execute(
        insert(QUEUE).values(batch_id=batch_id, attempt=attempt, sent_at=None)
    )


async def lose_message(
    connection: AsyncConnection, batch_id: str, attempt: int, now: int
) -> None:
    """Take the oldest such message from the queue; nobody gets it."""
    oldest = (
        select(QUEUE.c.message_id)
        .where(QUEUE.c.batch_id == batch_id, QUEUE.c.attempt == attempt)
        .where(QUEUE.c.taken_at.is_(None))
        .order_by(QUEUE.c.message_id)
        .limit(1)
        .scalar_subquery()
    )
    await connection.execute(
        update(QUEUE).where(QUEUE.c.message_id == oldest).values(taken_at=now)
    )


async def put_parent(connection: AsyncConnection, job_id: str, parent_id: str) -> None:
    """Put an id at the end of the listeners' cache."""
    await connection.execute(insert(CACHE).values(job_id=job_id, parent_id=parent_id))


async def lose_parent(connection: AsyncConnection, job_id: str, parent_id: str) -> None:
    """Take the oldest such id from the listeners' cache."""
    oldest = (
        select(CACHE.c.entry_id)
        .where(CACHE.c.job_id == job_id, CACHE.c.parent_id == parent_id)
        .order_by(CACHE.c.entry_id)
        .limit(1)
        .scalar_subquery()
    )
    await connection.execute(delete(CACHE).where(CACHE.c.entry_id == oldest))


async def put_flag(connection: AsyncConnection, job_id: str, *, is_set: bool) -> None:
    """Set or clear the listeners' flag."""
    await connection.execute(delete(FINISHED).where(FINISHED.c.job_id == job_id))
    if is_set:
        await connection.execute(insert(FINISHED).values(job_id=job_id))

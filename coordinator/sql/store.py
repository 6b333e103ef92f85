"""The protocol on a real database: one method, one SQL statement.

Implements `Database`, `ListenerDatabase` and `WorkerDatabase`. The statements are in
files of their own; here they are given their values, and the answers their types. Knows
no clock: what the time is, and how to wait, are arguments.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from wavecheck.coordinator.protocol import Isolation, StatementFailed
from wavecheck.coordinator.sql import dispatching, listening, working
from wavecheck.coordinator.sql.errors import as_statement_failure
from wavecheck.coordinator.sql.rows import batch_of, wave_of
from wavecheck.coordinator.sql.transactions import begin_text, in_one_transaction
from wavecheck.coordinator.states import BatchState, Delivery, Wave, WaveState

Clock = Callable[[], int]
"""Returns the time now, as microseconds since 1970."""

Wait = Callable[[], Awaitable[None]]
"""Called when there is no message; returns when it is time to look again."""

_RACES_MAX = 1_000


class SQLStore:
    """Jobs, waves, batches, the queue and the listeners' cache, in a database.

    Args:
        source: an engine, whose pool gives each statement a connection and commits it;
            or one connection, whose owner decides what is a transaction.
        clock: what time it is.
        wait: called when the queue is empty.
        stale_after: microseconds without a change of status after which a wave is
            stale.
        lease: microseconds for which a leased batch is left alone.

    Raises (every statement):
        StatementFailed: another process was in the way (a deadlock, a serialization
            failure, a lock); nothing was changed and a retry may succeed.
        KeyError: the row that the statement is about does not exist. A guarded update
            cannot tell that from a guard that does not hold, and returns False.
    """

    def __init__(
        self,
        source: AsyncEngine | AsyncConnection,
        *,
        clock: Clock,
        wait: Wait,
        stale_after: int,
        lease: int,
    ) -> None:
        self.source = source
        self.clock = clock
        self.wait = wait
        self.stale_after = stale_after
        self.lease = lease
        self._take_batch = working.TAKE_BATCH[source.dialect.name]
        self._listener = listening.LISTENER_STATEMENTS[source.dialect.name]

    @asynccontextmanager
    async def transaction(
        self, isolation: Isolation = Isolation.READ_COMMITTED
    ) -> AsyncIterator["SQLTransaction"]:
        """Begin a transaction; commit it at the end of the block, roll back on error.

        SQLite has one level: the transaction is its only writer from the start.
        """
        source = self.source
        assert isinstance(source, AsyncEngine), "a transaction in a transaction"
        async with source.connect() as connection:
            begin = begin_text(connection.dialect.name, isolation)
            async with in_one_transaction(connection, begin):
                yield SQLTransaction(
                    connection,
                    clock=self.clock,
                    wait=self.wait,
                    stale_after=self.stale_after,
                    lease=self.lease,
                )

    # Statements of the coordinator --------------------------------------------------

    async def open_waves(self, job_id: str) -> tuple[Wave, ...]:
        """Select the waves that are not completed and have batches, ascending."""
        found = await self._rows(dispatching.OPEN_WAVES, of_job=job_id)
        return tuple(wave_of(row) for row in found)

    async def wave_status(self, job_id: str, wave_number: int) -> WaveState:
        """Select the status of one wave."""
        found = await self._rows(
            dispatching.WAVE_STATUS, of_job=job_id, of_wave=wave_number
        )
        return WaveState(_only(found, "waves", (job_id, wave_number))[0])

    async def count_batches(
        self, job_id: str, wave_number: int, *states: BatchState
    ) -> int:
        """Count the batches of one wave that are in one of the states."""
        found = await self._rows(
            dispatching.COUNT_BATCHES,
            of_job=job_id,
            of_wave=wave_number,
            states=list(states),
        )
        return int(found[0][0])

    async def pending_batches(self, job_id: str, wave_number: int) -> tuple[str, ...]:
        """Select the ids of the pending batches of one wave, ascending."""
        found = await self._rows(
            dispatching.PENDING_BATCHES, of_job=job_id, of_wave=wave_number
        )
        return tuple(row[0] for row in found)

    async def is_stale(self, job_id: str, wave_number: int) -> bool:
        """Select whether the wave's status last changed too long ago."""
        found = await self._rows(
            dispatching.IS_STALE,
            of_job=job_id,
            of_wave=wave_number,
            stale_before=self.clock() - self.stale_after,
        )
        return bool(_only(found, "waves", (job_id, wave_number))[0])

    async def set_wave_status(
        self, job_id: str, wave_number: int, status: WaveState
    ) -> None:
        """Update the status of one wave, whatever it was."""
        changed = await self._changed(
            dispatching.SET_WAVE_STATUS,
            of_job=job_id,
            of_wave=wave_number,
            to_status=status,
            now=self.clock(),
        )
        _one(changed, "waves", (job_id, wave_number))

    async def compare_and_set_wave(
        self, job_id: str, wave_number: int, expected: WaveState, status: WaveState
    ) -> bool:
        """Update the status of one wave if it is `expected`; say whether it was."""
        return (
            await self._changed(
                dispatching.COMPARE_AND_SET_WAVE,
                of_job=job_id,
                of_wave=wave_number,
                expected=expected,
                to_status=status,
                now=self.clock(),
            )
            == 1
        )

    async def mark_dispatched(self, batch_id: str) -> None:
        """Update a batch to DISPATCHED, whatever it was."""
        changed = await self._changed(
            dispatching.MARK_DISPATCHED, of_batch=batch_id, now=self.clock()
        )
        _one(changed, "wave_batches", batch_id)

    async def claim_batch(self, batch_id: str) -> bool:
        """Update a batch to DISPATCHED if it is PENDING; say whether it was."""
        return (
            await self._changed(
                dispatching.CLAIM_BATCH, of_batch=batch_id, now=self.clock()
            )
            == 1
        )

    async def lease_batch(self, batch_id: str) -> int:
        """Claim a batch with a lease if it is PENDING; return the attempt, or 0."""
        now = self.clock()
        found = await self._rows(
            dispatching.LEASE_BATCH, of_batch=batch_id, now=now, until=now + self.lease
        )
        return int(found[0][0]) if found else 0

    async def enqueue(self, batch_id: str, attempt: int = 0) -> None:
        """Send the message that lets a worker take the batch."""
        await self._changed(
            dispatching.ENQUEUE,
            of_batch=batch_id,
            of_attempt=attempt,
            now=self.clock(),
        )

    async def finish_wave(self, job_id: str, wave_number: int) -> bool:
        """Complete a processing wave that is sealed and has no unfinished batch."""
        return (
            await self._changed(
                dispatching.FINISH_WAVE,
                of_job=job_id,
                of_wave=wave_number,
                now=self.clock(),
            )
            == 1
        )

    async def finish_job(self, job_id: str, waits_for_derived_waves: bool) -> bool:
        """Complete the job if its waves are: all of them, or the main ones only."""
        return (
            await self._changed(
                dispatching.FINISH_JOB,
                of_job=job_id,
                waits=waits_for_derived_waves,
                now=self.clock(),
            )
            == 1
        )

    # Statements of the listener -----------------------------------------------------

    async def accumulate_parents(
        self, job_id: str, parent_ids: tuple[str, ...]
    ) -> None:
        """Append ids of finished parents to the job's entry in the cache."""
        if parent_ids:
            entries = [{"job_id": job_id, "parent_id": one} for one in parent_ids]
            await self._execute(listening.ACCUMULATE.values(entries), {})

    async def take_parents(self, job_id: str, limit: int) -> tuple[str, ...]:
        """Remove up to `limit` accumulated ids, oldest first, and return them."""
        found = await self._rows(listening.TAKE_PARENTS, of_job=job_id, most=limit)
        return tuple(parent_id for _, parent_id in sorted(map(tuple, found)))

    async def count_accumulated(self, job_id: str) -> int:
        """Read how many accumulated ids wait in the cache."""
        found = await self._rows(listening.COUNT_ACCUMULATED, of_job=job_id)
        return int(found[0][0])

    async def is_creation_finished(self, job_id: str) -> bool:
        """Read the listener's flag."""
        found = await self._rows(listening.IS_CREATION_FINISHED, of_job=job_id)
        return bool(found[0][0])

    async def set_creation_finished(self, job_id: str) -> None:
        """Set the listener's flag."""
        await self._changed(listening.SET_CREATION_FINISHED, of_job=job_id)

    async def insert_derived_batch(
        self, job_id: str, wave_number: int, parent_ids: tuple[str, ...]
    ) -> str:
        """Insert one pending batch made from these parents; return its id."""
        for _ in range(_RACES_MAX):
            found = await self._rows(
                self._listener.insert_derived,
                of_job=job_id,
                of_wave=wave_number,
                ids=list(parent_ids),
                now=self.clock(),
            )
            if found:
                return str(found[0][0])
        raise _lost_race("insert_derived_batch")

    async def create_uncovered_batch(
        self, job_id: str, parent_wave: int, wave_number: int, limit: int
    ) -> str | None:
        """Insert one batch from completed parents that are in no derived batch yet."""
        for _ in range(_RACES_MAX):
            found = await self._rows(
                self._listener.create_uncovered,
                of_job=job_id,
                of_parents=parent_wave,
                of_wave=wave_number,
                most=limit,
                now=self.clock(),
            )
            if found and found[0][0] is not None:
                return str(found[0][0])
            if not found or not found[0][1]:
                return None
        raise _lost_race("create_uncovered_batch")

    async def seal_wave(self, job_id: str, wave_number: int) -> bool:
        """Seal the wave if its batches cover every parent; say whether they do."""
        return (
            await self._changed(self._listener.seal, of_job=job_id, of_wave=wave_number)
            == 1
        )

    # Statements of the worker -------------------------------------------------------

    async def take_batch(self) -> Delivery:
        """Wait for the next message and read the batch that it names."""
        while True:
            found = await self._rows(self._take_batch, now=self.clock())
            if found:
                break
            await self.wait()
        attempt, *row = found[0]
        if row[1] is None:
            raise KeyError(f"wave_batches has no row with key {row[0]!r}")
        return Delivery(batch_of(row), attempt)

    async def start_batch(self, batch_id: str) -> None:
        """Update a batch to PROCESSING, whatever it was."""
        changed = await self._changed(working.START_BATCH, of_batch=batch_id)
        _one(changed, "wave_batches", batch_id)

    async def finish_batch(self, batch_id: str) -> None:
        """Update a batch to COMPLETED, whatever it was."""
        changed = await self._changed(
            working.FINISH_BATCH, of_batch=batch_id, now=self.clock()
        )
        _one(changed, "wave_batches", batch_id)

    async def start_leased(self, batch_id: str, attempt: int) -> bool:
        """Update a batch to PROCESSING if this attempt is the one DISPATCHED."""
        return (
            await self._changed(
                working.START_LEASED,
                of_batch=batch_id,
                of_attempt=attempt,
                until=self.clock() + self.lease,
            )
            == 1
        )

    async def finish_leased(self, batch_id: str, attempt: int) -> bool:
        """Update a batch to COMPLETED if this attempt is the one PROCESSING."""
        return (
            await self._changed(
                working.FINISH_LEASED,
                of_batch=batch_id,
                of_attempt=attempt,
                now=self.clock(),
            )
            == 1
        )

    async def expire_leases(self, job_id: str) -> int:
        """Set active batches whose lease is over back to PENDING; return how many."""
        return await self._changed(
            working.EXPIRE_LEASES, of_job=job_id, now=self.clock()
        )

    # One statement ------------------------------------------------------------------

    async def _rows(self, statement: Executable, **values: Any) -> list[Any]:
        result = await self._execute(statement, values)
        return list(result.fetchall())

    async def _changed(self, statement: Executable, **values: Any) -> int:
        result = await self._execute(statement, values)
        return result.rowcount

    async def _execute(
        self, statement: Executable, values: Mapping[str, Any]
    ) -> CursorResult[Any]:
        source = self.source
        try:
            if isinstance(source, AsyncConnection):
                return await source.execute(statement, values)
            async with source.connect() as connection:
                return await connection.execute(statement, values)
        except DBAPIError as error:
            failure = as_statement_failure(error)
            if failure is None:
                raise
            raise failure from error


class SQLTransaction(SQLStore):
    """The same statements in one transaction, and those that lock."""

    async def lock_wave(self, job_id: str, wave_number: int) -> WaveState:
        """Select the status of one wave FOR UPDATE."""
        found = await self._rows(
            dispatching.LOCK_WAVE, of_job=job_id, of_wave=wave_number
        )
        return WaveState(_only(found, "waves", (job_id, wave_number))[0])

    async def lock_pending_batches(
        self,
        job_id: str,
        wave_number: int,
        limit: int | None = None,
        skip_locked: bool = False,
    ) -> tuple[str, ...]:
        """Select the ids of pending batches of one wave FOR UPDATE, ascending."""
        statement = dispatching.lock_pending(limit=limit, skip_locked=skip_locked)
        found = await self._rows(statement, of_job=job_id, of_wave=wave_number)
        return tuple(row[0] for row in found)


def _only(found: list[Any], table: str, key: object) -> Any:
    if not found:
        raise KeyError(f"{table} has no row with key {key!r}")
    return found[0]


def _lost_race(statement: str) -> StatementFailed:
    return StatementFailed(f"{statement}: others were faster {_RACES_MAX} times")


def _one(changed: int, table: str, key: object) -> None:
    if changed != 1:
        raise KeyError(f"{table} has no row with key {key!r}")

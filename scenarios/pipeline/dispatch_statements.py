"""The statements of a coordinator, on whatever holds the rows.

One method, one atomic statement, whether the rows are the tables themselves or a
transaction's view of them. Knows the rows; knows nothing of who calls it, nor whether
it is in a transaction.
"""

from typing import Any, Protocol, TypeVar

from wavecheck.coordinator import (
    Batch,
    BatchState,
    Job,
    JobState,
    Wave,
    WaveKind,
    WaveState,
)
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, statement

Row = TypeVar("Row", bound=tuple[Any, ...])


class Rows(Protocol[Row]):
    """What statements need of a table; its methods are those of `sim.parts.Table`."""

    def get(self, key: Any) -> Row:
        """Return the row with this key."""
        ...

    def select(self, **equal: Any) -> list[Row]:
        """Return the rows whose columns have these values, ascending by key."""
        ...

    def count(self, **equal: Any) -> int:
        """Count the rows whose columns have these values."""
        ...

    def update(self, key: Any, /, **columns: Any) -> None:
        """Set columns of one row."""
        ...


class DispatchStatements:
    """What a coordinator may ask; implements `Statements` of the protocol.

    Args:
        kernel: whose steps the statements are.
        stale_after: ticks without a change of status after which a wave is stale; in an
            untimed run staleness is a choice that goes both ways.
        lease: ticks for which a leased batch is left alone.

    Attributes:
        jobs: rows of `jobs`.
        waves: rows of `waves`.
        batches: rows of `wave_batches`.
    """

    jobs: Rows[Job]
    waves: Rows[Wave]
    batches: Rows[Batch]

    def __init__(self, kernel: Kernel, *, stale_after: int, lease: int) -> None:
        self._kernel = kernel
        self._stale_after = stale_after
        self._lease = lease

    def _send(self, batch_id: str, attempt: int) -> None:
        """Put a message on the queue."""
        raise NotImplementedError

    def _now(self) -> int:
        return int(self._kernel.now)

    def unfinished_count(self, job_id: str, wave_number: int) -> int:
        """Count the batches of a wave that are not completed."""
        batches = self.batches
        return batches.count(job_id=job_id, wave_number=wave_number) - batches.count(
            job_id=job_id, wave_number=wave_number, status=BatchState.COMPLETED
        )

    @statement
    def open_waves(self, job_id: str) -> tuple[Wave, ...]:
        """Select the waves that are not completed and have batches, ascending."""
        return tuple(
            wave
            for wave in self.waves.select(job_id=job_id)
            if wave.status is not WaveState.COMPLETED
            and self.batches.count(job_id=job_id, wave_number=wave.wave_number)
        )

    @statement
    def wave_status(self, job_id: str, wave_number: int) -> WaveState:
        """Select the status of one wave."""
        return self.waves.get((job_id, wave_number)).status

    @statement
    def count_batches(self, job_id: str, wave_number: int, *states: BatchState) -> int:
        """Count the batches of one wave that are in one of the states."""
        total = 0
        for status in states:  # nearly always one: no generator for it
            total += self.batches.count(
                job_id=job_id, wave_number=wave_number, status=status
            )
        return total

    @statement
    def pending_batches(self, job_id: str, wave_number: int) -> tuple[str, ...]:
        """Select the ids of the pending batches of one wave, ascending."""
        return tuple(
            batch.batch_id
            for batch in self.batches.select(
                job_id=job_id, wave_number=wave_number, status=BatchState.PENDING
            )
        )

    @statement
    def is_stale(self, job_id: str, wave_number: int) -> bool:
        """Select whether the wave's status last changed too long ago."""
        if self._kernel.is_timed:
            updated_at = self.waves.get((job_id, wave_number)).updated_at
            return self._now() - updated_at > self._stale_after
        return bool(self._kernel.choose(2))

    @statement
    def set_wave_status(self, job_id: str, wave_number: int, status: WaveState) -> None:
        """Update the status of one wave, whatever it was."""
        self.waves.update((job_id, wave_number), status=status, updated_at=self._now())

    @statement
    def compare_and_set_wave(
        self, job_id: str, wave_number: int, expected: WaveState, status: WaveState
    ) -> bool:
        """Update the status of one wave if it is `expected`; say whether it was."""
        if self.waves.get((job_id, wave_number)).status is not expected:
            return False
        self.waves.update((job_id, wave_number), status=status, updated_at=self._now())
        return True

    @statement
    def mark_dispatched(self, batch_id: str) -> None:
        """Update a batch to DISPATCHED, whatever it was."""
        self.batches.update(
            batch_id, status=BatchState.DISPATCHED, dispatched_at=self._now()
        )

    @statement
    def claim_batch(self, batch_id: str) -> bool:
        """Update a batch to DISPATCHED if it is PENDING; say whether it was."""
        if self.batches.get(batch_id).status is not BatchState.PENDING:
            return False
        self.batches.update(
            batch_id, status=BatchState.DISPATCHED, dispatched_at=self._now()
        )
        return True

    @statement(kind=Kind.MESSAGE)
    def enqueue(self, batch_id: str, attempt: int = 0) -> None:
        """Send the message that lets a worker take the batch."""
        self._send(batch_id, attempt)

    @statement
    def lease_batch(self, batch_id: str) -> int:
        """Claim a batch with a lease if it is PENDING; return the attempt, or 0."""
        batch = self.batches.get(batch_id)
        if batch.status is not BatchState.PENDING:
            return 0
        self.batches.update(
            batch_id,
            status=BatchState.DISPATCHED,
            dispatched_at=self._now(),
            attempt=batch.attempt + 1,
            lease_until=self._now() + self._lease,
        )
        return batch.attempt + 1

    @statement
    def finish_wave(self, job_id: str, wave_number: int) -> bool:
        """Complete a processing wave that is sealed and has no unfinished batch."""
        wave = self.waves.get((job_id, wave_number))
        if (
            wave.status is not WaveState.PROCESSING
            or not wave.is_sealed
            or self.unfinished_count(job_id, wave_number)
        ):
            return False
        self.waves.update(
            (job_id, wave_number),
            status=WaveState.COMPLETED,
            updated_at=self._now(),
        )
        return True

    @statement
    def finish_job(self, job_id: str, waits_for_derived_waves: bool) -> bool:
        """Complete the job if its waves are: all of them, or the main ones only."""
        if self.jobs.get(job_id).status is JobState.COMPLETED:
            return False
        for wave in self.waves.select(job_id=job_id):
            if wave.kind is WaveKind.DERIVED and not waits_for_derived_waves:
                continue
            if wave.status is not WaveState.COMPLETED:
                return False
        self.jobs.update(job_id, status=JobState.COMPLETED, completed_at=self._now())
        return True

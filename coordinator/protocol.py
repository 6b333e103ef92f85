"""The statements that a coordinator, a listener and a worker are written against.

Two rules hold here. One method is one atomic database statement or one message, and
nothing else is atomic, unless statements are put into one transaction. A method returns
an awaitable; what awaits it must not know whether a simulator or a real database
answers.
"""

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from wavecheck.coordinator.states import BatchState, Delivery, Wave, WaveState


class Isolation(StrEnum):
    """What a transaction sees of others, as PostgreSQL defines it.

    SQLite knows one level, which is at least as strict as each of these.
    """

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"


class StatementFailed(Exception):
    """A statement had no effect and its caller is told so (a deadlock, a time-out).

    Inside a transaction it ends the transaction: whatever follows fails as well, and
    nothing of it remains.
    """


class SerializationFailure(StatementFailed):
    """The transaction lost against a concurrent one; it may be tried again.

    PostgreSQL's SQLSTATE 40001; on SQLite, a database that is busy or has moved on.
    """


class Deadlock(StatementFailed):
    """The transaction waited in a circle and was chosen to give way (40P01)."""


class Statements(Protocol):
    """What a coordinator may ask of the database, in a transaction or by itself."""

    def open_waves(self, job_id: str) -> Awaitable[tuple[Wave, ...]]:
        """Select the waves that are not completed and have batches, ascending."""
        ...

    def wave_status(self, job_id: str, wave_number: int) -> Awaitable[WaveState]:
        """Select the status of one wave."""
        ...

    def count_batches(
        self, job_id: str, wave_number: int, *states: BatchState
    ) -> Awaitable[int]:
        """Count the batches of one wave that are in one of the states."""
        ...

    def pending_batches(
        self, job_id: str, wave_number: int
    ) -> Awaitable[tuple[str, ...]]:
        """Select the ids of the pending batches of one wave, ascending."""
        ...

    def is_stale(self, job_id: str, wave_number: int) -> Awaitable[bool]:
        """Select whether the wave's status last changed too long ago."""
        ...

    def set_wave_status(
        self, job_id: str, wave_number: int, status: WaveState
    ) -> Awaitable[None]:
        """Update the status of one wave, whatever it was."""
        ...

    def compare_and_set_wave(
        self, job_id: str, wave_number: int, expected: WaveState, status: WaveState
    ) -> Awaitable[bool]:
        """Update the status of one wave if it is `expected`; say whether it was."""
        ...

    def mark_dispatched(self, batch_id: str) -> Awaitable[None]:
        """Update a batch to DISPATCHED, whatever it was."""
        ...

    def claim_batch(self, batch_id: str) -> Awaitable[bool]:
        """Update a batch to DISPATCHED if it is PENDING; say whether it was."""
        ...

    def lease_batch(self, batch_id: str) -> Awaitable[int]:
        """Claim a batch with a lease if it is PENDING; return the attempt, or 0."""
        ...

    def enqueue(self, batch_id: str, attempt: int = 0) -> Awaitable[None]:
        """Send the message that lets a worker take the batch.

        In a transaction the message is a row (an outbox): it is sent by the commit, or
        never.
        """
        ...

    def finish_wave(self, job_id: str, wave_number: int) -> Awaitable[bool]:
        """Complete a processing wave that is sealed and has no unfinished batch."""
        ...

    def finish_job(
        self, job_id: str, *, waits_for_derived_waves: bool
    ) -> Awaitable[bool]:
        """Complete the job if its waves are: all of them, or the main ones only."""
        ...


class Transaction(Statements, Protocol):
    """The statements of one transaction; what they changed is seen after its commit.

    Rows that a statement changes or locks stay locked to the end of the transaction.
    """

    def lock_wave(self, job_id: str, wave_number: int) -> Awaitable[WaveState]:
        """Select the status of one wave FOR UPDATE."""
        ...

    def lock_pending_batches(
        self,
        job_id: str,
        wave_number: int,
        *,
        limit: int | None = None,
        skip_locked: bool = False,
    ) -> Awaitable[tuple[str, ...]]:
        """Select the ids of pending batches of one wave FOR UPDATE, ascending.

        Args:
            job_id: the job.
            wave_number: the wave.
            limit: how many at most; None: all.
            skip_locked: leave out what others have locked, instead of waiting.
        """
        ...


class Database(Statements, Protocol):
    """What a coordinator may ask of the database and the queue.

    A statement is a transaction of its own, unless it is one of a `Transaction`.
    """

    def transaction(
        self, isolation: Isolation = Isolation.READ_COMMITTED
    ) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction; commit it at the end of the block, roll back on error.

            async with db.transaction() as tx:
                if await tx.claim_batch(batch_id):
                    await tx.enqueue(batch_id)

        Raises:
            SerializationFailure: at a statement or at the end of the block.
            Deadlock: at a statement.
        """
        ...


class ListenerDatabase(Protocol):
    """What a listener may ask of the database and the cache."""

    def accumulate_parents(
        self, job_id: str, parent_ids: tuple[str, ...]
    ) -> Awaitable[None]:
        """Append ids of finished parents to the job's entry in the cache."""
        ...

    def take_parents(self, job_id: str, limit: int) -> Awaitable[tuple[str, ...]]:
        """Remove up to `limit` accumulated ids, oldest first, and return them."""
        ...

    def count_accumulated(self, job_id: str) -> Awaitable[int]:
        """Read how many accumulated ids wait in the cache."""
        ...

    def is_creation_finished(self, job_id: str) -> Awaitable[bool]:
        """Read the listener's flag."""
        ...

    def set_creation_finished(self, job_id: str) -> Awaitable[None]:
        """Set the listener's flag."""
        ...

    def count_batches(
        self, job_id: str, wave_number: int, *states: BatchState
    ) -> Awaitable[int]:
        """Count the batches of one wave that are in one of the states."""
        ...

    def insert_derived_batch(
        self, job_id: str, wave_number: int, parent_ids: tuple[str, ...]
    ) -> Awaitable[str]:
        """Insert one pending batch made from these parents; return its id."""
        ...

    def create_uncovered_batch(
        self, job_id: str, parent_wave: int, wave_number: int, limit: int
    ) -> Awaitable[str | None]:
        """Insert one batch from completed parents that are in no derived batch yet.

        It takes up to `limit` of them, oldest first; fewer only once every parent is
        completed. Returns the new batch's id, or None if there are not enough.
        """
        ...

    def seal_wave(self, job_id: str, wave_number: int) -> Awaitable[bool]:
        """Seal the wave if its batches cover every parent; say whether they do."""
        ...


class WorkerDatabase(Protocol):
    """What a worker may ask of the queue and the database."""

    def expire_leases(self, job_id: str) -> Awaitable[int]:
        """Set active batches whose lease is over back to PENDING; return how many."""
        ...

    def take_batch(self) -> Awaitable[Delivery]:
        """Wait for the next message and read the batch that it names."""
        ...

    def start_batch(self, batch_id: str) -> Awaitable[None]:
        """Update a batch to PROCESSING, whatever it was."""
        ...

    def finish_batch(self, batch_id: str) -> Awaitable[None]:
        """Update a batch to COMPLETED, whatever it was."""
        ...

    def start_leased(self, batch_id: str, attempt: int) -> Awaitable[bool]:
        """Update a batch to PROCESSING if this attempt is the one DISPATCHED."""
        ...

    def finish_leased(self, batch_id: str, attempt: int) -> Awaitable[bool]:
        """Update a batch to COMPLETED if this attempt is the one PROCESSING."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What one import job consists of, as its listener and its workers need it.

    Attributes:
        job_id: the job.
        parent_wave: number of the main wave whose batches are the parents.
        derived_wave: number of the wave that the listener fills.
        parent_batches: how many batches the parent wave has.
        parents_per_batch: how many parent ids go into one derived batch.
        threshold: share of completed parent batches, 0 to 1, from which derived
            batches are created.
    """

    job_id: str
    parent_wave: int
    derived_wave: int
    parent_batches: int
    parents_per_batch: int
    threshold: float


class Coordinator(Protocol):
    """What a dispatch rule looks like from outside.

    A class may name a `listener_policy` (without one, derived batches are created
    progressively) and a `worker_policy` (without one, a worker trusts its messages).
    The class is called with the database as its only argument.
    """

    listener_policy: ClassVar[str]
    worker_policy: ClassVar[str]

    def __init__(self, db: Database) -> None: ...

    async def check_and_trigger_next_wave(self, job_id: str) -> None:
        """Complete what is complete and dispatch what can be dispatched."""
        ...

    async def dispatch_wave(self, job_id: str, wave_number: int) -> int:
        """Dispatch the pending batches of one wave; return how many were sent."""
        ...

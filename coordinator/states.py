"""The rows of the three tables and the state machines they move on.

Knows no database: a row is a plain value. The transition tables are the only place
that says which moves are legal; the property `legal_transitions` and the
documentation both read them.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class JobState(StrEnum):
    """Where an import job stands."""

    PROCESSING = "processing"
    COMPLETED = "completed"

    # Enum hashes in Python code; these values are dictionary keys on every step.
    __hash__ = str.__hash__


class WaveState(StrEnum):
    """Where a wave stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"

    __hash__ = str.__hash__


class BatchState(StrEnum):
    """Where a batch stands."""

    PENDING = "pending"
    DISPATCHED = "dispatched"
    PROCESSING = "processing"
    COMPLETED = "completed"

    __hash__ = str.__hash__


class WaveKind(StrEnum):
    """Main waves exist in full from the start; derived ones are filled as it runs."""

    MAIN = "main"
    DERIVED = "derived"

    __hash__ = str.__hash__


ACTIVE_STATES: Final = (BatchState.DISPATCHED, BatchState.PROCESSING)
"""States of a batch that a worker has, or will get, without another dispatch call."""

JOB_TRANSITIONS: Final = frozenset({(JobState.PROCESSING, JobState.COMPLETED)})
WAVE_TRANSITIONS: Final = frozenset(
    {
        (WaveState.PENDING, WaveState.PROCESSING),
        (WaveState.PROCESSING, WaveState.PENDING),  # a stale wave is demoted
        (WaveState.PROCESSING, WaveState.COMPLETED),
    }
)
EXPIRED_TRANSITIONS: Final = frozenset(
    {
        (BatchState.DISPATCHED, BatchState.PENDING),
        (BatchState.PROCESSING, BatchState.PENDING),
    }
)
"""How a batch moves when its lease expires; legal for batches with a lease only."""

BATCH_TRANSITIONS: Final = frozenset(
    {
        (BatchState.PENDING, BatchState.DISPATCHED),
        (BatchState.DISPATCHED, BatchState.PROCESSING),
        (BatchState.PROCESSING, BatchState.COMPLETED),
    }
)


class Job(NamedTuple):
    """One row of `jobs`.

    Attributes:
        job_id: primary key.
        status: where the job stands.
        parents_total: how many parent ids must end up in derived batches.
        completed_at: ticks, or None.
    """

    job_id: str
    status: JobState
    parents_total: int
    completed_at: int | None


class Wave(NamedTuple):
    """One row of `waves`; the key is (job_id, wave_number).

    Attributes:
        job_id: the job it belongs to.
        wave_number: main waves run in ascending order of it.
        kind: main or derived.
        record_type: what its batches import, for people.
        status: where the wave stands.
        is_sealed: no batch will be created in it any more.
        updated_at: ticks of the last change of `status`.
    """

    job_id: str
    wave_number: int
    kind: WaveKind
    record_type: str
    status: WaveState
    is_sealed: bool
    updated_at: int


class Batch(NamedTuple):
    """One row of `wave_batches`.

    Attributes:
        batch_id: primary key; ascending order is the order of dispatch.
        job_id: the job it belongs to.
        wave_number: the wave it belongs to.
        status: where the batch stands.
        parent_ids: of a parent batch, the ids that it imports; of a derived batch,
            the ids it was created from; else empty.
        created_at: ticks.
        dispatched_at: ticks, or None.
        completed_at: ticks, or None.
        attempt: how often it was leased; 0 where the rule takes no leases.
        lease_until: ticks until which its current attempt is left alone, or None.
    """

    batch_id: str
    job_id: str
    wave_number: int
    status: BatchState
    parent_ids: tuple[str, ...]
    created_at: int
    dispatched_at: int | None
    completed_at: int | None
    attempt: int = 0
    lease_until: int | None = None


class Delivery(NamedTuple):
    """One message from the queue, with the row that it names.

    Attributes:
        batch: the row at the moment of delivery.
        attempt: which dispatch of the batch sent the message; 0 without leases.
    """

    batch: Batch
    attempt: int

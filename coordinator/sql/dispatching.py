"""The coordinator's statements, each one SQL statement for both databases.

A guarded UPDATE says by its row count whether the guard held, so of two processes
that try the same one only one succeeds. Knows the schema; executes nothing.
"""

from typing import Final

from sqlalchemy import (
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from wavecheck.coordinator.sql.schema import BATCHES, JOBS, QUEUE, WAVES
from wavecheck.coordinator.states import BatchState, JobState, WaveKind, WaveState

_B, _J, _W = BATCHES.c, JOBS.c, WAVES.c

_THIS_JOB: Final = bindparam("of_job", type_=_J.job_id.type)
_THIS_WAVE: Final = and_(_W.job_id == _THIS_JOB, _W.wave_number == bindparam("of_wave"))
_IN_WAVE: Final = and_(_B.job_id == _THIS_JOB, _B.wave_number == bindparam("of_wave"))
_THIS_BATCH: Final = _B.batch_id == bindparam("of_batch")
_NOW: Final = bindparam("now", type_=_W.updated_at.type)

OPEN_WAVES: Final = (
    select(WAVES)
    .where(
        _W.job_id == _THIS_JOB,
        _W.status != WaveState.COMPLETED,
        exists().where(_B.job_id == _W.job_id, _B.wave_number == _W.wave_number),
    )
    .order_by(_W.wave_number)
)

WAVE_STATUS: Final = select(_W.status).where(_THIS_WAVE)

COUNT_BATCHES: Final = (
    select(func.count())
    .select_from(BATCHES)
    .where(_IN_WAVE, _B.status.in_(bindparam("states", expanding=True)))
)

PENDING_BATCHES: Final = (
    select(_B.batch_id)
    .where(_IN_WAVE, _B.status == BatchState.PENDING)
    .order_by(_B.batch_id)
)

LOCK_WAVE: Final = WAVE_STATUS.with_for_update()


def lock_pending(*, limit: int | None, skip_locked: bool) -> Select[tuple[str]]:
    """Select the ids of pending batches FOR UPDATE, ascending."""
    return PENDING_BATCHES.limit(limit).with_for_update(skip_locked=skip_locked)


IS_STALE: Final = select(
    _W.updated_at < bindparam("stale_before", type_=_W.updated_at.type)
).where(_THIS_WAVE)

SET_WAVE_STATUS: Final = (
    update(WAVES)
    .where(_THIS_WAVE)
    .values(status=bindparam("to_status"), updated_at=_NOW)
)

COMPARE_AND_SET_WAVE: Final = SET_WAVE_STATUS.where(_W.status == bindparam("expected"))

MARK_DISPATCHED: Final = (
    update(BATCHES)
    .where(_THIS_BATCH)
    .values(status=BatchState.DISPATCHED, dispatched_at=_NOW)
)

CLAIM_BATCH: Final = MARK_DISPATCHED.where(_B.status == BatchState.PENDING)

LEASE_BATCH: Final = CLAIM_BATCH.values(
    attempt=_B.attempt + 1,
    lease_until=bindparam("until", type_=_B.lease_until.type),
).returning(_B.attempt)

ENQUEUE: Final = insert(QUEUE).values(
    batch_id=bindparam("of_batch"), attempt=bindparam("of_attempt"), sent_at=_NOW
)

FINISH_WAVE: Final = (
    update(WAVES)
    .where(
        _THIS_WAVE,
        _W.status == WaveState.PROCESSING,
        _W.is_sealed == true(),
        ~exists().where(_IN_WAVE, _B.status != BatchState.COMPLETED),
    )
    .values(status=WaveState.COMPLETED, updated_at=_NOW)
)

FINISH_JOB: Final = (
    update(JOBS)
    .where(
        _J.job_id == _THIS_JOB,
        _J.status != JobState.COMPLETED,
        ~exists().where(
            _W.job_id == _THIS_JOB,
            _W.status != WaveState.COMPLETED,
            or_(bindparam("waits") == true(), _W.kind != WaveKind.DERIVED),
        ),
    )
    .values(status=JobState.COMPLETED, completed_at=_NOW)
)

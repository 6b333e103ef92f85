"""The pipeline's properties, in the words of the domain.

Each check reads the store's tables and returns what is wrong, or None. What a check
reads on a change is constant in size, so that long runs stay linear.
"""

from collections import Counter as Tally
from collections.abc import Callable, Hashable
from typing import Any, Final, Protocol

from wavecheck.coordinator import (
    Batch,
    BatchState,
    ImportPlan,
    Job,
    JobState,
    Wave,
    WaveKind,
    WaveState,
)
from wavecheck.coordinator.states import (
    BATCH_TRANSITIONS,
    EXPIRED_TRANSITIONS,
    JOB_TRANSITIONS,
    WAVE_TRANSITIONS,
)
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.kernel import TICKS_PER_SECOND
from wavecheck.sim.property import Moment, Property


class PipelineFacts(Protocol):
    """What the checks may ask of a world."""

    store: PipelineStore
    plans: dict[str, ImportPlan]
    pending_limit: int

    def longest_pending(self) -> tuple[int | None, str] | None:
        """Return (ticks, batch id) of the longest wait; None ticks: for ever."""
        ...


def _stranded(world: PipelineFacts) -> str | None:
    store = world.store
    stranded = [
        (wave.wave_number, pending)
        for wave in store.waves
        if (
            pending := store.batches.count(
                job_id=wave.job_id,
                wave_number=wave.wave_number,
                status=BatchState.PENDING,
            )
        )
    ]
    if not stranded:
        return None
    parts = ", ".join(f"{count} in wave {number}" for number, count in stranded)
    return f"pending for ever: {parts}"


def _double_dispatch(
    world: PipelineFacts, key: Any, before: int, after: int
) -> str | None:
    if after < 2:
        return None
    batch_id, attempt = key
    which = f" as attempt {attempt}" if attempt else ""
    return f"batch {batch_id} was put on the queue {after} times{which}"


def _wave_open(store: PipelineStore, wave: Wave) -> str | None:
    """Say what of a wave is unfinished or still to be created."""
    if not wave.is_sealed:
        return f"wave {wave.wave_number} may still get batches"
    unfinished = store.unfinished_count(wave.job_id, wave.wave_number)
    if unfinished:
        return f"wave {wave.wave_number} has {unfinished} unfinished batches"
    return None


def _premature_job(
    world: PipelineFacts, key: Hashable, before: Job | None, after: Job
) -> str | None:
    if after.status is not JobState.COMPLETED:
        return None
    for wave in world.store.waves_of(after.job_id):
        reason = _wave_open(world.store, wave)
        if reason:
            return f"job completed while {reason}"
    return None


def _premature_wave(
    world: PipelineFacts, key: Hashable, before: Wave | None, after: Wave
) -> str | None:
    if after.status is not WaveState.COMPLETED:
        return None
    reason = _wave_open(world.store, after)
    return f"wave completed while {reason}" if reason else None


def _premature_batch(
    world: PipelineFacts, key: Hashable, before: Batch | None, after: Batch
) -> str | None:
    if after.status is BatchState.COMPLETED:
        return None
    store = world.store
    job, wave = store.jobs.get(after.job_id), store.waves.get(after[1:3])
    if wave.status is WaveState.COMPLETED:
        return f"batch {key} is {after.status} in a completed wave"
    if job.status is JobState.COMPLETED:
        return f"batch {key} is {after.status} in a completed job"
    return None


def _legal(
    allowed: frozenset[tuple[Any, Any]], what: str
) -> Callable[[PipelineFacts, Hashable, Any, Any], str | None]:
    def check(world: PipelineFacts, key: Any, before: Any, after: Any) -> str | None:
        if before is None or before.status is after.status:
            return None
        move = (before.status, after.status)
        if move in allowed or (move in EXPIRED_TRANSITIONS and before.attempt):
            return None
        name = key if isinstance(key, str) else key[-1]
        return f"{what} {name} went from {before.status} to {after.status}"

    return check


def _coverage(world: PipelineFacts) -> str | None:
    store = world.store
    for plan in world.plans.values():
        expected = {
            parent_id
            for batch in store.batches.select(
                job_id=plan.job_id, wave_number=plan.parent_wave
            )
            for parent_id in batch.parent_ids
        }
        times = Tally(
            parent_id
            for batch in store.batches.select(
                job_id=plan.job_id, wave_number=plan.derived_wave
            )
            for parent_id in batch.parent_ids
        )
        lost = sorted(expected - times.keys())
        repeated = sorted(name for name, count in times.items() if count > 1)
        if lost:
            return f"{len(lost)} parents in no derived batch, the first is {lost[0]}"
        if repeated:
            return f"parent {repeated[0]} is in {times[repeated[0]]} derived batches"
    return None


def _incomplete_job(world: PipelineFacts) -> str | None:
    for job in world.store.jobs:
        if job.status is not JobState.COMPLETED:
            return f"job {job.job_id} is {job.status} when nothing can happen any more"
    return None


def _pending_too_long(world: PipelineFacts) -> str | None:
    longest = world.longest_pending()
    if longest is None:
        return None
    ticks, batch_id = longest
    limit = f"the limit is {world.pending_limit / TICKS_PER_SECOND:g} s"
    if ticks is None:
        return f"batch {batch_id} is pending for ever; {limit}"
    if ticks > world.pending_limit:
        seconds = ticks / TICKS_PER_SECOND
        return f"batch {batch_id} was pending for {seconds:.1f} s; {limit}"
    return None


def _has_completion(world: PipelineFacts) -> bool:
    store = world.store
    return any(job.status is JobState.COMPLETED for job in store.jobs) or any(
        wave.status is WaveState.COMPLETED for wave in store.waves
    )


def _has_sends(world: PipelineFacts) -> bool:
    return bool(world.store.sends.items())


def _has_parents(world: PipelineFacts) -> bool:
    return any(
        len(
            world.store.batches.select(job_id=plan.job_id, wave_number=plan.parent_wave)
        )
        for plan in world.plans.values()
    )


def _has_derived_wave(world: PipelineFacts) -> bool:
    return any(wave.kind is WaveKind.DERIVED for wave in world.store.waves)


PIPELINE_PROPERTIES: Final = (
    Property(
        name="no_stranded_batch",
        meaning="no batch is pending when nothing can happen any more",
        moment=Moment.AT_QUIESCENCE,
        at_end=_stranded,
        is_at_risk=_has_derived_wave,
    ),
    Property(
        name="no_double_dispatch",
        meaning="no batch is put on the queue twice by a coordinator",
        moment=Moment.ALWAYS,
        on_change={"sends": _double_dispatch},
        is_at_risk=_has_sends,
    ),
    Property(
        name="no_premature_completion",
        meaning="no wave or job is completed while a batch of it is unfinished or"
        " still to be created",
        moment=Moment.ALWAYS,
        on_change={
            "jobs": _premature_job,
            "waves": _premature_wave,
            "wave_batches": _premature_batch,
        },
        is_at_risk=_has_completion,
    ),
    Property(
        name="every_parent_covered_once",
        meaning="each parent id is in exactly one derived batch",
        moment=Moment.AT_QUIESCENCE,
        at_end=_coverage,
        is_at_risk=_has_parents,
    ),
    Property(
        name="job_completes",
        meaning="the job is completed when nothing can happen any more",
        moment=Moment.AT_QUIESCENCE,
        at_end=_incomplete_job,
    ),
    Property(
        name="legal_transitions",
        meaning="jobs, waves and batches move only along the published state machines",
        moment=Moment.ALWAYS,
        on_change={
            "jobs": _legal(JOB_TRANSITIONS, "job"),
            "waves": _legal(WAVE_TRANSITIONS, "wave"),
            "wave_batches": _legal(BATCH_TRANSITIONS, "batch"),
        },
        is_at_risk=_has_sends,
    ),
    Property(
        name="pending_bounded",
        meaning="in a timed run, no batch of a wave under way is pending longer than"
        " the limit",
        moment=Moment.TIMED,
        at_end=_pending_too_long,
        is_at_risk=_has_derived_wave,
    ),
)

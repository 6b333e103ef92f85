"""Weaker statements of the pipeline: each drops one guard, re-check or claim.

Each acts on the store as one atomic step, with the arguments of the statement that it
stands for.
"""

from typing import Any, Final

from wavecheck.coordinator import BatchState, JobState, WaveKind, WaveState
from wavecheck.coordinator.states import ACTIVE_STATES
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.mutant import EVERY_COORDINATOR, Mutant

_CLAIMS = (
    "the claim decides which call sends a batch, whatever this one selects (proved for"
    " claiming at the small sizes)"
)
_RETAKES = (
    "a call that demotes the wave retakes it, or loses that to another, and then tries"
    " to complete it; every send is still claimed (proved for claiming at the small"
    " sizes)"
)
_CLAIMING: Final = ("claiming", "upfront", "leased")


def _claim_anyway(store: PipelineStore, batch_id: str) -> bool:
    store.batches.update(batch_id, status=BatchState.DISPATCHED)
    return True


def _lease_anyway(store: PipelineStore, batch_id: str) -> int:
    attempt: int = store.batches.get(batch_id).attempt + 1
    store.batches.update(batch_id, status=BatchState.DISPATCHED, attempt=attempt)
    return attempt


def _set_anyway(
    store: PipelineStore, job_id: str, wave_number: int, *states: WaveState
) -> bool:
    store.waves.update((job_id, wave_number), status=states[-1])
    return True


def _sees_none(store: PipelineStore, *args: Any) -> int:
    return 0


def _sees_all(store: PipelineStore, job_id: str, wave_number: int) -> tuple[str, ...]:
    found = store.batches.select(job_id=job_id, wave_number=wave_number)
    return tuple(batch.batch_id for batch in found)


def _is_stale(store: PipelineStore, *args: Any) -> bool:
    return True


def _finish_wave(
    store: PipelineStore, job_id: str, wave_number: int, *, checked: str
) -> bool:
    """Complete a wave after one of its two checks of batches only."""
    wave = store.waves.get((job_id, wave_number))
    is_open = {
        "sealed": not wave.is_sealed,
        "unfinished": bool(store.unfinished_count(job_id, wave_number)),
    }
    if wave.status is not WaveState.PROCESSING or is_open[checked]:
        return False
    store.waves.update((job_id, wave_number), status=WaveState.COMPLETED)
    return True


def _finish_unsealed(store: PipelineStore, job_id: str, wave_number: int) -> bool:
    return _finish_wave(store, job_id, wave_number, checked="unfinished")


def _finish_unfinished(store: PipelineStore, job_id: str, wave_number: int) -> bool:
    return _finish_wave(store, job_id, wave_number, checked="sealed")


def _finish_job_anyway(store: PipelineStore, job_id: str, *args: Any) -> bool:
    if store.jobs.get(job_id).status is JobState.COMPLETED:
        return False
    store.jobs.update(job_id, status=JobState.COMPLETED, completed_at=0)
    return True


def _finish_job_early(store: PipelineStore, job_id: str, *args: Any) -> bool:
    main = [one for one in store.waves_of(job_id) if one.kind is WaveKind.MAIN]
    if any(wave.status is not WaveState.COMPLETED for wave in main):
        return False
    return _finish_job_anyway(store, job_id)


def _takes(job_id: str, wave_number: int, old: WaveState, new: WaveState) -> bool:
    return new is WaveState.PROCESSING


def _demotes(job_id: str, wave_number: int, old: WaveState, new: WaveState) -> bool:
    return new is WaveState.PENDING


def _counts_pending(job_id: str, wave_number: int, *states: BatchState) -> bool:
    return states == (BatchState.PENDING,)


def _counts_active(job_id: str, wave_number: int, *states: BatchState) -> bool:
    return states == ACTIVE_STATES


PIPELINE_MUTANTS: Final = (
    Mutant(
        name="claims a batch whatever it is",
        statement="claim_batch",
        weaker=_claim_anyway,
    ),
    Mutant(
        name="leases a batch whatever it is",
        statement="lease_batch",
        weaker=_lease_anyway,
    ),
    Mutant(
        name="takes a wave whatever it is",
        statement="compare_and_set_wave",
        weaker=_set_anyway,
        replaces=_takes,
    ),
    Mutant(
        name="demotes a wave whatever it is",
        statement="compare_and_set_wave",
        weaker=_set_anyway,
        replaces=_demotes,
    ),
    Mutant(
        name="never sees a pending batch in a wave under way",
        statement="count_batches",
        weaker=_sees_none,
        replaces=_counts_pending,
    ),
    Mutant(
        name="never sees an active batch",
        statement="count_batches",
        weaker=_sees_none,
        replaces=_counts_active,
        harmless=dict.fromkeys(_CLAIMING, _RETAKES),
    ),
    Mutant(
        name="selects every batch as pending",
        statement="pending_batches",
        weaker=_sees_all,
        harmless=dict.fromkeys(_CLAIMING, _CLAIMS),
    ),
    Mutant(
        name="takes every wave for stale",
        statement="is_stale",
        weaker=_is_stale,
        harmless={
            EVERY_COORDINATOR: "without time, stale or not is a choice that goes both"
            " ways: this takes one way off and adds none"
        },
    ),
    Mutant(
        name="completes a wave that may still get batches",
        statement="finish_wave",
        weaker=_finish_unsealed,
    ),
    Mutant(
        name="completes a wave that has unfinished batches",
        statement="finish_wave",
        weaker=_finish_unfinished,
    ),
    Mutant(
        name="completes the job whatever its waves are",
        statement="finish_job",
        weaker=_finish_job_anyway,
    ),
    Mutant(
        name="completes the job without its derived waves",
        statement="finish_job",
        weaker=_finish_job_early,
    ),
)
"""One for each guard, re-check and claim that a coordinator can ask for."""

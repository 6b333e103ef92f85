"""What every dispatch rule shares: walking the waves, sending batches, demoting.

The rules differ in *when* a wave's batches may be sent; that is in their own files.
"""

import logging
from collections.abc import Awaitable, Callable

from wavecheck.coordinator.protocol import Database
from wavecheck.coordinator.states import WaveKind, WaveState

log = logging.getLogger(__name__)


async def trigger_next_wave(
    db: Database,
    job_id: str,
    dispatch_wave: Callable[[str, int], Awaitable[int]],
    *,
    waits_for_derived_waves: bool,
) -> None:
    """Dispatch every open wave that may run, complete what is complete.

    Main waves run one after another; derived waves run beside them. A wave is
    completed after its dispatch call, not before: a call that has just demoted and
    retaken a finished wave must be the one that completes it.
    """
    waves = await db.open_waves(job_id)
    has_finished_one = False
    is_main_blocked = False
    for wave in waves:
        if wave.kind is WaveKind.MAIN and is_main_blocked:
            continue
        await dispatch_wave(job_id, wave.wave_number)
        if await db.finish_wave(job_id, wave.wave_number):
            has_finished_one = True
        elif wave.kind is WaveKind.MAIN:
            is_main_blocked = True
    if has_finished_one or not waves:
        await db.finish_job(job_id, waits_for_derived_waves=waits_for_derived_waves)


async def send_pending(db: Database, job_id: str, wave_number: int) -> int:
    """Send every batch that is pending now, without a claim; return how many."""
    batch_ids = await db.pending_batches(job_id, wave_number)
    for batch_id in batch_ids:
        await db.mark_dispatched(batch_id)
        await db.enqueue(batch_id)
    log_dispatched(job_id, wave_number, len(batch_ids))
    return len(batch_ids)


async def demote_if_stale(db: Database, job_id: str, wave_number: int) -> None:
    """Set a wave that nobody has moved for long back to pending, unconditionally.

    Source: published report, "Demote to pending if stale".
    """
    if await db.is_stale(job_id, wave_number):
        await db.set_wave_status(job_id, wave_number, WaveState.PENDING)
        log_demoted(job_id, wave_number)


def log_dispatched(job_id: str, wave_number: int, batches_dispatched: int) -> None:
    """Log the published line about a wave that was dispatched."""
    log.debug(
        "Wave dispatched successfully",
        extra={
            "job_id": job_id,
            "wave_number": wave_number,
            "batches_dispatched": batches_dispatched,
        },
    )


def log_progressive(job_id: str, wave_number: int, pending_batches: int) -> None:
    """Log the published line about pending batches in a wave under way."""
    log.info(
        "Wave processing but has pending batches; dispatching progressive batches",
        extra={
            "job_id": job_id,
            "wave_number": wave_number,
            "pending_batches": pending_batches,
        },
    )


def log_demoted(job_id: str, wave_number: int) -> None:
    """Log that a stale wave was demoted."""
    log.warning(
        "Stale wave demoted to pending",
        extra={"job_id": job_id, "wave_number": wave_number},
    )

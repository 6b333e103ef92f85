"""Our fix of the published end state: each batch is claimed before it is sent.

The claim is one guarded UPDATE, so of two calls that selected the same batch only one
sends it. The demotion of a stale wave is guarded too: it must not reopen a wave that
was completed between the count and the update.
"""

from typing import ClassVar

from wavecheck.coordinator.protocol import Database
from wavecheck.coordinator.states import ACTIVE_STATES, BatchState, WaveState
from wavecheck.coordinator.trigger import (
    log_demoted,
    log_dispatched,
    log_progressive,
    trigger_next_wave,
)


class Claiming:
    """Looks for pending batches like `Progressive`, and claims each one atomically."""

    listener_policy: ClassVar[str] = "progressive"
    worker_policy: ClassVar[str] = "trusting"

    def __init__(self, db: Database) -> None:
        self.db = db

    async def check_and_trigger_next_wave(self, job_id: str) -> None:
        """Complete what is complete and dispatch what can be dispatched."""
        await trigger_next_wave(
            self.db, job_id, self.dispatch_wave, waits_for_derived_waves=True
        )

    async def dispatch_wave(self, job_id: str, wave_number: int) -> int:
        """Claim and send whatever is pending; return how many batches were sent."""
        db = self.db
        if await db.wave_status(job_id, wave_number) is WaveState.PROCESSING:
            pending = await db.count_batches(job_id, wave_number, BatchState.PENDING)
            if pending > 0:
                log_progressive(job_id, wave_number, pending)
                return await self._send_claimed(job_id, wave_number)
            if await db.count_batches(job_id, wave_number, *ACTIVE_STATES) > 0:
                return 0
            if await db.is_stale(job_id, wave_number) and await db.compare_and_set_wave(
                job_id, wave_number, WaveState.PROCESSING, WaveState.PENDING
            ):
                log_demoted(job_id, wave_number)
        if not await db.compare_and_set_wave(
            job_id, wave_number, WaveState.PENDING, WaveState.PROCESSING
        ):
            return 0
        return await self._send_claimed(job_id, wave_number)

    async def _send_claimed(self, job_id: str, wave_number: int) -> int:
        db = self.db
        claimed_count = 0
        for batch_id in await db.pending_batches(job_id, wave_number):
            if await db.claim_batch(batch_id):
                await db.enqueue(batch_id)
                claimed_count += 1
        log_dispatched(job_id, wave_number, claimed_count)
        return claimed_count

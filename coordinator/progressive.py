"""The published end state: pending batches are looked for before active ones.

Two calls that overlap select the same pending batches, and both send them: the rule
has no claim.
"""

from typing import ClassVar

from wavecheck.coordinator.protocol import Database
from wavecheck.coordinator.states import ACTIVE_STATES, BatchState, WaveState
from wavecheck.coordinator.trigger import (
    demote_if_stale,
    log_progressive,
    send_pending,
    trigger_next_wave,
)


class Progressive:
    """Waits for derived waves and dispatches what appears in a wave under way.

    Source: published report, "Updated dispatchWave() Logic".
    """

    listener_policy: ClassVar[str] = "progressive"
    worker_policy: ClassVar[str] = "trusting"
    waits_for_derived_waves: ClassVar[bool] = True

    def __init__(self, db: Database) -> None:
        self.db = db

    async def check_and_trigger_next_wave(self, job_id: str) -> None:
        """Complete what is complete and dispatch what can be dispatched."""
        await trigger_next_wave(
            self.db,
            job_id,
            self.dispatch_wave,
            waits_for_derived_waves=self.waits_for_derived_waves,
        )

    async def dispatch_wave(self, job_id: str, wave_number: int) -> int:
        """Dispatch whatever is pending; return how many batches were sent."""
        db = self.db
        if await db.wave_status(job_id, wave_number) is WaveState.PROCESSING:
            pending = await db.count_batches(job_id, wave_number, BatchState.PENDING)
            if pending > 0:
                log_progressive(job_id, wave_number, pending)
                return await send_pending(db, job_id, wave_number)
            if await db.count_batches(job_id, wave_number, *ACTIVE_STATES) > 0:
                return 0
            await demote_if_stale(db, job_id, wave_number)
        if not await db.compare_and_set_wave(
            job_id, wave_number, WaveState.PENDING, WaveState.PROCESSING
        ):
            return 0
        return await send_pending(db, job_id, wave_number)

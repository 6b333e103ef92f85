"""The published rule before the second fix: a wave under way is left alone.

The first call that finds the wave pending wins a compare-and-set and sends the batches
that exist. Every later call finds the wave processing with active batches and returns,
so a batch that is created after the first call stays pending.
"""

from typing import ClassVar

from wavecheck.coordinator.protocol import Database
from wavecheck.coordinator.states import ACTIVE_STATES, WaveState
from wavecheck.coordinator.trigger import (
    demote_if_stale,
    send_pending,
    trigger_next_wave,
)


class Stalling:
    """Waits for derived waves; does not look for pending batches in a wave under way.

    Source: published report, "The Bug in dispatchWave()".
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
        """Dispatch a pending wave; return how many batches were sent."""
        db = self.db
        if await db.wave_status(job_id, wave_number) is WaveState.PROCESSING:
            if await db.count_batches(job_id, wave_number, *ACTIVE_STATES) > 0:
                return 0
            await demote_if_stale(db, job_id, wave_number)
        if not await db.compare_and_set_wave(
            job_id, wave_number, WaveState.PENDING, WaveState.PROCESSING
        ):
            return 0
        return await send_pending(db, job_id, wave_number)

"""Our rule for processes that die: a claim is a lease, and an expired one returns.

A worker that dies takes its claim with it, and a message can be lost, doubled or late.
So a claim carries an attempt number and a time limit. Only the attempt that was sent
last may start, and only the one that started may finish (a fencing token); a reaper
returns batches whose lease is over, and the next dispatch call sends them again.
"""

from typing import ClassVar

from coordinator.claiming import Claiming
from coordinator.trigger import log_dispatched


class Leased(Claiming):
    """Claims with a lease; survives dying processes and unreliable messages."""

    listener_policy: ClassVar[str] = "durable"
    worker_policy: ClassVar[str] = "leased"

    async def _send_claimed(self, job_id: str, wave_number: int) -> int:
        db = self.db
        leased_count = 0
        for batch_id in await db.pending_batches(job_id, wave_number):
            attempt = await db.lease_batch(batch_id)
            if attempt:
                await db.enqueue(batch_id, attempt)
                leased_count += 1
        log_dispatched(job_id, wave_number, leased_count)
        return leased_count

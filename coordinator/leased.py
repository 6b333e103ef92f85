"""Our rule for processes that die: a claim is a lease, and an expired one returns.

A worker that dies takes its claim with it, and a message can be lost, doubled or late.
So a claim carries an attempt number and a time limit. Only the attempt that was sent
last may start, and only the one that started may finish (a fencing token); a reaper
returns batches whose lease is over, and the next dispatch call sends them again.
"""

from typing import ClassVar

from wavecheck.coordinator.claiming import Claiming
from wavecheck.coordinator.states import BatchState
from wavecheck.coordinator.trigger import log_dispatched


class Leased(Claiming):
    """Claims with a lease; survives dying processes and unreliable messages."""

    listener_policy: ClassVar[str] = "durable"
    worker_policy: ClassVar[str] = "leased"
    waiting_max: ClassVar[int | None] = None
    """How many sent batches of a wave may wait to be started; None: no limit.

    A lease runs while its batch waits, so what waits must be done within a lease;
    otherwise it is sent again and again, and the old messages keep the workers busy.
    With a limit every finished batch must call the coordinator, or the rest is never
    sent. Calls at the same time may exceed it.
    """

    async def _send_claimed(self, job_id: str, wave_number: int) -> int:
        db = self.db
        room = None
        if self.waiting_max is not None:
            waiting = await db.count_batches(job_id, wave_number, BatchState.DISPATCHED)
            if waiting > self.waiting_max // 2:
                return 0  # not one by one: each time all that is pending is read
            room = self.waiting_max - waiting
        leased_count = 0
        pending = await db.pending_batches(job_id, wave_number)
        for batch_id in pending[:room]:
            attempt = await db.lease_batch(batch_id)
            if attempt:
                await db.enqueue(batch_id, attempt)
                leased_count += 1
        log_dispatched(job_id, wave_number, leased_count)
        return leased_count

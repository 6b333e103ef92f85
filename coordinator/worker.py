"""Workers: take a batch, process it, run the listener, call the coordinator.

Knows the protocols only. What processing means (a simulated service time, a real
import) is an argument, and so is who calls the coordinator, because that decides
whether a stall heals.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from wavecheck.coordinator.listener import Listener
from wavecheck.coordinator.protocol import Coordinator, ImportPlan, WorkerDatabase
from wavecheck.coordinator.states import Batch, Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker that trusts its messages: whatever arrives is processed.

    Attributes:
        db: its statements.
        coordinator: whom it calls.
        listener: what it runs after a parent batch.
        plan: the job.
        process: does the batch's work.
        parents_call: a finished parent batch calls the coordinator.
        derived_call: a finished derived batch calls the coordinator. A batch of an
            earlier main wave always does: nothing else would start the next wave.
    """

    db: WorkerDatabase
    coordinator: Coordinator
    listener: Listener
    plan: ImportPlan
    process: Callable[[Batch], Awaitable[None]]
    parents_call: bool
    derived_call: bool

    async def run(self) -> None:
        """Serve batches for ever."""
        while True:
            await self.serve(await self.db.take_batch())

    async def serve(self, delivery: Delivery) -> None:
        """Process one batch and tell whoever must know."""
        batch = delivery.batch
        await self.db.start_batch(batch.batch_id)
        await self.process(batch)
        await self.db.finish_batch(batch.batch_id)
        await self.tell(batch)

    async def tell(self, batch: Batch) -> None:
        """Run the listener and call the coordinator, as the batch's wave asks for."""
        calls = True
        if batch.wave_number == self.plan.parent_wave:
            await self.listener.parent_completed(batch.parent_ids)
            calls = self.parents_call
        elif batch.wave_number == self.plan.derived_wave:
            calls = self.derived_call
        if calls:
            await self.coordinator.check_and_trigger_next_wave(batch.job_id)

    async def recover(self) -> None:
        """Call the coordinator; what a poller does, and what heals after faults."""
        await self.coordinator.check_and_trigger_next_wave(self.plan.job_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedWorker(Worker):
    """A worker for `Leased`: it acts only as the attempt that was sent last.

    A message that comes late or twice changes nothing, but still tells: whoever had it
    before may have died before telling.
    """

    async def serve(self, delivery: Delivery) -> None:
        """Process one batch if this delivery is its current attempt; tell anyway."""
        batch, attempt = delivery
        if await self.db.start_leased(batch.batch_id, attempt):
            await self.process(batch)
            await self.db.finish_leased(batch.batch_id, attempt)
        await self.tell(batch)

    async def recover(self) -> None:
        """Reap, catch up with the listeners' work, and call the coordinator."""
        await self.db.expire_leases(self.plan.job_id)
        await self.listener.catch_up()
        await self.coordinator.check_and_trigger_next_wave(self.plan.job_id)


WORKERS: Final[dict[str, type[Worker]]] = {
    "trusting": Worker,
    "leased": LeasedWorker,
}
"""The worker policies that a coordinator class may name as `worker_policy`."""

"""Many import jobs at once, on one database and one pool of workers.

Jobs arrive one after another; every worker serves whatever the shared queue holds next,
whichever job it belongs to. The database executes a fixed number of statements at a
time and lets the others wait in their order, so that a statement takes longer the more
of them there are: contention is not a formula here, it is a queue.

Source: the database is the queue of Kendall's G/G/c with first come, first served; its
waiting times follow from the moments at which its c servers fall free (Kiefer and
Wolfowitz, "On the theory of queues with many servers", Trans. AMS 1955).
"""

from heapq import heapreplace
from typing import Final

from wavecheck.coordinator import Batch, Coordinator
from wavecheck.coordinator.listener import LISTENERS
from wavecheck.coordinator.worker import WORKERS, Worker
from wavecheck.scenarios.pipeline.import_job import add_import_job, policy_of
from wavecheck.scenarios.pipeline.settings import FleetSettings
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.sim.draws import Draw
from wavecheck.sim.kernel import TICKS_PER_SECOND, Kernel, Latency
from wavecheck.sim.operation import Kind, Operation

_STATEMENT: Final = Kind.STATEMENT


class FleetWorld(PipelineWorld):
    """Jobs, a shared queue, a pool of workers and a busy database."""

    settings: FleetSettings

    def __init__(
        self,
        kernel: Kernel,
        coordinator_type: type[Coordinator],
        settings: FleetSettings,
    ) -> None:
        super().__init__(kernel, coordinator_type, settings)
        digits = len(str(settings.jobs))
        for number in range(1, settings.jobs + 1):
            plan = add_import_job(self.store, f"job-{number:0{digits}d}", settings)
            self.plans[plan.job_id] = plan
        self._workers: dict[str, Worker] = {}
        kernel.mark()
        self.observe()

    def draw(self) -> None:
        """Make every random source of a run from the seed in the settings."""
        super().draw()
        settings = self.settings
        self._service = self.source(
            "service",
            settings.service_seconds,
            settings.service_spread,
            settings.service_samples,
        )
        self._gap = self.source(
            "arrival",
            settings.arrival_seconds,
            settings.arrival_spread,
            settings.arrival_samples,
        )

    def latency_of(self, draw: Draw) -> Latency:
        """Return how long an operation takes when statements wait for one another."""
        kernel = self.kernel
        free_at = [0] * self.settings.connections

        def latency(operation: Operation[object]) -> int:
            ticks = draw()
            if operation.statement.kind is not _STATEMENT:
                return ticks  # a message goes to the queue, not to the database
            now = int(kernel.now)
            starts_at = max(now, free_at[0])
            heapreplace(free_at, starts_at + ticks)
            return starts_at + ticks - now

        return latency

    def start(self) -> None:
        """Spawn each job's first call at its arrival, the workers and the pollers."""
        settings, kernel, store = self.settings, self.kernel, self.store
        coordinator = self.make_coordinator()
        make_worker = policy_of(self.coordinator_type, "worker_policy", WORKERS)
        make_listener = policy_of(self.coordinator_type, "listener_policy", LISTENERS)
        self._workers = {
            job_id: make_worker(
                db=store,
                coordinator=coordinator,
                listener=make_listener(store, plan),
                plan=plan,
                process=self._process,
                parents_call=settings.parents_call,
                derived_call=settings.derived_call,
            )
            for job_id, plan in self.plans.items()
        }
        arrives_at = 0
        for job_id in self.plans:
            first_call = coordinator.check_and_trigger_next_wave(job_id)
            kernel.spawn(first_call, f"start {job_id}", at=arrives_at)
            arrives_at += self._gap()
        for number in range(1, settings.workers + 1):
            kernel.spawn(self._serve(), f"worker-{number}", is_daemon=True)
        for number in range(1, settings.pollers + 1):
            kernel.spawn(self._poll(), f"poller-{number}")

    async def _serve(self) -> None:
        """Serve batches of whatever job, for ever."""
        workers, take = self._workers, self.store.take_batch
        while True:
            delivery = await take()
            await workers[delivery.batch.job_id].serve(delivery)

    async def _process(self, batch: Batch) -> None:
        if self.kernel.is_timed:
            await self.kernel.sleep(self._service())

    async def _poll(self) -> None:
        """Call the coordinator for every job in turn, now and then."""
        interval = round(self.settings.poll_interval_seconds * TICKS_PER_SECOND)
        for _ in range(self.settings.polls):
            await self.kernel.sleep(interval)
            for worker in self._workers.values():
                await worker.recover()

"""A whole import job, generated from settings.

Earlier main waves, a parent wave (SalesOrder) and a derived wave (TransactionLine);
workers that process batches and run the listener; optional pollers.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from wavecheck.coordinator import (
    Batch,
    Coordinator,
    ImportPlan,
    JobState,
    StatementFailed,
    WaveKind,
)
from wavecheck.coordinator.listener import LISTENERS
from wavecheck.coordinator.worker import WORKERS
from wavecheck.scenarios.pipeline.faults import PipelineFaults
from wavecheck.scenarios.pipeline.settings import ImportJobSettings
from wavecheck.scenarios.pipeline.store import ListenerCache, PipelineStore, batch_name
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.faults import Adversary, FaultPlan
from wavecheck.sim.kernel import TICKS_PER_SECOND, Kernel
from wavecheck.sim.task import Task

JOB_ID: Final = "job-1"
HEAL_ROUNDS_MAX: Final = 6

Policy = TypeVar("Policy")


class ImportJobWorld(PipelineWorld):
    """One import job and its workers."""

    settings: ImportJobSettings

    def __init__(
        self,
        kernel: Kernel,
        coordinator_type: type[Coordinator],
        settings: ImportJobSettings,
    ) -> None:
        super().__init__(kernel, coordinator_type, settings)
        self.plan = add_import_job(self.store, JOB_ID, settings)
        self.plans[JOB_ID] = self.plan
        self._adversary: Adversary | None = None
        self._rounds_count = 0
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

    @property
    def cache(self) -> ListenerCache:
        """What the job's listeners share."""
        return self.store.cache(JOB_ID)

    def start(self) -> None:
        """Spawn the job's first call, the workers, the pollers and the faults."""
        settings, kernel = self.settings, self.kernel
        coordinator = self.make_coordinator()
        self._worker = policy_of(self.coordinator_type, "worker_policy", WORKERS)(
            db=self.store,
            coordinator=coordinator,
            listener=policy_of(self.coordinator_type, "listener_policy", LISTENERS)(
                self.store, self.plan
            ),
            plan=self.plan,
            process=self._process,
            parents_call=settings.parents_call,
            derived_call=settings.derived_call,
        )
        self._rounds_count = 0
        kernel.spawn(coordinator.check_and_trigger_next_wave(JOB_ID), "start")
        for number in range(1, settings.workers + 1):
            kernel.spawn(self._worker.run(), f"worker-{number}", is_daemon=True)
        for number in range(1, settings.pollers + 1):
            kernel.spawn(self._poll(), f"poller-{number}")
        if self._adversary is not None:
            self._adversary.start()

    def interchangeable(self) -> list[list[str]]:
        """Return the workers, which are alike, and the faults of each kind."""
        workers = [f"worker-{one}" for one in range(1, self.settings.workers + 1)]
        faults = [] if self._adversary is None else self._adversary.interchangeable()
        return [workers, *faults]

    def plan_faults(self, plan: FaultPlan) -> None:
        """Let faults strike in every execution from here on.

        Raises:
            InvalidScenario: no such kind of fault.
        """
        faults = PipelineFaults(self)
        self._adversary = Adversary(self.kernel, faults.sources(), plan)
        self.kernel.survives = faults.survive
        self.kernel.survived = (StatementFailed,)
        if self.store.in_flight is None:  # whoever explains plans other faults again
            self.store.track_deliveries()
            self.kernel.mark()

    def replace_worker(self, dead: Task) -> None:
        """Let a new process take the place of a worker that died."""
        name, _, number = dead.name.partition("'")
        if name.startswith("worker-"):
            successor = f"{name}'{int(number or 1) + 1}"
            self.kernel.spawn(self._worker.run(), successor, is_daemon=True)

    def heal(self) -> bool:
        """Recover once more, as a poller would, until the job is done or will not be.

        Faults are over by now: each of them has struck, or found nothing to hit.
        """
        job = self.store.jobs.get(JOB_ID)
        is_done = job.status is JobState.COMPLETED
        if self._adversary is None or is_done or self._rounds_count == HEAL_ROUNDS_MAX:
            return False
        self._rounds_count += 1
        self.kernel.spawn(self._worker.recover(), f"healer-{self._rounds_count}")
        return True

    async def _process(self, batch: Batch) -> None:
        # Without time, the next statement may be as late as it likes anyway.
        if self.kernel.is_timed:
            await self.kernel.sleep(self._service())

    async def _poll(self) -> None:
        interval = round(self.settings.poll_interval_seconds * TICKS_PER_SECOND)
        for _ in range(self.settings.polls):
            await self.kernel.sleep(interval)
            await self._worker.recover()


def add_import_job(
    store: PipelineStore, job_id: str, settings: ImportJobSettings
) -> ImportPlan:
    """Add a job with its waves and the batches that exist from the start."""
    store.add_job(job_id, settings.parents)
    parent_wave = settings.waves_before + 1
    for number in range(1, parent_wave):
        names = [
            (batch_name(job_id, number, index), ())
            for index in range(1, settings.batches_per_wave_before + 1)
        ]
        store.add_wave(job_id, number, WaveKind.MAIN, "Customer", names)
    parents = [
        (batch_name(job_id, parent_wave, index), (f"order-{index:06d}",))
        for index in range(1, settings.parents + 1)
    ]
    store.add_wave(job_id, parent_wave, WaveKind.MAIN, "SalesOrder", parents)
    store.add_wave(job_id, parent_wave + 1, WaveKind.DERIVED, "TransactionLine", [])
    return ImportPlan(
        job_id=job_id,
        parent_wave=parent_wave,
        derived_wave=parent_wave + 1,
        parent_batches=settings.parents,
        parents_per_batch=settings.parents_per_batch,
        threshold=settings.threshold,
    )


def policy_of(
    coordinator_type: type[Coordinator], kind: str, known: Mapping[str, Policy]
) -> Policy:
    """Return the policy that a coordinator class asks for; the first one by default.

    Args:
        coordinator_type: the class.
        kind: name of its attribute.
        known: the policies by name.

    Raises:
        CoordinatorError: there is no such policy.
    """
    name = getattr(coordinator_type, kind, next(iter(known)))
    if name not in known:
        raise CoordinatorError(
            f"{coordinator_type.__name__}.{kind} is {name!r}\n"
            f"  expected  one of: {', '.join(known)}"
        )
    return known[name]

"""What both pipeline worlds share: store, coordinator, properties, settings.

A world is parts plus `start`, which spawns the tasks of one execution; the kernel can
rewind the parts and start again, thousands of times a second.
"""

from collections.abc import Callable

from coordinator import (
    BatchState,
    Coordinator,
    ImportPlan,
    WaveState,
)
from sim.blame import describe_failure
from sim.errors import CoordinatorError
from sim.faults import Adversary, FaultPlan
from sim.kernel import TICKS_PER_MILLISECOND, TICKS_PER_SECOND, Kernel, Latency
from sim.operation import Operation
from sim.pipeline.observation import Observation
from sim.pipeline.properties import PIPELINE_PROPERTIES
from sim.pipeline.settings import TimingSettings
from sim.pipeline.store import PipelineStore
from sim.prng import Stream
from sim.property import Property


class PipelineWorld:
    """Store, properties and measures of an import pipeline; subclasses add its tasks.

    Attributes:
        kernel: runs the tasks.
        store: the shared state.
        plans: the job's plan by job id.
        observation: notes of a timed run; None in an untimed one.
        pending_limit: ticks.
        properties: what is judged.
    """

    properties: tuple[Property, ...] = PIPELINE_PROPERTIES

    def __init__(
        self,
        kernel: Kernel,
        coordinator_type: type[Coordinator],
        settings: TimingSettings,
    ) -> None:
        self.kernel = kernel
        self.settings = settings
        self.coordinator_type = coordinator_type
        self.plans: dict[str, ImportPlan] = {}
        self.pending_limit = round(settings.pending_limit_seconds * TICKS_PER_SECOND)
        self.store = PipelineStore(
            kernel,
            stale_after=round(settings.stale_after_seconds * TICKS_PER_SECOND),
            lease=round(settings.lease_seconds * TICKS_PER_SECOND),
        )
        self.observation: Observation | None = None
        self.under_test: Coordinator | None = None
        kernel.latency = _latency(settings)

    def start(self) -> None:
        """Spawn the tasks of one execution."""
        raise NotImplementedError

    def plan_faults(self, plan: FaultPlan) -> None:
        """Refuse any fault; worlds that know some override this."""
        Adversary(self.kernel, {}, plan)

    def heal(self) -> bool:
        """Return False: without faults there is nothing to recover."""
        return False

    def observe(self) -> None:
        """Take notes from here on; once the rows that exist from the start do."""
        if self.kernel.is_timed:
            self.observation = Observation(self.kernel, self.store)

    def make_coordinator(self) -> Coordinator:
        """Return a fresh coordinator, its dispatch calls noted in a timed run."""
        made = self.coordinator_type
        if self.observation is not None:
            made = self.observation.observed(made)
        try:
            self.under_test = made(self.store)
        except Exception as error:
            raise CoordinatorError(
                describe_failure(error, f"that makes {made.__name__}", None, 0)
            ) from error
        return self.under_test

    def longest_pending(self) -> tuple[int | None, str] | None:
        """Return (ticks, batch id) of the longest wait in a wave under way.

        A batch waits from its creation, or from the first start of its wave if that
        is later, until it is dispatched. None ticks mean for ever.
        """
        assert self.observation is not None
        longest: tuple[int, str] | None = None
        for wave in self.store.waves:
            history = self.observation.history(wave.job_id, wave.wave_number)
            started = [
                time
                for time, status in history.statuses
                if status is WaveState.PROCESSING
            ]
            if not started:
                continue
            for batch in self.store.batches.select(
                job_id=wave.job_id, wave_number=wave.wave_number
            ):
                if batch.status is BatchState.PENDING:
                    return None, batch.batch_id
                if batch.dispatched_at is None:
                    continue  # sent without being marked: another property says so
                waited = batch.dispatched_at - max(batch.created_at, started[0])
                if longest is None or waited > longest[0]:
                    longest = waited, batch.batch_id
        return longest


def _latency(settings: TimingSettings) -> Latency:
    """Return the function that says how long one operation takes, in ticks."""
    draw = spread_evenly(
        settings.statement_latency_ms * TICKS_PER_MILLISECOND,
        settings.latency_spread,
        Stream(settings.seed, "latency"),
    )

    def latency(operation: Operation[object]) -> int:
        return draw()

    return latency


def spread_evenly(mean: float, spread: float, stream: Stream) -> Callable[[], int]:
    """Return a source of ticks that lie evenly in mean * (1 +- spread)."""
    low, high = round(mean * (1 - spread)), round(mean * (1 + spread))
    if low == high:
        return lambda: low
    return lambda: stream.between(low, high)

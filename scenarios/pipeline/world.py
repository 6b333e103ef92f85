"""What both pipeline worlds share: store, coordinator, properties, settings.

A world is parts plus `start`, which spawns the tasks of one execution; the kernel can
rewind the parts and start again, thousands of times a second. A timed world can also
be given another seed between two runs, which costs far less than to build it anew.
"""

from collections.abc import Iterator
from dataclasses import replace

from wavecheck.coordinator import Batch, BatchState, Coordinator, ImportPlan
from wavecheck.scenarios.pipeline.alerts import Alert, fired_alerts
from wavecheck.scenarios.pipeline.observation import Observation
from wavecheck.scenarios.pipeline.properties import PIPELINE_PROPERTIES
from wavecheck.scenarios.pipeline.settings import TimingSettings
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.blame import describe_failure
from wavecheck.sim.draws import (
    Draw,
    drawn_from,
    parse_samples,
    spread_evenly,
)
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.faults import Adversary, FaultPlan
from wavecheck.sim.kernel import (
    TICKS_PER_MILLISECOND,
    TICKS_PER_SECOND,
    Kernel,
    Latency,
)
from wavecheck.sim.prng import Stream
from wavecheck.sim.property import Property
from wavecheck.sim.surroundings import Outside, made_outside


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
        self.draw()

    def draw(self) -> None:
        """Make every random source of a run from the seed in the settings.

        Subclasses with sources of their own add them.
        """
        settings = self.settings
        draw = self.source(
            "latency",
            settings.statement_latency_ms,
            settings.latency_spread,
            settings.latency_samples_ms,
            unit=TICKS_PER_MILLISECOND,
        )
        self.kernel.latency = self.latency_of(draw)

    def source(
        self,
        purpose: str,
        mean: float,
        spread: float,
        samples: str = "",
        *,
        unit: int = TICKS_PER_SECOND,
    ) -> Draw:
        """Return a source of ticks, seeded for one purpose.

        Args:
            purpose: two purposes never share a stream.
            mean: in units; it lies evenly around it.
            spread: by at most this share of the mean.
            samples: measured values in units, as text; if any, it is one of these.
            unit: in ticks.
        """
        values = parse_samples(f"{purpose}_samples", samples)
        if values:
            ticks = tuple(round(value * unit) for value in values)
            return drawn_from(ticks, Stream(self.settings.seed, purpose))
        if round(mean * unit * (1 - spread)) == round(mean * unit * (1 + spread)):
            ticks_always = round(mean * unit * (1 - spread))
            return lambda: ticks_always  # no stream: it would be made for every run
        return spread_evenly(mean * unit, spread, Stream(self.settings.seed, purpose))

    def latency_of(self, draw: Draw) -> Latency:
        """Return how long an operation takes, from a source of times."""
        if not self.is_latency_drawn():
            always = draw()
            return lambda operation: always  # asked for every step: no call in a call
        return lambda operation: draw()

    def is_latency_drawn(self) -> bool:
        """Return whether two operations can have different latencies."""
        settings = self.settings
        return settings.latency_spread > 0 or bool(settings.latency_samples_ms)

    def reseed(self, seed: int) -> None:
        """Go back to the initial state, for a run with another seed.

        Nothing of the last run is left: `start` then gives the run that a new world
        with this seed would give.
        """
        self.kernel.rewind()
        self.settings = replace(self.settings, seed=seed)
        self.draw()
        if self.observation is not None:
            self.observation.rewind()

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
            start = Outside(self.kernel.seed)
            self.under_test = made_outside(start, made, self.store)
        except Exception as error:
            raise CoordinatorError(
                describe_failure(error, f"that makes {made.__name__}", None, 0)
            ) from error
        return self.under_test

    def alerts(self) -> list[Alert]:
        """Return the alerts that fired in this run, by wave and then by name."""
        notes = self.observation
        assert notes is not None
        call_times = notes.calls.times_by_wave()
        return [
            alert
            for wave in self.store.waves
            for alert in fired_alerts(
                wave,
                notes.history(wave.job_id, wave.wave_number),
                call_times.get(wave[:2], ()),
                self.settings,
            )
        ]

    def longest_pending(self) -> tuple[int | None, str] | None:
        """Return (ticks, batch id) of the longest wait in a wave under way.

        A batch waits from its creation, or from the first start of its wave if that
        is later, until it is dispatched. None ticks mean for ever.
        """
        longest: tuple[int, str] | None = None
        for started_at, batch in self._waiting():
            if batch.status is BatchState.PENDING:
                return None, batch.batch_id
            waited = _wait(started_at, batch)
            if waited is not None and (longest is None or waited > longest[0]):
                longest = waited, batch.batch_id
        return longest

    def longest_wait(self) -> int | None:
        """Return the ticks of the longest wait that ended; None if there is none."""
        waits = (_wait(started_at, batch) for started_at, batch in self._waiting())
        return max((one for one in waits if one is not None), default=None)

    def _waiting(self) -> Iterator[tuple[int, Batch]]:
        """Yield (ticks of the wave's first start, batch) of the waves ever started."""
        notes = self.observation
        assert notes is not None
        for wave in self.store.waves:
            started = notes.started_at(wave[:2])
            if started is None:
                continue
            for batch in self.store.batches.select(
                job_id=wave.job_id, wave_number=wave.wave_number
            ):
                yield started, batch


def _wait(started_at: int, batch: Batch) -> int | None:
    """Return the ticks until a batch was dispatched; None if it was not.

    A batch that was sent without being marked has no such moment either: another
    property says so.
    """
    if batch.dispatched_at is None or batch.status is BatchState.PENDING:
        return None
    return batch.dispatched_at - max(batch.created_at, started_at)

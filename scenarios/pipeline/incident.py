"""A recorded incident, replayed: batches and dispatch calls at recorded moments.

The record says when batches appeared and when `dispatch_wave` was called; nothing else
calls the coordinator unless the settings say so. A coordinator that creates all batches
up front gets them all at the last recorded moment of creation, because that is when the
last parent had completed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from wavecheck.coordinator import (
    Batch,
    Coordinator,
    ImportPlan,
    UpfrontListener,
    WaveKind,
)
from wavecheck.coordinator.listener import LISTENERS
from wavecheck.coordinator.worker import WORKERS
from wavecheck.scenarios.pipeline.import_job import policy_of
from wavecheck.scenarios.pipeline.settings import IncidentSettings
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.sim.kernel import Kernel

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What was recorded of one wave of one job.

    Attributes:
        job_id: the job.
        wave_number: the wave.
        batches: (ticks since the start of the record, batch id), ascending.
        calls: (ticks since the start of the record, call number), ascending.
        started_at: ticks from 1970 to the start of the record.
    """

    job_id: str
    wave_number: int
    batches: tuple[tuple[int, str], ...]
    calls: tuple[tuple[int, int], ...]
    started_at: int = 0


class IncidentWorld(PipelineWorld):
    """One derived wave, driven by a record."""

    settings: IncidentSettings

    def __init__(
        self,
        kernel: Kernel,
        coordinator_type: type[Coordinator],
        settings: IncidentSettings,
        timeline: Timeline,
    ) -> None:
        self.timeline = timeline
        super().__init__(kernel, coordinator_type, settings)
        self.store.add_job(timeline.job_id, 0)
        self.store.add_wave(
            timeline.job_id,
            timeline.wave_number,
            WaveKind.DERIVED,
            "TransactionLine",
            [],
        )
        kernel.mark()
        self.observe()

    def draw(self) -> None:
        """Make every random source of a run, and draw its moments, from the seed."""
        super().draw()
        settings, timeline = self.settings, self.timeline
        self._service = self.source(
            "service", settings.service_seconds, 0.0, settings.service_samples
        )
        self._creations = self._moments(
            "creation", timeline.batches, settings.creation_samples
        )
        self._calls = self._moments("call", timeline.calls, settings.call_samples)

    def _moments(
        self, purpose: str, recorded: Sequence[tuple[int, T]], samples: str
    ) -> list[tuple[int, T]]:
        """Return the recorded moments, or others whose gaps are drawn from samples."""
        if not samples:
            return list(recorded)
        gap = self.source(purpose, 0.0, 0.0, samples)
        moment, drawn = recorded[0][0], []
        for _, name in recorded:
            drawn.append((moment, name))
            moment += gap()
        return drawn

    def start(self) -> None:
        """Spawn the creations and calls, and a worker for each batch."""
        timeline, kernel = self.timeline, self.kernel
        coordinator = self.make_coordinator()
        listener = policy_of(self.coordinator_type, "listener_policy", LISTENERS)
        is_upfront = listener is UpfrontListener
        for time, batch_id in self._creations:
            kernel.spawn(
                self._create(batch_id),
                f"create {batch_id}",
                at=self._creations[-1][0] if is_upfront else time,
            )
        for time, number in self._calls:
            kernel.spawn(
                coordinator.dispatch_wave(timeline.job_id, timeline.wave_number),
                f"call-{number}",
                at=time,
            )
        plan = ImportPlan(
            job_id=timeline.job_id,
            parent_wave=0,
            derived_wave=timeline.wave_number,
            parent_batches=0,
            parents_per_batch=1,
            threshold=0.0,
        )
        worker = policy_of(self.coordinator_type, "worker_policy", WORKERS)(
            db=self.store,
            coordinator=coordinator,
            listener=_NO_LISTENER,
            plan=plan,
            process=self._process,
            parents_call=False,
            derived_call=self.settings.derived_call,
        )
        # The record has active batches throughout: as many workers as batches.
        for number in range(1, len(timeline.batches) + 1):
            kernel.spawn(worker.run(), f"worker-{number}", is_daemon=True)

    async def _process(self, batch: Batch) -> None:
        if self.kernel.is_timed:
            await self.kernel.sleep(self._service())

    async def _create(self, batch_id: str) -> None:
        timeline = self.timeline
        await self.store.insert_recorded_batch(
            batch_id, timeline.job_id, timeline.wave_number, len(timeline.batches)
        )


class _NoListener:
    """The record says when batches appeared; nobody derives them."""

    async def parent_completed(self, parent_ids: tuple[str, ...]) -> None:
        """Do nothing."""

    async def catch_up(self) -> None:
        """Do nothing."""


_NO_LISTENER = _NoListener()

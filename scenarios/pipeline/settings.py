"""What can be set about the pipeline's worlds, with units and bounds.

Plain frozen values; the bounds are annotations that whoever reads user input checks.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from annotated_types import Ge, Gt, Le

from wavecheck.sim.draws import parse_samples
from wavecheck.sim.errors import InvalidScenario

COUNT_MAX: Final = 200_000
BATCHES_MAX: Final = 1_000_000
"""Of all jobs of a fleet, from the start."""

Count = Annotated[int, Ge(1), Le(COUNT_MAX)]
Tasks = Annotated[int, Ge(1), Le(10_000)]
TasksOrZero = Annotated[int, Ge(0), Le(10_000)]
Waves = Annotated[int, Ge(0), Le(1_000)]
Seed = Annotated[int, Ge(0), Le((1 << 63) - 1)]
Seconds = Annotated[float, Gt(0), Le(1e9)]
SecondsOrZero = Annotated[float, Ge(0), Le(1e9)]
Milliseconds = Annotated[float, Ge(0), Le(1e6)]
Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingSettings:
    """What every timed pipeline has.

    Attributes:
        statement_latency_ms: milliseconds until a statement or message takes effect.
        latency_spread: each latency is drawn evenly from mean * (1 +- spread).
        latency_samples_ms: measured latencies with commas between them; each latency is
            one of these instead, each equally likely.
        stale_after_seconds: a wave whose status is older than this is stale.
        lease_seconds: how long a leased batch is left alone; longer than its service.
        pending_limit_seconds: limit of `pending_bounded` and of the first alert.
        not_decreasing_seconds: how long a derived wave's pending count may stand still
            before the second alert fires.
        calls_max: the third alert fires at one call more than this for one wave.
        seed: of service times and latencies.
    """

    statement_latency_ms: Milliseconds = 2.0
    latency_spread: Share = 0.0
    latency_samples_ms: str = ""
    stale_after_seconds: Seconds = 600.0
    lease_seconds: Seconds = 120.0
    pending_limit_seconds: Seconds = 300.0
    not_decreasing_seconds: Seconds = 60.0
    calls_max: Count = 100
    seed: Seed = 0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if "_samples" in name:
                parse_samples(name, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportJobSettings(TimingSettings):
    """A whole import job: earlier main waves, a parent wave, a derived wave.

    Attributes:
        parents: batches of the parent wave; each carries one parent id.
        parents_per_batch: parent ids in one derived batch.
        threshold: share of completed parents from which derived batches are created.
        waves_before: main waves that run before the parent wave.
        batches_per_wave_before: batches in each of them.
        workers: how many batches are processed at once.
        service_seconds: mean time to process one batch.
        service_spread: each time is drawn evenly from mean * (1 +- spread).
        service_samples: measured seconds with commas between them; each time is one of
            these instead, each equally likely.
        parents_call: a finished parent calls the coordinator.
        derived_call: a finished derived batch calls the coordinator.
        pollers: how many tasks call the coordinator periodically.
        polls: how often each of them does before it ends.
        poll_interval_seconds: time between two calls of one poller.
    """

    parents: Count = 40
    parents_per_batch: Count = 4
    threshold: Share = 0.25
    waves_before: Waves = 1
    batches_per_wave_before: Count = 4
    workers: Tasks = 8
    service_seconds: SecondsOrZero = 20.0
    service_spread: Share = 0.5
    service_samples: str = ""
    parents_call: bool = True
    derived_call: bool = True
    pollers: TasksOrZero = 0
    polls: Count = 20
    poll_interval_seconds: Seconds = 30.0

    def __post_init__(self) -> None:
        TimingSettings.__post_init__(self)
        if self.batches_count() > BATCHES_MAX:
            raise InvalidScenario(
                f"{self.batches_count():,} batches from the start\n"
                f"  expected  at most {BATCHES_MAX:,}: smaller parents, waves_before,"
                " batches_per_wave_before or jobs"
            )

    def batches_count(self) -> int:
        """Return how many batches there are from the start."""
        return self.parents + self.waves_before * self.batches_per_wave_before


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings(ImportJobSettings):
    """Many import jobs at once; every job has the sizes of a single one.

    Attributes:
        jobs: how many.
        arrival_seconds: mean time between the starts of two jobs.
        arrival_spread: each is drawn evenly from mean * (1 +- spread).
        arrival_samples: measured seconds with commas between them; each time is one of
            these instead, each equally likely.
        connections: statements that the database executes at a time; others wait, and
            `statement_latency_ms` is the time of one that need not.
        workers: batches processed at once, of whatever job.
        pollers: tasks that call the coordinator for every job in turn.
    """

    jobs: Tasks = 20
    arrival_seconds: SecondsOrZero = 10.0
    arrival_spread: Share = 1.0
    arrival_samples: str = ""
    connections: Count = 16
    workers: Tasks = 64

    def batches_count(self) -> int:
        """Return how many batches there are from the start, in all jobs."""
        # A dataclass with slots is another class than the one that `super()` knows.
        return self.jobs * ImportJobSettings.batches_count(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSettings(TimingSettings):
    """A recorded incident: batches and calls at recorded moments.

    Attributes:
        batches: CSV file of batches; empty for the published incident.
        calls: CSV file of dispatch calls; empty for the published incident.
        service_seconds: how long a batch runs; longer than the recorded window.
        service_samples: measured seconds with commas between them; each batch runs for
            one of these instead.
        derived_call: a finished batch calls the coordinator too; the record has none.
        creation_samples: seconds between two created batches, with commas; the moments
            are drawn anew from these for every seed instead of being the recorded ones.
        call_samples: seconds between two dispatch calls, likewise.
    """

    batches: str = ""
    calls: str = ""
    statement_latency_ms: Milliseconds = 1.0
    service_seconds: Seconds = 60.0
    service_samples: str = ""
    derived_call: bool = False
    creation_samples: str = ""
    call_samples: str = ""

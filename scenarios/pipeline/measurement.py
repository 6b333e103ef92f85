"""The numbers of one timed run, and a world that gives them seed by seed.

A campaign makes thousands of runs and keeps of each one small, flat record: what
`TimedRun` shows of a single run in full is counted here. Knows no statistics.

Units: ticks unless a name says otherwise.
"""

from typing import NamedTuple

from wavecheck.coordinator import BatchState, WaveKind
from wavecheck.scenarios.pipeline.alerts import ALERTS, Alert
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.sim.property import Judge

NOT_AT_RISK = None
NOT_SEEN = 0
VIOLATED = 1


class AlertCounts(NamedTuple):
    """What one alert did in one run.

    Attributes:
        right: how often it fired, once per wave, where batches really are stranded.
        false: how often it fired where none is, or before the first one existed: then
            it cannot have been about that.
        delay: ticks from the creation of the first stranded batch of the wave to the
            first right alert; None: no right alert.
    """

    right: int
    false: int
    delay: int | None


class Measurement(NamedTuple):
    """One timed run as numbers.

    Attributes:
        outcomes: for each property of the world, in its order: 1 violated, 0 not seen,
            None not at risk.
        alerts: one for each alert, in the order of `ALERTS`.
        first_derived_dispatch: when the first derived batch was sent; None: never.
        makespan: when the last thing happened.
        longest_pending: the longest wait, in a wave under way, of a batch that was sent
            in the end; None: none was. Whoever waits for ever is in `stranded_batches`.
        batches: how many there were.
        stranded_batches: pending when nothing could happen any more.
        doubled_batches: sent more than once as the same attempt.
        jobs: how many there were.
        completed_jobs: completed at the end.
        stranded_jobs: with at least one stranded batch.
        statements: database statements of all tasks, messages not counted.
        messages: batches put on the queue.
        dispatch_calls: calls of `dispatch_wave`.
        held_ids_max: most parent ids held by the listeners at once.
        steps: steps of the execution.
        digest: fingerprint of every change of every batch, with its tick.
    """

    outcomes: tuple[int | None, ...]
    alerts: tuple[AlertCounts, ...]
    first_derived_dispatch: int | None
    makespan: int
    longest_pending: int | None
    batches: int
    stranded_batches: int
    doubled_batches: int
    jobs: int
    completed_jobs: int
    stranded_jobs: int
    statements: int
    messages: int
    dispatch_calls: int
    held_ids_max: int
    steps: int
    digest: str


class SeededRuns:
    """One world, run once for each seed.

    Building a world costs as much as a quarter of a short run; reseeding one does not.

    Args:
        world: freshly built, on a timed kernel.
    """

    def __init__(self, world: PipelineWorld) -> None:
        self._world = world
        self._judge = Judge(world.kernel, world, world.properties)

    def run(self, seed: int) -> Measurement:
        """Run to quiescence and measure.

        Determinism: depends on the world and the seed only, not on earlier runs.

        Raises:
            CoordinatorError: the coordinator failed, or took too many steps.
        """
        world, judge = self._world, self._judge
        judge.violations.clear()
        world.reseed(seed)
        world.start()
        world.kernel.run_to_quiescence()
        judge.judge_end()
        return measure(world, judge)


def measure(world: PipelineWorld, judge: Judge) -> Measurement:
    """Return the numbers of the run that has just ended."""
    store, kernel, notes = world.store, world.kernel, world.observation
    assert notes is not None
    derived = {wave[:2] for wave in store.waves if wave.kind is WaveKind.DERIVED}
    first = [time for key, time in notes.first_dispatch.items() if key in derived]
    stranded = _stranded_since(world)
    statuses = [job.status.value for job in store.jobs]
    return Measurement(
        outcomes=_outcomes(world, judge),
        alerts=_alert_counts(world.alerts(), stranded),
        first_derived_dispatch=min(first, default=None),
        makespan=int(kernel.now),
        longest_pending=world.longest_wait(),
        batches=len(store.batches),
        stranded_batches=sum(count for count, _ in stranded.values()),
        doubled_batches=sum(count > 1 for _, count in store.sends.items()),
        jobs=len(statuses),
        completed_jobs=statuses.count("completed"),
        stranded_jobs=len({job_id for job_id, _ in stranded}),
        statements=sum(task.statements_count for task in kernel.tasks),
        messages=notes.messages_count,
        dispatch_calls=len(notes.calls),
        held_ids_max=notes.held_ids_max,
        steps=kernel.steps_count,
        digest=notes.digest(),
    )


def _outcomes(world: PipelineWorld, judge: Judge) -> tuple[int | None, ...]:
    return tuple(
        VIOLATED
        if judged.name in judge.violations
        else (NOT_SEEN if judged.is_at_risk(world) else NOT_AT_RISK)
        for judged in world.properties
    )


def _stranded_since(world: PipelineWorld) -> dict[tuple[str, int], tuple[int, int]]:
    """Return (how many, ticks of the first one's creation) of each stranded wave."""
    found = {}
    for wave in world.store.waves:
        pending = world.store.batches.select(
            job_id=wave.job_id, wave_number=wave.wave_number, status=BatchState.PENDING
        )
        if pending:
            since = min(batch.created_at for batch in pending)
            found[wave.job_id, wave.wave_number] = (len(pending), since)
    return found


def _alert_counts(
    alerts: list[Alert], stranded: dict[tuple[str, int], tuple[int, int]]
) -> tuple[AlertCounts, ...]:
    counts = []
    for name in ALERTS:
        fired = [alert for alert in alerts if alert.name == name]
        delays = [
            alert.fired_at - stranded[alert.job_id, alert.wave_number][1]
            for alert in fired
            if alert.is_right
        ]
        right = [delay for delay in delays if delay >= 0]
        counts.append(
            AlertCounts(
                right=len(right),
                false=len(fired) - len(right),
                delay=min(right, default=None),
            )
        )
    return tuple(counts)

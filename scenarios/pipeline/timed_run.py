"""One timed run of a pipeline world: run it, judge it, measure it.

Units: ticks unless a name says otherwise.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TextIO

from wavecheck.coordinator import Batch, BatchState, WaveKind
from wavecheck.scenarios.pipeline.alerts import Alert
from wavecheck.scenarios.pipeline.calls import DispatchCall
from wavecheck.scenarios.pipeline.measurement import (
    NOT_AT_RISK,
    NOT_SEEN,
    VIOLATED,
    Measurement,
    measure,
)
from wavecheck.scenarios.pipeline.observation import WaveHistory, merged
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.sim.display import shown
from wavecheck.sim.kernel import Kernel, StepListener
from wavecheck.sim.property import Judge
from wavecheck.sim.trace import Trace, listen
from wavecheck.sim.verdict import Outcome, Verdict

LOGGER_NAME: Final = "wavecheck.coordinator"
_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message"}


Progress = Callable[[int], None]
"""Called with the steps so far, now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One structured log record of a coordinator.

    Attributes:
        time: ticks.
        task: who logged.
        level: DEBUG, INFO, WARNING...
        message: the text.
        fields: the structured part, in the order given.
    """

    time: int
    task: str
    level: str
    message: str
    fields: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRun:
    """Everything that one timed run showed.

    Attributes:
        coordinator_name: as the user named it.
        batches_by_status: final counts, all waves together.
        derived_by_status: final counts of the derived waves.
        job_status: final status of the job, or how many jobs are completed.
        calls: every dispatch call.
        statements_count: database statements of all tasks, messages not counted.
        messages_count: batches put on the queue.
        first_derived_dispatch: when the first derived batch was sent; None: never.
        makespan: when the last thing happened.
        held_ids_max: most parent ids held by the listeners at once.
        alerts: those that fired, by wave and then by name.
        verdicts: one for each property.
        histories: batches by status over time, by wave number, all jobs together.
        batches: every batch as it ended, with its times; ascending by id.
        log_lines: what the coordinator logged, if it was asked for.
        steps_count: steps of the execution.
    """

    coordinator_name: str
    batches_by_status: dict[str, int]
    derived_by_status: dict[str, int]
    job_status: str
    calls: Sequence[DispatchCall]
    statements_count: int
    messages_count: int
    first_derived_dispatch: int | None
    makespan: int
    held_ids_max: int
    alerts: tuple[Alert, ...]
    verdicts: tuple[Verdict, ...]
    histories: dict[int, WaveHistory]
    batches: tuple[Batch, ...]
    log_lines: tuple[LogLine, ...]
    steps_count: int

    _repr_mimebundle_ = shown

    def verdict(self, property_name: str) -> Verdict:
        """Return the verdict for one property."""
        return next(one for one in self.verdicts if one.property_name == property_name)

    def has_violation(self) -> bool:
        """Return whether any property was violated."""
        return any(one.outcome is Outcome.VIOLATED for one in self.verdicts)

    def measures(self) -> dict[str, int | None]:
        """Return what was counted, by name; times in microseconds end in `_us`."""
        calls = self.calls
        return {
            "batches_dispatched": self.messages_count,
            "dispatch_calls": len(calls),
            "dispatch_calls_that_dispatched": sum(
                call.batches_dispatched > 0 for call in calls
            ),
            "statements_total": self.statements_count,
            "statements_in_dispatch_calls": sum(call.statements for call in calls),
            "first_derived_dispatch_us": self.first_derived_dispatch,
            "makespan_us": self.makespan,
            "parent_ids_held_max": self.held_ids_max,
            "steps": self.steps_count,
        }

    def to_record(self) -> dict[str, Any]:
        """Return the run as one flat row: counts, then each property's outcome."""
        return {
            "coordinator": self.coordinator_name,
            "job_status": self.job_status,
            **{f"{name}_batches": n for name, n in self.batches_by_status.items()},
            **self.measures(),
            **{one.property_name: one.outcome.value for one in self.verdicts},
        }

    def batch_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each batch, ascending by id."""
        return [
            {
                "coordinator": self.coordinator_name,
                "batch_id": one.batch_id,
                "wave_number": one.wave_number,
                "created_at_us": one.created_at,
                "dispatched_at_us": one.dispatched_at,
                "completed_at_us": one.completed_at,
            }
            for one in self.batches
        ]

    def call_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each dispatch call, in order of their ends."""
        return [
            {
                "coordinator": self.coordinator_name,
                "job_id": one.job_id,
                "wave_number": one.wave_number,
                "task": one.task,
                "started_at_us": one.started_at,
                "statements": one.statements,
                "batches_dispatched": one.batches_dispatched,
                "was_processing": one.was_processing,
            }
            for one in self.calls
        ]

    def alert_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each alert that fired."""
        return [
            {
                "coordinator": self.coordinator_name,
                "alert": one.name,
                "job_id": one.job_id,
                "wave_number": one.wave_number,
                "fired_at_us": one.fired_at,
                "is_right": one.is_right,
            }
            for one in self.alerts
        ]


def simulate(
    world: PipelineWorld,
    coordinator_name: str,
    *,
    trace_lines: TextIO | None = None,
    collects_log: bool = False,
    progress: Progress | None = None,
    listener: StepListener | None = None,
) -> TimedRun:
    """Run a world to quiescence and return what it showed.

    Args:
        world: freshly built, on a timed kernel.
        coordinator_name: for the result.
        trace_lines: write the trace there, as JSON lines.
        collects_log: keep the coordinator's log lines.
        progress: called now and then.
        listener: called after each step.

    Raises:
        CoordinatorError: the coordinator failed, or took too many steps.
    """
    kernel = world.kernel
    judge = Judge(kernel, world, world.properties)
    if trace_lines is not None:
        Trace(kernel, lines=trace_lines, keeps=False)
    if listener is not None:
        listen(kernel, listener)
    if progress is not None:
        kernel.progress = progress
    log_lines: list[LogLine] = []
    with _collecting(kernel, log_lines, is_wanted=collects_log):
        world.start()
        kernel.run_to_quiescence()
    judge.judge_end()
    return _measured(world, coordinator_name, judge, tuple(log_lines))


def _measured(
    world: PipelineWorld,
    coordinator_name: str,
    judge: Judge,
    log_lines: tuple[LogLine, ...],
) -> TimedRun:
    store, notes = world.store, world.observation
    assert notes is not None
    waves = list(store.waves)
    derived = {wave[:2] for wave in waves if wave.kind is WaveKind.DERIVED}
    by_number: dict[int, list[WaveHistory]] = {}
    for wave in waves:
        history = notes.history(wave.job_id, wave.wave_number)
        by_number.setdefault(wave.wave_number, []).append(history)
    numbers = measure(world, judge)
    return TimedRun(
        coordinator_name=coordinator_name,
        batches_by_status=_by_status(world, {wave[:2] for wave in waves}),
        derived_by_status=_by_status(world, derived),
        job_status=_job_status(world),
        calls=notes.calls,
        statements_count=numbers.statements,
        messages_count=numbers.messages,
        first_derived_dispatch=numbers.first_derived_dispatch,
        makespan=numbers.makespan,
        held_ids_max=numbers.held_ids_max,
        alerts=tuple(world.alerts()),
        verdicts=_verdicts(world, judge, numbers),
        histories={number: merged(one) for number, one in by_number.items()},
        batches=tuple(store.batches),
        log_lines=log_lines,
        steps_count=numbers.steps,
    )


def _job_status(world: PipelineWorld) -> str:
    statuses = [job.status.value for job in world.store.jobs]
    if len(statuses) == 1:
        return statuses[0]
    return f"{statuses.count('completed')} of {len(statuses)} completed"


_OUTCOMES: Final = {
    VIOLATED: Outcome.VIOLATED,
    NOT_SEEN: Outcome.NOT_FOUND,
    NOT_AT_RISK: Outcome.NOT_TESTED,
}


def _verdicts(
    world: PipelineWorld, judge: Judge, numbers: Measurement
) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(
            property_name=judged.name,
            outcome=_OUTCOMES[outcome],
            executions_count=1,
            drawn_count=0,
            violation=judge.violations.get(judged.name),
        )
        for judged, outcome in zip(world.properties, numbers.outcomes, strict=True)
    )


def _by_status(world: PipelineWorld, waves: set[tuple[str, int]]) -> dict[str, int]:
    batches = world.store.batches
    return {
        str(status): sum(
            batches.count(job_id=job_id, wave_number=wave_number, status=status)
            for job_id, wave_number in sorted(waves)
        )
        for status in BatchState
    }


class _Collector(logging.Handler):
    def __init__(self, kernel: Kernel, lines: list[LogLine]) -> None:
        super().__init__()
        self._kernel = kernel
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(
            LogLine(
                time=int(self._kernel.now),
                task=self._kernel.current_task().name,
                level=record.levelname,
                message=record.getMessage(),
                fields=tuple(
                    (name, value)
                    for name, value in vars(record).items()
                    if name not in _STANDARD_FIELDS
                ),
            )
        )


@contextmanager
def _collecting(
    kernel: Kernel, lines: list[LogLine], *, is_wanted: bool
) -> Iterator[None]:
    """Collect what the coordinators log through the standard library."""
    if not is_wanted:
        yield
        return
    logger = logging.getLogger(LOGGER_NAME)
    handler, level = _Collector(kernel, lines), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)

"""One timed run of any world: run it, judge it, and say where the time went.

The pipeline has a report of its own (`scenarios/pipeline/timed_run.py`), in the words
of waves and batches; this one knows tasks, statements and parts.

Units: ticks unless a name says otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO

from wavecheck.sim.display import shown
from wavecheck.sim.kernel import Kernel, StepListener
from wavecheck.sim.operation import Kind, Operation
from wavecheck.sim.processes import Use, run_until
from wavecheck.sim.property import Judge, Moment, Property, with_no_error
from wavecheck.sim.task import Task
from wavecheck.sim.trace import Trace, listen, plain
from wavecheck.sim.verdict import Outcome, Verdict
from wavecheck.sim.world import World
from wavecheck.sim.worlds.timing import Latencies


class Performance(NamedTuple):
    """One statement of a timed run.

    Attributes:
        task: whose.
        statement: its name.
        asked_at: when the task came to it.
        began_at: when it could go on: what lies before is waiting.
        acted_at: when it had acted: what lies before is its latency.
    """

    task: str
    statement: str
    asked_at: int
    began_at: int
    acted_at: int


class StatementTimes(NamedTuple):
    """All performances of one statement.

    Attributes:
        name: of it.
        times: how often.
        waited: in all, before it could go on.
        waited_max: the longest wait.
        took: in all, after that.
    """

    name: str
    times: int
    waited: int
    waited_max: int
    took: int


class TaskTimes(NamedTuple):
    """One task.

    Attributes:
        name: of it.
        statements: how many it performed.
        ended_at: when it ended; None: it has not.
        waits_for: what it was about to do when the run ended; empty: it has ended.
    """

    name: str
    statements: int
    ended_at: int | None
    waits_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRun:
    """Everything that one timed run of a world showed.

    Attributes:
        coordinator_name: the code under test, as the user named it.
        seed: of what was drawn.
        makespan: when the last thing happened; a daemon that changes nothing is none.
        steps_count: steps of the execution.
        ended_by: what ended it before nothing could happen any more; empty: nothing.
        statements: by name, in order of first performance.
        tasks: in order of spawning.
        state: every part at the end, by name, as plain data.
        verdicts: one for each property.
        performed: every statement in order; empty if it was not asked for.
        uses: of SimPy's resources, in order.
    """

    coordinator_name: str
    seed: int
    makespan: int
    steps_count: int
    ended_by: str
    statements: tuple[StatementTimes, ...]
    tasks: tuple[TaskTimes, ...]
    state: dict[str, Any]
    verdicts: tuple[Verdict, ...]
    performed: tuple[Performance, ...]
    uses: tuple[Use, ...]

    _repr_mimebundle_ = shown

    @property
    def statements_count(self) -> int:
        """How many statements all tasks performed."""
        return sum(one.times for one in self.statements)

    def verdict(self, property_name: str) -> Verdict:
        """Return the verdict for one property."""
        return next(one for one in self.verdicts if one.property_name == property_name)

    def has_violation(self) -> bool:
        """Return whether any property was violated."""
        return any(one.outcome is Outcome.VIOLATED for one in self.verdicts)

    def unfinished(self) -> tuple[TaskTimes, ...]:
        """Return the tasks that had not ended."""
        return tuple(one for one in self.tasks if one.ended_at is None)

    def measures(self) -> dict[str, int | None]:
        """Return what was counted, by name; times in microseconds end in `_us`."""
        return {
            "makespan_us": self.makespan,
            "statements_total": self.statements_count,
            "waited_total_us": sum(one.waited for one in self.statements),
            "waited_max_us": max(
                (one.waited_max for one in self.statements), default=0
            ),
            "unfinished_tasks": len(self.unfinished()),
            "steps": self.steps_count,
        }

    def to_record(self) -> dict[str, Any]:
        """Return the run as one flat row: counts, then each property's outcome."""
        return {
            "coordinator": self.coordinator_name,
            "seed": self.seed,
            **self.measures(),
            **{one.property_name: one.outcome.value for one in self.verdicts},
        }


class _Notes:
    """Listens to the steps of a run.

    Args:
        kernel: that is listened to.
        latencies: say how long each operation took.
        keeps: every statement, not only sums.
    """

    def __init__(self, kernel: Kernel, latencies: Latencies, *, keeps: bool) -> None:
        self.kernel = kernel
        self.performed: list[Performance] = []
        self.sums: dict[str, list[int]] = {}
        self.last: dict[Task, int] = {}
        self.makespan = 0
        self._taken = latencies.taken
        self._keeps = keeps

    def begin(self) -> None:
        """Note which tasks are there from the start."""
        self.last = dict.fromkeys(self.kernel.tasks, 0)

    def hear(
        self, task: Task, operation: Operation[Any], result: Any, changes: Any
    ) -> None:
        """Note one step."""
        now = int(self.kernel.now)
        if changes or not task.is_daemon:
            self.makespan = now
        began_at = now - self._taken.pop(operation, 0)
        asked_at = self.last.get(task, began_at)
        self.last[task] = now
        if operation.statement.kind is Kind.SLEEP:
            return
        name = operation.statement.name
        sums = self.sums.setdefault(name, [0, 0, 0, 0])
        waited = began_at - asked_at
        sums[0] += 1
        sums[1] += waited
        sums[2] = max(sums[2], waited)
        sums[3] += now - began_at
        if self._keeps:
            self.performed.append(Performance(task.name, name, asked_at, began_at, now))


def simulate_world(
    world: World,
    coordinator_name: str,
    *,
    until: int | None = None,
    keeps: bool = False,
    trace_lines: TextIO | None = None,
    progress: Callable[[int], None] | None = None,
    listener: StepListener | None = None,
) -> WorldRun:
    """Run a world until nothing can happen any more and return what it showed.

    Args:
        world: freshly built, on a timed kernel.
        coordinator_name: for the result.
        until: ticks at which the run ends in any case; None: never. What must hold at
            the end is then not judged, unless nothing could happen any more.
        keeps: every statement is part of the result.
        trace_lines: write the trace there, as JSON lines.
        progress: called now and then.
        listener: called after each step.

    Raises:
        StepLimitReached: it does not end.
    """
    kernel = world.kernel
    latencies: Latencies = getattr(world, "latencies", None) or Latencies(kernel)
    latencies.begin()
    properties = with_no_error(
        [one for one in world.properties if one.moment is not Moment.TIMED]
    )
    judge = Judge(kernel, world, properties)
    if trace_lines is not None:
        Trace(kernel, lines=trace_lines, keeps=False)
    notes = _Notes(kernel, latencies, keeps=keeps)
    listen(kernel, notes.hear)
    if listener is not None:
        listen(kernel, listener)
    kernel.progress = progress
    world.start()
    notes.begin()
    is_cut = run_until(kernel, until)
    if not is_cut:
        judge.judge_end()
    tasks = tuple(_task_times(one, notes) for one in kernel.tasks)
    kernel.close()
    env = getattr(world, "surrounding", None)
    return WorldRun(
        coordinator_name=coordinator_name,
        seed=kernel.seed,
        makespan=notes.makespan,
        steps_count=kernel.steps_count,
        ended_by=f"--until {(until or 0) / 1_000_000:g}s" if is_cut else "",
        statements=tuple(
            StatementTimes(name, *one) for name, one in notes.sums.items()
        ),
        tasks=tasks,
        state={name: plain(one.snapshot()) for name, one in kernel.parts.items()},
        verdicts=tuple(_verdict(one, world, judge, is_cut) for one in properties),
        performed=tuple(notes.performed),
        uses=() if env is None else tuple(env.uses),
    )


def _task_times(task: Task, notes: _Notes) -> TaskTimes:
    waits_for = "" if task.operation is None else task.operation.statement.name
    return TaskTimes(
        name=task.name,
        statements=task.statements_count,
        ended_at=notes.last.get(task, 0) if task.is_finished else None,
        waits_for=waits_for,
    )


def _verdict(judged: Property, world: World, judge: Judge, is_cut: bool) -> Verdict:
    violation = judge.violations.get(judged.name)
    return Verdict(
        property_name=judged.name,
        outcome=Outcome.of(
            is_violated=violation is not None,
            is_at_risk=is_cut or judged.is_at_risk(world),
            is_proved=False,
        ),
        executions_count=1,
        drawn_count=0,
        violation=violation,
    )

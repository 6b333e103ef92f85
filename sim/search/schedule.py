"""A schedule: everything that one execution depends on, and what it showed.

Plain values; files and validation are elsewhere. A schedule holds choices, not a seed,
so it replays without the strategy that found it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wavecheck.sim.display import shown
from wavecheck.sim.errors import ReplayMismatch
from wavecheck.sim.kernel import Kernel, StepListener
from wavecheck.sim.listening import listening
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.property import Judge, Violation, with_no_error
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.judgement import searchable
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.task import Rule, Task
from wavecheck.sim.trace import Step, Trace, listen, plain, records_of
from wavecheck.sim.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledStep:
    """One step as recorded: who, what, and what came back.

    `args` and `result` are plain data, as JSON can hold them.
    """

    task: str
    operation: str
    args: Any
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A recorded execution.

    Attributes:
        scenario: name of the scenario.
        settings: its settings, by name, as plain data.
        coordinator: name, as the user gave it.
        faults: the fault plan: how many of each kind strike.
        property_name: the property that it violates; empty: none.
        message: what was wrong.
        choices: what the rule answered at each choice.
        steps: what happened.
        digest: fingerprint of the trace.
    """

    scenario: str
    settings: Mapping[str, Any]
    coordinator: str
    faults: Mapping[str, int]
    property_name: str
    message: str
    choices: tuple[int, ...]
    steps: tuple[ScheduledStep, ...]
    digest: str

    _repr_mimebundle_ = shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay showed.

    Attributes:
        steps: the trace.
        digest: its fingerprint.
        choices: the choices that were made.
        violations: the first violation of each property.
        was_cut: it does not end by itself.
    """

    steps: tuple[Step, ...]
    digest: str
    choices: tuple[int, ...]
    violations: dict[str, Violation]
    was_cut: bool = False

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each step."""
        return records_of(self.steps)


def run_rule(
    world: World,
    rule: Rule,
    listener: StepListener | None = None,
    *,
    stops_at: str = "",
    fair_after: int | None = None,
) -> Replayed:
    """Run one execution with a trace; it is cut if it does not end.

    Args:
        world: on an untimed kernel.
        rule: makes the choices.
        listener: called after each step, once the trace has it.
        stops_at: end the execution when the property of this name is violated.
        fair_after: steps after which the rule is asked no more.
    """
    kernel = world.kernel
    judged = with_no_error(searchable(world.properties))
    judge = Judge(kernel, world, judged, stops_at=stops_at)
    trace = Trace(kernel)
    if listener is not None:
        listen(kernel, listener)
    try:
        with listening(kernel):
            execute(world, rule, cuts=True, fair_after=fair_after)
        if not kernel.is_stopped:
            judge.judge_end()
    finally:
        kernel.on_step = None
        judge.close()
    return Replayed(
        steps=tuple(trace.steps),
        digest=trace.digest(),
        choices=tuple(kernel.choices),
        violations=dict(judge.violations),
        was_cut=kernel.was_cut,
    )


def steps_with_answers(
    world: World, schedule: Schedule
) -> list[tuple[str, tuple[int, ...]]]:
    """Return (task name, answers to the choices inside the step) of each step.

    Args:
        world: that the schedule was recorded in.
        schedule: is not verified here.
    """
    rule = _Answers(RecordedChoices(schedule.choices))
    steps: list[tuple[str, tuple[int, ...]]] = []

    def note(task: Task, *details: Any) -> None:
        steps.append((task.name, tuple(rule.answers)))
        rule.answers.clear()

    run_rule(world, rule, note, stops_at=schedule.property_name)
    return steps


class _Answers:
    """A rule that notes what it answers inside steps."""

    def __init__(self, rule: Rule) -> None:
        self.answers: list[int] = []
        self.pick = rule.pick
        self._rule = rule

    def choose(self, options_count: int) -> int:
        answer = self._rule.choose(options_count)
        self.answers.append(answer)
        return answer


def passes(
    world: World, rule: Rule, property_name: str, *, fair_after: int | None = None
) -> bool:
    """Run one execution without a trace; return whether it keeps one property.

    An execution that is cut keeps it as far as is known.
    """
    kernel = world.kernel
    judged = [one for one in searchable(world.properties) if one.name == property_name]
    judge = Judge(kernel, world, with_no_error(judged), stops_at=property_name)
    try:
        execute(world, rule, cuts=True, fair_after=fair_after)
        if not kernel.is_stopped:
            judge.judge_end()
    finally:
        judge.close()
    return property_name not in judge.violations


def replay(
    world: World, schedule: Schedule, listener: StepListener | None = None
) -> Replayed:
    """Replay a schedule and verify every step against what was recorded.

    Args:
        world: that the schedule was recorded in.
        schedule: what was recorded.
        listener: called after each step that is as recorded; it may end the replay by
            stopping the kernel.

    Raises:
        ReplayMismatch: at the first divergence, with step, task, expected and got.
    """
    rule = RecordedChoices(schedule.choices)
    checker = _Checker(world.kernel, schedule)
    is_cut_short = False

    def check(*details: Any) -> None:
        nonlocal is_cut_short
        checker.check(*details)
        if listener is not None:
            was_stopped = world.kernel.is_stopped
            listener(*details)
            is_cut_short = world.kernel.is_stopped and not was_stopped

    replayed = run_rule(world, rule, check, stops_at=schedule.property_name)
    if is_cut_short:
        return replayed
    checker.finish()
    if not rule.is_used_up():
        raise ReplayMismatch(
            "the execution ends before the schedule does\n"
            f"  expected  {len(schedule.choices)} choices\n"
            f"  got       {len(replayed.choices)}"
        )
    if replayed.digest != schedule.digest:
        raise ReplayMismatch(
            "every step is as recorded, but not what the steps changed\n"
            f"  expected  digest {schedule.digest}\n"
            f"  got       digest {replayed.digest}\n"
            "likely: the scenario's tables have changed since the recording\n"
            "next: search again with `wavecheck check`"
        )
    return replayed


class _Checker:
    def __init__(self, kernel: Kernel, schedule: Schedule) -> None:
        self._kernel = kernel
        self._expected = schedule.steps

    def check(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        """Compare one step with the recorded one."""
        number = self._kernel.steps_count
        got = ScheduledStep(
            task=task.name,
            operation=operation.statement.name,
            args=plain(operation.args),
            result=plain(result),
        )
        if number > len(self._expected):
            raise self._mismatch(number, "the end of the schedule", _text(got))
        expected = self._expected[number - 1]
        if expected != got:
            raise self._mismatch(number, _text(expected), _text(got))

    def finish(self) -> None:
        """Refuse an execution that ended early."""
        taken = self._kernel.steps_count
        if taken < len(self._expected):
            expected = _text(self._expected[taken])
            raise self._mismatch(taken + 1, expected, "the end of the execution")

    def _mismatch(self, number: int, expected: str, got: str) -> ReplayMismatch:
        return ReplayMismatch(
            f"the replay diverges at step {number}\n"
            f"  expected  {expected}\n"
            f"  got       {got}\n"
            "likely: the coordinator or the scenario has changed since the recording\n"
            "next: search again with `wavecheck check`"
        )


def _text(step: ScheduledStep) -> str:
    args = ", ".join(repr(argument) for argument in step.args)
    return f"{step.task}: {step.operation}({args}) -> {step.result!r}"


def recorded_steps(steps: tuple[Step, ...]) -> tuple[ScheduledStep, ...]:
    """Return a trace in the form that a schedule keeps."""
    return tuple(
        ScheduledStep(
            task=step.task,
            operation=step.operation,
            args=plain(step.args),
            result=plain(step.result),
        )
        for step in steps
    )

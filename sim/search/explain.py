"""Why a schedule fails: its causes, the point of no return, the nearest escape.

Works on one world and one schedule that violates one property; prints nothing. The
point of no return is found by trying continuations: exact where all of them could be
run, else the best bound known, and it says which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.display import shown
from wavecheck.sim.errors import OutOfTime, ReplayMismatch
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.property import Violation
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.execution import fair_after
from wavecheck.sim.search.kinds import Cause, CauseKind
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, passes, replay, run_rule
from wavecheck.sim.search.strategy import Strategy
from wavecheck.sim.task import Task
from wavecheck.sim.trace import Step, records_of
from wavecheck.sim.world import World

CONTINUATIONS_MAX: Final = 200
"""How many continuations of each kind are tried after a step before it is given up."""

CONTINUATION_STEPS_MAX: Final = 50_000
"""Likewise, steps of all of them: thousands of steps each take too long otherwise."""

_CAUSES: Final = 0.5
"""The share of the time in which causes are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReturn:
    """The first step after which no continuation avoids the violation.

    Attributes:
        step: its number.
        is_exact: every continuation after it was run, or every state of the world was
            visited; else so many were sampled.
        continuations_count: how many were run.
        states_count: of the whole world, if that is where it is known from; else 0.
    """

    step: int
    is_exact: bool
    continuations_count: int
    states_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Escape:
    """The nearest schedule that does not violate the property.

    Attributes:
        step: number of the first step that differs.
        instead: what happens there instead.
        steps_count: how many steps the passing execution has.
        choices: its schedule.
    """

    step: int
    instead: Step
    steps_count: int
    choices: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a schedule fails.

    Attributes:
        schedule: which.
        steps: the trace, up to the violation.
        violation: what was wrong.
        causes: what would have saved the run, the main one first; see `causes`.
        beyond: steps after the violation, of which causes may speak.
        no_return: None if the very first step is already beyond it.
        escape: the nearest passing schedule; None: none was found.
        was_cut: the deadline came before everything was tried.
    """

    schedule: Schedule
    steps: tuple[Step, ...]
    violation: Violation
    causes: tuple[Cause, ...]
    beyond: tuple[Step, ...]
    no_return: NoReturn | None
    escape: Escape | None
    was_cut: bool = False

    _repr_mimebundle_ = shown

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each step."""
        return records_of(self.steps)


def explain(
    world: World,
    schedule: Schedule,
    *,
    no_return: NoReturn | None = None,
    deadline: Deadline = NO_DEADLINE,
) -> Explanation:
    """Replay a schedule and say why it fails.

    Args:
        world: that it was recorded in.
        schedule: which violates its property.
        no_return: where that is known exactly already; else it is searched for.
        deadline: ends that search with the best bound known.

    Raises:
        ReplayMismatch: it does not replay, or violates nothing.
    """
    replayed = replay(world, schedule)
    violation = replayed.violations.get(schedule.property_name)
    if violation is None:
        raise ReplayMismatch(
            "the schedule replays, and nothing is violated: nothing to explain\n"
            f"  expected  a violation of {schedule.property_name!r}"
        )
    if not violation.step:  # before any choice: nothing led there, nothing avoids it
        return Explanation(
            schedule=schedule,
            steps=replayed.steps,
            violation=violation,
            causes=(),
            beyond=(),
            no_return=None,
            escape=None,
        )
    # Imported here: a search that finds nothing waits for no exhaustive engine.
    from wavecheck.sim.search.causes import causes_of

    known = causes_of(world, schedule, deadline=deadline.share(_CAUSES))
    marks = _Marks(world.kernel)
    run_rule(
        world,
        RecordedChoices(schedule.choices),
        lambda *details: marks.note(),
        stops_at=schedule.property_name,
    )
    steps = replayed.steps
    if no_return is None:
        no_return, passing = _no_return(world, schedule, marks.choices_after, deadline)
    elif not any(one.passing for one in known.found):
        before = marks.choices_after[no_return.step - 1]
        passing = _passing(world, schedule, before, deadline)[0]
    else:
        passing = None
    causes = _decisive_first(known.found, no_return)
    # What differs from the failing run in one cause is nearer than what differs late.
    passing = next((one.passing for one in causes if one.passing), passing)
    return Explanation(
        schedule=schedule,
        steps=steps,
        violation=violation,
        causes=causes,
        beyond=known.steps[len(steps) :],
        no_return=no_return,
        escape=None if passing is None else _escape(world, passing, steps),
        was_cut=known.was_cut or deadline.is_over(),
    )


def _decisive_first(
    causes: Sequence[Cause], no_return: NoReturn | None
) -> tuple[Cause, ...]:
    """Put old values that were acted on before all was lost behind what decided it."""
    if no_return is None:
        return tuple(causes)

    def is_over(cause: Cause) -> bool:
        is_stale = cause.kind is CauseKind.STALE_READ
        return is_stale and not cause.first <= no_return.step <= cause.acted

    return tuple(sorted(causes, key=is_over))


class _Marks:
    """How many choices had been made after each step."""

    def __init__(self, kernel: Kernel) -> None:
        self.choices_after: list[int] = [0]
        self._kernel = kernel

    def note(self) -> None:
        self.choices_after.append(len(self._kernel.choices))


class _Prefix:
    """Follows recorded choices, then lets a strategy go on."""

    name = "prefix"
    is_random = False

    def __init__(self, choices: Sequence[int], strategy: Strategy) -> None:
        self._choices = choices
        self._strategy = strategy
        self._position = 0

    def begin(self, kernel: Kernel) -> bool:
        self._position = 0
        return self._strategy.begin(kernel)

    def pick(self, enabled: list[Task]) -> int:
        recorded = self._recorded()
        return self._strategy.pick(enabled) if recorded is None else recorded

    def choose(self, options_count: int) -> int:
        recorded = self._recorded()
        if recorded is None:
            return self._strategy.choose(options_count)
        return recorded

    def _recorded(self) -> int | None:
        if self._position == len(self._choices):
            return None
        self._position += 1
        return self._choices[self._position - 1]

    def end(self, kernel: Kernel) -> None:
        self._strategy.end(kernel)

    def proved(self) -> bool:
        return self._strategy.proved()


def _no_return(
    world: World,
    schedule: Schedule,
    choices_after: Sequence[int],
    deadline: Deadline,
) -> tuple[NoReturn | None, tuple[int, ...] | None]:
    """Bisect for the first step after which no continuation passes.

    If a continuation avoids the violation after some step, then one does after every
    earlier step too, so bisection is sound.
    """
    low, high = 0, len(choices_after) - 1  # steps; after `high` it has happened
    passing, is_exact, count = _passing(world, schedule, 0, deadline)
    if passing is None:
        return None, None
    is_exact, count = True, 0
    while high - low > 1 and not deadline.is_over():
        middle = (low + high) // 2
        found, proved, tried = _passing(
            world, schedule, choices_after[middle], deadline
        )
        if found is None and deadline.is_over():
            break  # it was not tried enough to say that none passes
        if found is None:
            high, is_exact, count = middle, proved, tried
        else:
            low, passing = middle, found
    return NoReturn(step=high, is_exact=is_exact, continuations_count=count), passing


def _passing(
    world: World, schedule: Schedule, choices_count: int, deadline: Deadline
) -> tuple[tuple[int, ...] | None, bool, int]:
    """Search a continuation that passes; return it, whether all were run, how many."""
    prefix = schedule.choices[:choices_count]
    steps_count = fair_after(len(schedule.steps))
    # The rounds of depth-first search overlap; a schedule may have 100,000 choices.
    tried: set[bytes] = set()
    for strategy in (DepthFirst(), RandomWalk(0)):
        rule = _Prefix(prefix, strategy)
        steps_left = CONTINUATION_STEPS_MAX
        for _ in range(CONTINUATIONS_MAX):
            if steps_left <= 0 or deadline.is_over():
                break
            if not rule.begin(world.kernel):
                return None, rule.proved(), len(tried)
            try:
                with deadline.watching(world.kernel):
                    keeps = passes(
                        world, rule, schedule.property_name, fair_after=steps_count
                    )
            except OutOfTime:
                break
            has_passed = keeps and not world.kernel.was_cut
            rule.end(world.kernel)
            steps_left -= world.kernel.steps_count
            choices = tuple(world.kernel.choices)
            if has_passed:
                return choices, False, len(tried)
            tried.add(blake2b(repr(choices).encode(), digest_size=16).digest())
    return None, False, len(tried)


def _escape(world: World, choices: tuple[int, ...], steps: Sequence[Step]) -> Escape:
    passing = run_rule(world, RecordedChoices(choices)).steps
    for index, instead in enumerate(passing):
        if index >= len(steps) or not _same(steps[index], instead):
            return Escape(
                step=instead.number,
                instead=instead,
                steps_count=len(passing),
                choices=choices,
            )
    raise AssertionError("a passing and a failing execution differ somewhere")


def _same(one: Step, other: Step) -> bool:
    return (one.task, one.operation, one.args, one.result) == (
        other.task,
        other.operation,
        other.args,
        other.result,
    )

"""A search session: runs executions, keeps what was found, counts what was seen.

One world is built and rewound for every execution. The session knows neither how
schedules are chosen nor what the properties mean; the clock is an argument.

Complexity: an execution costs its steps, one snapshot of the parts and two look-ups.
"""

import math
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.property import Judge, Property, Violation, with_no_error
from wavecheck.sim.search.execution import FAIR_AFTER, execute
from wavecheck.sim.search.recheck import noted_run, recheck
from wavecheck.sim.search.strategy import Strategy
from wavecheck.sim.task import Rule
from wavecheck.sim.watchdog import WATCHDOG
from wavecheck.sim.world import World

Clock = Callable[[], float]
"""Seconds from some fixed moment."""

_DISTINCT_MAX = 2_000_000
_CLOCK_EVERY = 8
_CLOCK_STEPS = 5_000
_TELL_EVERY = 100
RECHECK_EVERY: Final = 64
"""One in so many executions is run twice and compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a search ends.

    Attributes:
        seconds: wall-clock limit; None: no limit.
        executions: limit of executions; None: no limit.
    """

    seconds: float | None = None
    executions: int | None = None

    def __post_init__(self) -> None:
        if self.seconds is None and self.executions is None:
            raise InvalidScenario(
                "a search needs a budget: seconds, executions or both"
            )
        for name, value in (("seconds", self.seconds), ("executions", self.executions)):
            if value is not None and not 0 < value < math.inf:
                raise InvalidScenario(
                    f"budget in {name} is {value!r}: expected more than nothing, and an"
                    " end"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A schedule that violates a property.

    Attributes:
        violation: what was wrong.
        choices: the schedule.
        execution: number of the execution that found it, 1-based.
        steps_count: steps of the execution up to its end.
        strategy_name: who found it.
        sizes: of the world it was found in, where that is not the session's first.
    """

    violation: Violation
    choices: tuple[int, ...]
    execution: int
    steps_count: int
    strategy_name: str
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What a session has seen so far.

    Attributes:
        executions_count: executions so far.
        drawn_count: those whose schedule was drawn at random.
        steps_count: steps in all of them.
        schedules_count: distinct schedules.
        final_states_count: distinct states at the end of an execution.
        final_states_once: those seen in one execution only.
        last_new_final_state: number of the execution that last ended in a new state.
        seconds: wall-clock time.
        cut_count: executions that went on when every task had its turn, and were cut.
    """

    executions_count: int
    drawn_count: int
    steps_count: int
    schedules_count: int
    final_states_count: int
    final_states_once: int
    last_new_final_state: int
    seconds: float
    cut_count: int = 0

    def unseen_odds(self) -> float:
        """Estimate the odds that the next execution ends in a state not seen yet.

        Source: Good, "The population frequencies of species and the estimation of
        population parameters", Biometrika 1953: the share of those seen once.
        """
        return self.final_states_once / max(1, self.executions_count)


class Session:
    """Executes schedules of one world until its budget is spent.

    Args:
        world: built on an untimed kernel.
        properties: what is judged; each is searched for on its own. That no task ends
            by an error is judged beside them.
        budget: when to stop.
        clock: seconds.
        stops_at_first: stop as soon as one property is violated.

    Attributes:
        found: for each violated property, the schedule with the fewest steps.
        at_risk: names of the properties that some execution could have violated.
        first_found: for each violated property, the schedule that showed it first.
        progress: called now and then with the statistics and what was found.
        executions_count: executions so far.
        judge: holds what the current execution has violated so far.
    """

    def __init__(
        self,
        world: World,
        properties: Sequence[Property],
        budget: Budget,
        clock: Clock,
        *,
        stops_at_first: bool = False,
    ) -> None:
        self.world = world
        self.kernel = world.kernel
        self.found: dict[str, Found] = {}
        self.first_found: dict[str, Found] = {}
        self.at_risk: set[str] = set()
        self.properties = list(properties)
        self.progress: Callable[[Statistics, Mapping[str, Found]], None] | None = None
        self._undecided = list(properties)
        self.judge = self._judge(world)
        self._sizes: Mapping[str, int] = {}
        self._budget = budget
        WATCHDOG.allow(budget.seconds)
        self._clock = clock
        self._began = clock()
        self._stops_at_first = stops_at_first
        self._is_late = False
        self.executions_count = 0
        self._drawn_count = 0
        self._steps_count = 0
        self._schedules: set[bytes | tuple[int, ...]] = set()
        self._final_states: dict[Hashable, int] = {}
        self._final_states_once = 0
        self._last_new_final_state = 0
        self._cut_count = 0
        self._asked_at = 0  # steps, when the clock was asked last
        self._elsewhere: Statistics | None = None

    def _judge(self, world: World) -> Judge:
        return Judge(world.kernel, world, with_no_error(self.properties))

    def is_over(self) -> bool:
        """Return whether the budget is spent or everything was found."""
        count = self.executions_count
        if self.found and (
            self._stops_at_first
            or all(one.name in self.found for one in self.properties)
        ):
            return True
        if self._budget.executions is not None and count >= self._budget.executions:
            return True
        steps_count = self._steps_count - self._asked_at
        is_asked = count % _CLOCK_EVERY == 0 or steps_count > _CLOCK_STEPS
        if self._budget.seconds is not None and is_asked:
            self._asked_at = self._steps_count
            self._is_late = self._clock() - self._began >= self._budget.seconds
        return self._is_late

    def executions_left(self) -> int:
        """Return how many executions the budget allows, as far as it limits them."""
        return (self._budget.executions or sys.maxsize) - self.executions_count

    def search(self, strategy: Strategy) -> None:
        """Run a strategy until the session is over or it has no more schedules."""
        kernel = self.kernel
        while not self.is_over() and strategy.begin(kernel):
            self.execute(strategy, strategy.name)
            self._drawn_count += strategy.is_random
            strategy.end(kernel)
            self.tell()

    def tell(self) -> None:
        """Report progress, now and then."""
        if self.progress is not None and self.executions_count % _TELL_EVERY == 0:
            self.progress(self.statistics(), self.found)

    def enter(self, world: World, sizes: Mapping[str, int]) -> None:
        """Go on in a world of other sizes; they are kept with what is found there."""
        if world is self.world:
            return
        self.judge.close()
        world.kernel.performed = self.kernel.performed
        self.world, self.kernel, self._sizes = world, world.kernel, sizes
        self.judge = self._judge(world)

    def execute(
        self, rule: Rule, strategy_name: str, *, rechecks: bool = True
    ) -> dict[str, Violation]:
        """Run one execution; return the violations it shows.

        Args:
            rule: makes the choices.
            strategy_name: whose rule it is.
            rechecks: run one in so many twice; the rule does not compare runs itself.
        """
        kernel, judge = self.kernel, self.judge
        judge.violations.clear()
        if rechecks and self.executions_count % RECHECK_EVERY == 0:
            steps = noted_run(self.world, rule, fair_after=FAIR_AFTER)
            judge.violations.clear()
            # What is judged and counted below is the second run of the two.
            recheck(self.world, steps, kernel.choices, fair_after=FAIR_AFTER)
        else:
            execute(self.world, rule, cuts=True, fair_after=FAIR_AFTER)
        self._judge_end()
        self._count()
        if judge.violations:
            self._keep(strategy_name)
        return judge.violations

    def execute_smaller(self, rule: Rule, strategy_name: str) -> dict[str, Violation]:
        """Try to show something found with less: it counts as shrinking, not search.

        What it shows takes the place of what was found.
        """
        violations = self.judge.violations
        violations.clear()
        execute(self.world, rule, cuts=True, fair_after=FAIR_AFTER)
        self._judge_end()
        for name in violations:
            self.found.pop(name, None)
        if violations:
            self._keep(strategy_name)
        return violations

    def show(self, rule: Rule, strategy_name: str) -> dict[str, Violation]:
        """Run an execution that was counted elsewhere; keep what it shows if shorter.

        Returns:
            The violations it shows.
        """
        self.judge.violations.clear()
        execute(self.world, rule, cuts=True, fair_after=FAIR_AFTER)
        self._judge_end()
        if self.judge.violations:
            self._keep(strategy_name)
        return self.judge.violations

    def _judge_end(self) -> None:
        if not (self.kernel.was_cut or self.kernel.was_known):
            self.judge.judge_end()

    def count_elsewhere(self, seen: Statistics | None, at_risk: set[str]) -> None:
        """Take for its own what was seen in executions that were not run here.

        Args:
            seen: all of them so far; None: there were none after all.
            at_risk: names of the properties that some of them could have violated.
        """
        self._elsewhere = seen
        self.executions_count = 0 if seen is None else seen.executions_count
        self._drawn_count = 0 if seen is None else seen.drawn_count
        self.at_risk = set(at_risk)

    def _count(self) -> None:
        kernel = self.kernel
        self.executions_count += 1
        self._steps_count += kernel.steps_count
        if len(self._schedules) < _DISTINCT_MAX:
            choices = kernel.choices
            try:
                self._schedules.add(bytes(choices))
            except ValueError:  # a choice above 255
                self._schedules.add(tuple(choices))
        if kernel.was_cut:
            self._cut_count += 1
        if kernel.was_cut or kernel.was_known:
            return
        state = tuple([part.snapshot() for part in kernel.parts.values()])
        seen = self._final_states.get(state, 0)
        if seen == 0:
            self._final_states_once += 1
            self._last_new_final_state = self.executions_count
        elif seen == 1:
            self._final_states_once -= 1
        if seen or len(self._final_states) < _DISTINCT_MAX:
            self._final_states[state] = seen + 1
        if self._undecided:
            self._undecided = [
                judged for judged in self._undecided if not self._note_risk(judged)
            ]

    def _note_risk(self, judged: Property) -> bool:
        is_at_risk = judged.is_at_risk(self.world) and (
            judged.begins is None or judged.name in self.judge.begun
        )
        if is_at_risk:
            self.at_risk.add(judged.name)
        return is_at_risk

    def _keep(self, strategy_name: str) -> None:
        kernel = self.kernel
        for name, violation in self.judge.violations.items():
            best = self.found.get(name)
            if best is not None and best.violation.step <= violation.step:
                continue
            found = Found(
                violation=violation,
                choices=tuple(kernel.choices),
                execution=self.executions_count,
                steps_count=kernel.steps_count,
                strategy_name=strategy_name,
                sizes=self._sizes,
            )
            self.found[name] = found
            self.first_found.setdefault(name, found)

    def statistics(self) -> Statistics:
        """Return what was seen so far."""
        if self._elsewhere is not None:
            return replace(self._elsewhere, seconds=self._clock() - self._began)
        return Statistics(
            executions_count=self.executions_count,
            drawn_count=self._drawn_count,
            steps_count=self._steps_count,
            schedules_count=len(self._schedules),
            final_states_count=len(self._final_states),
            final_states_once=self._final_states_once,
            last_new_final_state=self._last_new_final_state,
            seconds=self._clock() - self._began,
            cut_count=self._cut_count,
        )

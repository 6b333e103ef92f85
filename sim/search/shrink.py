"""Shrinking: the same violation with fewer faults, fewer steps, fewer preemptions.

Steps come before preemptions, because a short story is easier to read: on the
reference model the fewest preemptions (1) need more steps (13) than the fewest (12).

A schedule is taken as a script of task names. Cutting entries out and following the
rest as far as it fits gives another execution; it is kept if it still violates the
property and is smaller. Two moves alternate until neither helps: cutting runs of
entries (largest runs first, as in delta debugging) and letting one task's run of steps
happen earlier or later as a whole. Then the same is done from other violating schedules
of the same world, and the smallest result wins. Smaller worlds are the scenario's
business.

Source: Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", TSE
2002, for the cutting. The result is a local minimum; where the state space is small,
the exhaustive engine gives the global one.

Determinism: the same schedule shrinks to the same result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.search.execution import fair_after
from wavecheck.sim.search.pct import PCTStrategy
from wavecheck.sim.search.portfolio import Portfolio
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recheck import running_again, violates_no_more
from wavecheck.sim.search.recorded import Entry, RecordedChoices, Script
from wavecheck.sim.search.schedule import passes
from wavecheck.sim.task import Rule
from wavecheck.sim.world import World

EXECUTIONS_MAX = 4_000
STEPS_MAX = 320_000
FAULT_PREFIX = "fault"
_RESTART_EXECUTIONS = 1_200
_RESTARTS_MAX = 10
_RESERVE = 100

Cost = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One execution that violates the property.

    Attributes:
        faults_count: faults that were injected.
        preemptions_count: switches away from a task that could have gone on.
        entries: a script that gives this execution.
        choices: its schedule.
    """

    faults_count: int
    preemptions_count: int
    entries: tuple[Entry, ...]
    choices: tuple[int, ...]

    def by_preemptions(self) -> Cost:
        """Return the cost by which the first phase compares."""
        return self.faults_count, self.preemptions_count, len(self.entries)

    def by_steps(self) -> Cost:
        """Return the cost by which the second phase, and the result, compare."""
        return self.faults_count, len(self.entries), self.preemptions_count


class Shrinker:
    """Shrinks schedules of one world that violate one property.

    Args:
        world: on an untimed kernel.
        property_name: what must stay violated.
        executions_max: when to give up; the best so far is the result.
        steps_max: likewise, steps of all executions together: with schedules of
            thousands of steps they are what takes the time.
        deadline: likewise.

    Attributes:
        smallest: the best so far, also where shrinking is ended in its midst.
    """

    def __init__(
        self,
        world: World,
        property_name: str,
        *,
        executions_max: int = EXECUTIONS_MAX,
        steps_max: int = STEPS_MAX,
        deadline: Deadline = NO_DEADLINE,
    ) -> None:
        self.smallest: Attempt | None = None
        self._deadline = deadline
        self._world = world
        self._executions_left = executions_max
        self._steps_left = steps_max
        self._property_name = property_name
        self._fair_after: int | None = None
        self._tried: set[tuple[Entry, ...]] = set()
        self._cost: Callable[[Attempt], Cost] = Attempt.by_steps

    def shrink(self, choices: Sequence[int]) -> Attempt:
        """Return the smallest execution that was found.

        Raises:
            NondeterminismError: the schedule does not violate the property again.
        """
        smallest = self._smallest(choices)
        for other in self._other_violations():
            smallest = min(smallest, self._smallest(other), key=Attempt.by_steps)
        return smallest

    def _passes(self, rule: Rule) -> bool:
        limit = self._fair_after
        return passes(self._world, rule, self._property_name, fair_after=limit)

    def _smallest(self, choices: Sequence[int]) -> Attempt:
        recorded = self._record(choices)
        # Each order of the costs has local minima that the other one escapes.
        calm = self._minimum(recorded, Attempt.by_preemptions)
        candidates = [
            self._minimum(start, Attempt.by_steps) for start in (calm, recorded)
        ]
        return min(candidates, key=Attempt.by_steps)

    def _other_violations(self) -> Iterator[tuple[int, ...]]:
        """Yield other schedules, because a local minimum depends on where one starts.

        On the reference model one start in five ends in a minimum that is too long;
        another way to the same violation, or the same one with two tasks in exchanged
        roles, cannot be reached by cutting and moving.
        """
        kernel, starts_count = self._world.kernel, 0
        strategy = Portfolio([RandomWalk(0), PCTStrategy(0, 2), PCTStrategy(0, 3)])
        least = max(_RESERVE, self._executions_left - _RESTART_EXECUTIONS)
        while self._executions_left >= least and starts_count < _RESTARTS_MAX:
            if self._is_over():
                return
            strategy.begin(kernel)
            is_passed = self._passes(strategy)
            strategy.end(kernel)
            self._count_execution()
            if not is_passed:
                starts_count += 1
                yield tuple(kernel.choices)

    def _minimum(self, best: Attempt, cost: Callable[[Attempt], Cost]) -> Attempt:
        self._cost = cost
        self._tried.clear()
        is_smaller = True
        while is_smaller and not self._is_over():
            before = cost(best)
            best = self._move_runs(self._cut(best))
            is_smaller = cost(best) < before
        return best

    def _record(self, choices: Sequence[int]) -> Attempt:
        """Turn recorded choices into a script."""
        self._tried.clear()
        follower = _Follower(self._world, RecordedChoices(choices))
        with running_again():
            violated = self._run(follower, follower.script)
        if self._fair_after is None:
            self._fair_after = fair_after(self._world.kernel.steps_count)
        # The script of an execution gives that execution, if anything does.
        found = self._try(tuple(follower.script.done)) if violated else None
        if found is None:
            raise violates_no_more(self._property_name)
        return found

    def _try(self, entries: tuple[Entry, ...]) -> Attempt | None:
        if entries in self._tried:
            return None
        self._tried.add(entries)
        script = Script(self._world.kernel, entries)
        if not self._run(script, script):
            return None
        faults_count = sum(entry.task.startswith(FAULT_PREFIX) for entry in script.done)
        found = Attempt(
            faults_count=faults_count,
            preemptions_count=script.preemptions_count,
            entries=tuple(script.done),
            choices=tuple(self._world.kernel.choices),
        )
        if self.smallest is None or found.by_steps() < self.smallest.by_steps():
            self.smallest = found
        return found

    def _run(self, rule: Rule, script: Script) -> bool:
        kernel = self._world.kernel
        kernel.on_step = script.note
        try:
            return not self._passes(rule)
        finally:
            kernel.on_step = None
            self._count_execution()

    def _count_execution(self) -> None:
        self._executions_left -= 1
        self._steps_left -= self._world.kernel.steps_count

    def _is_over(self) -> bool:
        return (
            self._executions_left <= 0
            or self._steps_left <= 0
            or self._deadline.is_over()
        )

    def _better(self, best: Attempt, entries: tuple[Entry, ...]) -> Attempt:
        found = self._try(entries)
        if found is None or self._cost(found) >= self._cost(best):
            return best
        return found

    def _cut(self, best: Attempt) -> Attempt:
        size = max(1, len(best.entries) // 2)
        while size:
            position = 0
            while position < len(best.entries) and not self._is_over():
                entries = best.entries
                shorter = entries[:position] + entries[position + size :]
                best_now = self._better(best, shorter)
                if best_now is best:
                    position += size
                best = best_now
            size //= 2
        return best

    def _move_runs(self, best: Attempt) -> Attempt:
        """Let a task's uninterrupted run of steps happen next to another run."""
        position = 0
        while True:
            runs = [tuple(run) for _, run in groupby(best.entries, _task_of)]
            if position >= len(runs) or self._is_over():
                return best
            run = runs[position]
            rest = runs[:position] + runs[position + 1 :]
            improved = best
            for target in range(len(runs)):
                if target == position:
                    continue
                moved = [*rest[:target], run, *rest[target:]]
                improved = self._better(best, tuple(e for one in moved for e in one))
                if improved is not best:
                    break
            if improved is best:
                position += 1
            best = improved


def _task_of(entry: Entry) -> str:
    return entry.task


class _Follower:
    """Answers recorded choices while a script takes notes."""

    def __init__(self, world: World, recorded: RecordedChoices) -> None:
        self.script = _Notes(world.kernel, recorded)
        self.pick = recorded.pick
        self.choose = self.script.choose


class _Notes(Script):
    """A script that only takes notes: the options come from a recording."""

    def __init__(self, kernel: Kernel, recorded: RecordedChoices) -> None:
        super().__init__(kernel, ())
        self._recorded = recorded

    def choose(self, options_count: int) -> int:
        option = self._recorded.choose(options_count)
        self._options.append(option)
        return option

"""SURW: every order of the interesting steps is about equally likely.

Source: Zhao, Wolff, Mathur, Roychoudhury, "Selectively Uniform Concurrency Testing",
ASPLOS 2025. A walk that picks each task with probability proportional to the number of
interesting steps it still has to take makes all orders of those steps equally likely,
where a uniform walk favours orders in which short tasks end early.

Deviations: what is interesting is one statement name for each execution, drawn among
the names seen so far. A task's number of interesting steps is the average over earlier
executions, because it depends on the schedule. Choices inside a step are uniform.
"""

from collections import defaultdict
from typing import Any

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.prng import Stream
from wavecheck.sim.task import Task

_SCALE = 16  # weights are whole numbers: expected steps in sixteenths


class SURWStrategy:
    """Weighs tasks by the interesting steps that they are expected to have left."""

    name = "surw"
    is_random = True

    def __init__(self, seed: int) -> None:
        self._below = Stream(seed, "surw").below
        self._executions_count = 0
        # Steps by task index and statement name: over all executions, and in this one.
        self._totals: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._taken: dict[tuple[str, int], int] = defaultdict(int)
        self._interesting = ""
        self._intended: int | None = None
        self._kernel: Kernel | None = None

    def begin(self, kernel: Kernel) -> bool:
        """Draw what is interesting in the next execution."""
        names = list(self._totals)
        self._interesting = names[self._below(len(names))] if names else ""
        self._taken.clear()
        self._intended = None
        self._kernel = kernel
        # A rule is not asked where one task alone is enabled, and must count those
        # steps too: hence it listens.
        kernel.on_step = self._note
        return True

    def _note(
        self, task: Task, operation: Operation[Any], result: Any, changes: object
    ) -> None:
        if self._kernel is not None and self._kernel.steps_count == 1:
            self._taken.clear()  # the same schedule again, for a comparison
        name = operation.statement.name
        self._taken[name, task.index] += 1
        if name == self._interesting:
            self._intended = None

    def pick(self, enabled: list[Task]) -> int:
        """Let uninteresting steps go in any order, interesting ones by weight."""
        free: list[int] = []
        held: list[int] = []
        for index, task in enumerate(enabled):
            assert task.operation is not None
            is_held = task.operation.statement.name == self._interesting
            (held if is_held else free).append(index)
        if held:
            intended = self._intend(enabled)
            free += [index for index in held if enabled[index].index == intended]
        if not free:
            # The intended task cannot move before the held ones do.
            free = [held[self._weighted([enabled[index] for index in held])]]
        return free[self._below(len(free))] if len(free) > 1 else free[0]

    def _intend(self, enabled: list[Task]) -> int:
        """Return the task whose interesting step comes next."""
        if self._intended is None:
            self._intended = enabled[self._weighted(enabled)].index
        return self._intended

    def _weighted(self, tasks: list[Task]) -> int:
        """Return an index drawn by the interesting steps that are left."""
        totals, name = self._totals[self._interesting], self._interesting
        weights = []
        for task in tasks:
            expected = totals[task.index] * _SCALE // max(1, self._executions_count)
            taken = self._taken[name, task.index] * _SCALE
            weights.append(max(1, expected - taken))
        point = self._below(sum(weights))
        for index, weight in enumerate(weights):
            point -= weight
            if point < 0:
                return index
        raise AssertionError("a point below the sum lies in some weight")

    def choose(self, options_count: int) -> int:
        """Return a uniformly drawn option."""
        return self._below(options_count)

    def end(self, kernel: Kernel) -> None:
        """Add up what each task did."""
        kernel.on_step = None
        self._executions_count += 1
        for (name, index), count in self._taken.items():
            self._totals[name][index] += count

    def proved(self) -> bool:
        """Return False: sampling proves nothing."""
        return False

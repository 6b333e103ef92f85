"""PCT: random priorities, and d - 1 moments at which the running task loses its own.

Source: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with
Probabilistic Guarantees of Finding Bugs", ASPLOS 2010, section 2. An execution of n
tasks and k steps finds a fault of bug depth d with probability at least
1 / (n * k^(d-1)).

Deviations: k is not known beforehand, so it is the longest execution seen so far (the
first one assumes 64 steps); n is the number of tasks seen so far. Until k has settled,
the bound holds for the k that was assumed. A choice inside a step is drawn uniformly.
"""

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.prng import Stream
from wavecheck.sim.task import Task

_STEPS_ASSUMED = 64


class PCTStrategy:
    """Runs the enabled task of highest priority; priorities change at random steps.

    Args:
        seed: the user's seed.
        depth: the bug depth d, one or more.
    """

    is_random = True

    def __init__(self, seed: int, depth: int) -> None:
        self.name = f"pct{depth}"
        self._depth = depth
        self._stream = Stream(seed, f"pct {depth}")
        self._steps_max = 0
        self._step = 0
        self._priorities: list[int] = []
        self._change_points: dict[int, int] = {}

    def begin(self, kernel: Kernel) -> bool:
        """Draw the priority change points of the next execution."""
        below = self._stream.below
        steps = self._steps_max or _STEPS_ASSUMED
        self._step = 0
        self._priorities = []
        # Change point i lowers the running task to i, below every drawn priority.
        self._change_points = {
            1 + below(steps): position for position in range(self._depth - 1)
        }
        return True

    def pick(self, enabled: list[Task]) -> int:
        """Return the enabled task of highest priority, after a change if it is due."""
        priorities = self._priorities
        missing = 1 + max(task.index for task in enabled) - len(priorities)
        for _ in range(missing):
            priorities.append(self._depth + self._stream.below(1 << 32))
        index = self._highest(enabled)
        self._step += 1
        lowered = self._change_points.get(self._step)
        if lowered is not None:
            priorities[enabled[index].index] = lowered
            index = self._highest(enabled)
        return index

    def _highest(self, enabled: list[Task]) -> int:
        ranks = [self._priorities[task.index] for task in enabled]
        return ranks.index(max(ranks))

    def choose(self, options_count: int) -> int:
        """Return a uniformly drawn option."""
        return self._stream.below(options_count)

    def end(self, kernel: Kernel) -> None:
        """Learn how many steps an execution has."""
        self._steps_max = max(self._steps_max, self._step)

    def proved(self) -> bool:
        """Return False: sampling proves nothing."""
        return False

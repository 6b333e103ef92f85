"""Uniform random walk: at every choice point, every enabled task is equally likely.

Simple and hard to beat on small worlds. Its weakness is known: a schedule in which one
task must wait while others take many steps is exponentially unlikely.
"""

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.prng import Stream
from wavecheck.sim.task import Task


class RandomWalk:
    """Picks uniformly among the enabled tasks."""

    name = "random"
    is_random = True

    def __init__(self, seed: int) -> None:
        # Bound here and not wrapped in a method: it is called at every choice point.
        self._below = Stream(seed, "random walk").below

    def begin(self, kernel: Kernel) -> bool:
        """Go on for ever."""
        return True

    def pick(self, enabled: list[Task]) -> int:
        """Return a uniformly drawn index."""
        return self._below(len(enabled))

    def choose(self, options_count: int) -> int:
        """Return a uniformly drawn option."""
        return self._below(options_count)

    def end(self, kernel: Kernel) -> None:
        """Learn nothing."""

    def proved(self) -> bool:
        """Return False: sampling proves nothing."""
        return False

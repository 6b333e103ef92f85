"""The default: several strategies take turns, one execution each.

No strategy is best everywhere; the price of interleaving m of them is at most a factor
of m over the best one, known only afterwards.
"""

from collections.abc import Sequence

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.search.strategy import Strategy
from wavecheck.sim.task import Task


class Portfolio:
    """Interleaves strategies."""

    def __init__(self, strategies: Sequence[Strategy]) -> None:
        self._strategies = list(strategies)
        self._next = 0
        self._has_proof = False
        self.current = self._strategies[0]

    @property
    def name(self) -> str:
        """Name of the strategy whose turn it is: what is found, it has found."""
        return self.current.name

    @property
    def is_random(self) -> bool:
        """Whether the strategy whose turn it is draws at random."""
        return self.current.is_random

    def begin(self, kernel: Kernel) -> bool:
        """Give the next strategy its turn; one that has no more schedules leaves."""
        while self._strategies:
            self._next %= len(self._strategies)
            self.current = self._strategies[self._next]
            if self.current.begin(kernel):
                self._next += 1
                return True
            self._has_proof = self._has_proof or self.current.proved()
            if self._has_proof:
                return False
            self._strategies.remove(self.current)
        return False

    def pick(self, enabled: list[Task]) -> int:
        """Ask the strategy whose turn it is."""
        return self.current.pick(enabled)

    def choose(self, options_count: int) -> int:
        """Ask the strategy whose turn it is."""
        return self.current.choose(options_count)

    def end(self, kernel: Kernel) -> None:
        """Let the strategy whose turn it was learn."""
        self.current.end(kernel)

    def proved(self) -> bool:
        """Return whether one strategy has run every schedule."""
        return self._has_proof

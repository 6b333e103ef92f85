"""The seam that every strategy of the search stands behind.

A strategy is a kernel rule with a life across executions: it is told when an execution
begins and ends. It must not know the world, the properties, or the clock.
"""

from typing import Protocol

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.task import Rule


class Strategy(Rule, Protocol):
    """Chooses the schedules of a search, one execution after another.

    Attributes:
        name: as on the command line.
    """

    @property
    def name(self) -> str:
        """Name on the command line."""
        ...

    @property
    def is_random(self) -> bool:
        """Whether it draws the current execution at random, so that odds make sense."""
        ...

    def begin(self, kernel: Kernel) -> bool:
        """Prepare the next execution; False: there is no further schedule to try."""
        ...

    def end(self, kernel: Kernel) -> None:
        """Learn from the execution that has just ended."""
        ...

    def proved(self) -> bool:
        """Return whether the executions so far were all that exist."""
        ...

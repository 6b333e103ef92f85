"""The seam above strategies: whoever decides which execution of a session is next.

Most searches ask a strategy for one execution after another. A search that is itself
called back for each execution, such as Hypothesis, cannot be a strategy, but it can run
a session all the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from wavecheck.sim.search.session import Session
from wavecheck.sim.search.strategy import Strategy
from wavecheck.sim.world import World

Sizes = Mapping[str, int]
"""The size of a world, by the names of what can be smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFamily:
    """The same world in several sizes.

    Attributes:
        least: the smallest it can be.
        most: as large as the user asked for.
        build: makes the world of a size in between.
    """

    least: Sizes
    most: Sizes
    build: Callable[[Sizes], World]


class Search(Protocol):
    """Runs the executions of a session until that is over, or until it has no more.

    Attributes:
        note: how the executions were run, where that may differ; empty: on the kernel.
    """

    note: str

    def run(self, session: Session) -> None:
        """Run executions; what is found is in the session, also after Ctrl-C."""
        ...

    def proved(self) -> bool:
        """Return whether the executions so far were all that exist."""
        ...


class StrategySearch:
    """Asks a strategy for one execution after another."""

    note = ""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy

    def run(self, session: Session) -> None:
        """Run executions until the session is over or no schedule is left."""
        session.search(self._strategy)

    def proved(self) -> bool:
        """Return whether the executions so far were all that exist."""
        return self._strategy.proved()

"""The strategies by name, and how each is made from a seed."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.pct import PCTStrategy
from wavecheck.sim.search.portfolio import Portfolio
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.search import Search, StrategySearch, WorldFamily
from wavecheck.sim.search.strategy import Strategy
from wavecheck.sim.search.surw import SURWStrategy


def _portfolio(seed: int) -> Portfolio:
    return Portfolio(
        [
            RandomWalk(seed),
            PCTStrategy(seed, 2),
            PCTStrategy(seed, 3),
            SURWStrategy(seed),
            DepthFirst(),
        ]
    )


STRATEGIES: Final[dict[str, tuple[str, Callable[[int], Strategy]]]] = {
    "portfolio": ("takes turns: random, pct2, pct3, surw, dfs", _portfolio),
    "random": ("uniform random walk over the enabled tasks", RandomWalk),
    "pct": (
        "random priorities with 2 change points (bug depth 3)",
        lambda seed: PCTStrategy(seed, 3),
    ),
    "pct2": (
        "random priorities with 1 change point (bug depth 2)",
        lambda seed: PCTStrategy(seed, 2),
    ),
    "surw": ("every order of one statement's steps about equally likely", SURWStrategy),
    "dfs": (
        "every schedule, by growing number of preemptions",
        lambda seed: DepthFirst(),
    ),
}
"""What each strategy that answers choice by choice does, and its maker."""

HYPOTHESIS: Final = "hypothesis"
EXHAUSTIVE: Final = "exhaustive"

MEANINGS: Final[dict[str, str]] = {
    **{name: meaning for name, (meaning, _) in STRATEGIES.items()},
    HYPOTHESIS: "sizes, faults and schedules drawn together, and shrunk",
    EXHAUSTIVE: "every reachable state: a proof, or a shortest counterexample",
}
"""What can be named as a strategy, and what it does."""


def make_strategy(name: str, seed: int) -> Strategy:
    """Return a fresh strategy that answers choice by choice.

    Raises:
        InvalidScenario: there is none of that name.
    """
    if name not in STRATEGIES:
        raise unknown_name("strategy", name, list(STRATEGIES))
    return STRATEGIES[name][1](seed)


def make_search(
    name: str,
    seed: int,
    *,
    family: WorldFamily | None = None,
    database: Path | None = None,
    shrinks: bool = True,
) -> Search:
    """Return a fresh search by any strategy.

    Args:
        name: as on the command line.
        seed: of the strategy.
        family: worlds to draw from, for `hypothesis`.
        database: folder where `hypothesis` keeps failures; None: nowhere.
        shrinks: let `hypothesis` shrink what it finds.

    Raises:
        InvalidScenario: there is no such strategy, or it keeps no database.
    """
    if name not in MEANINGS:
        raise unknown_name("strategy", name, list(MEANINGS))
    if name != HYPOTHESIS:
        if database is not None:
            raise InvalidScenario(
                f"strategy {name!r} keeps no database\n  expected  {HYPOTHESIS}"
            )
        return StrategySearch(make_strategy(name, seed))
    # It takes a third of a second to import, and few runs need it.
    from wavecheck.sim.search.hypothesis_search import HypothesisSearch

    return HypothesisSearch(seed, family=family, database=database, shrinks=shrinks)

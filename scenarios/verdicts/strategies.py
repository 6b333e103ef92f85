"""The strategies that answer choice by choice, by name, each made from a seed."""

from collections.abc import Callable
from typing import Final

from wavecheck.sim.errors import unknown_name
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.pct import PCTStrategy
from wavecheck.sim.search.portfolio import Portfolio
from wavecheck.sim.search.random_walk import RandomWalk
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


def make_strategy(name: str, seed: int) -> Strategy:
    """Return a fresh strategy that answers choice by choice.

    Raises:
        InvalidScenario: there is none of that name.
    """
    if name not in STRATEGIES:
        raise unknown_name("strategy", name, list(STRATEGIES))
    return STRATEGIES[name][1](seed)

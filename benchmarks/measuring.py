"""How things are measured: side by side in one run, or alone in a fresh process.

The subjects of one table take turns (A B C A B C), so that a machine that slows down
slows all of them down; a ratio is the median of the ratios within each round.
"""

import gc
import resource
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final, TypeVar

from wavecheck.scenarios.verdicts.strategies import make_strategy
from wavecheck.sim.search.hypothesis_search import HypothesisSearch
from wavecheck.sim.search.search import Search, StrategySearch

HYPOTHESIS: Final = HypothesisSearch.name

T = TypeVar("T")

Subject = Callable[[], tuple[int, Callable[[], object]]]
"""Sets one measurement up, untimed; returns how many units it is, and what to time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Seconds per unit of each subject, one number for each round.

    Attributes:
        units: how many units one round of each subject has.
        seconds: seconds per unit, by subject and then by round.
    """

    units: dict[str, int]
    seconds: dict[str, list[float]]

    def median_seconds(self, name: str) -> float:
        """Return the median over the rounds."""
        return median(self.seconds[name])

    def ratio(self, name: str, base: str) -> float:
        """Return how much more a unit costs, as the median over the rounds."""
        pairs = zip(self.seconds[name], self.seconds[base], strict=True)
        return median(one / other for one, other in pairs)


def take_turns(subjects: Mapping[str, Subject], *, rounds_count: int) -> Rounds:
    """Measure the subjects in turn, after one round that does not count."""
    rounds = Rounds(units={}, seconds={name: [] for name in subjects})
    for number in range(rounds_count + 1):
        for name, subject in subjects.items():
            units_count, work = subject()
            gc.collect()
            began = perf_counter()
            work()
            seconds = perf_counter() - began
            rounds.units[name] = units_count
            if number > 0:
                rounds.seconds[name].append(seconds / units_count)
    return rounds


def in_fresh_process(function: Callable[..., T], *args: Any) -> tuple[T, float]:
    """Call a function of a module in a new interpreter.

    Returns:
        Its result, and the most memory that the process held, in megabytes.
    """
    context = get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(_call_and_weigh, function, args).result()


def _call_and_weigh(
    function: Callable[..., T], args: tuple[Any, ...]
) -> tuple[T, float]:
    return function(*args), _peak_megabytes()


def _peak_megabytes() -> float:
    """Return the peak of this process's resident memory.

    Linux: from its own memory map, because the peak in `getrusage` also knows what the
    process was before it became a new interpreter.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def on_kernel(name: str, seed: int) -> Search:
    """Return a search that runs a session's own world, and shrinks nothing."""
    if name == HYPOTHESIS:
        return HypothesisSearch(seed, shrinks=False)
    return StrategySearch(make_strategy(name, seed))

"""The strategies side by side on every faulty variant of the zoo and the classics."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from scipy.stats import binom

from benchmarks.measuring import HYPOTHESIS, on_kernel
from benchmarks.table import Bar, Table
from wavecheck.scenarios.catalogue import EXHIBITS
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.strategies import STRATEGIES, make_strategy
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.session import Budget, Session

PAGE: Final = Path(__file__).parents[1] / "docs" / "zoo-strategies.md"
"""Where `--record` puts the tables."""

SEEDS_COUNT: Final = 20
EXECUTIONS_MAX: Final = 2_000
ODDS_EXECUTIONS: Final = 4_000
CONFIDENCE: Final = 0.95
SEARCHES: Final = (*STRATEGIES, HYPOTHESIS)
REORDER_SETTERS: Final = (2, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class _Fault:
    """One property that one variant violates, in certain sizes."""

    exhibit: str
    variant: str
    property_name: str
    setters: int = 0

    @property
    def label(self) -> str:
        """Return its name in a table."""
        if self.setters:
            return f"{self.exhibit}, {self.setters} setters"
        return f"{self.exhibit} {self.variant} `{self.property_name}`"

    def subject(self) -> Subject:
        """Return what is searched."""
        given = {"setters": str(self.setters)} if self.setters else None
        return Subject.of(EXHIBITS[self.exhibit].scenario, self.variant, given)


def _faults(collection: str) -> list[_Fault]:
    return [
        _Fault(exhibit.name, name, property_name)
        for exhibit in EXHIBITS.values()
        if exhibit.collection == collection
        for name, variant in exhibit.variants.items()
        for property_name in variant.violates
    ]


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield the zoo, the classics, a growing crowd of writers, and PCT's guarantee."""
    seeds_count = 5 if is_quick else SEEDS_COUNT
    yield _first_found("zoo", _faults("zoo"), seeds_count, is_bar=True)
    yield _first_found("classic programs", _faults("classic"), seeds_count, is_bar=True)
    reorder = [
        _Fault("classic/reorder", "original", "assertion_holds", setters)
        for setters in REORDER_SETTERS
    ]
    # Hypothesis takes minutes to miss the last ones.
    growing = tuple(STRATEGIES)
    yield _first_found("more setters", reorder, seeds_count, searches=growing)
    yield _odds(_faults("classic"), ODDS_EXECUTIONS // (8 if is_quick else 1))


def _session(fault: _Fault, executions: int) -> Session:
    subject = fault.subject().judging(fault.property_name)
    world = subject.world()
    return Session(
        world,
        subject.judged(world),
        Budget(executions=executions),
        lambda: 0.0,
        stops_at_first=True,
    )


# Executions to the first violation --------------------------------------------------


def _executions(fault: _Fault, search: str, seed: int) -> int:
    """Return when it was found; one more than the limit if it was not."""
    session = _session(fault, EXECUTIONS_MAX)
    on_kernel(search, seed).run(session)
    found = session.found.get(fault.property_name)
    return EXECUTIONS_MAX + 1 if found is None else found.execution


def median_interval(counts: list[int]) -> tuple[int, int]:
    """Return the bounds of the median at 95 %: two of the counts, by their ranks.

    Source: the order statistics of a sample; the number of values below the median is
    binomial with odds 1/2.
    """
    ordered, size = sorted(counts), len(counts)
    rank = max(0, int(binom.ppf((1 - CONFIDENCE) / 2, size, 0.5)) - 1)
    return ordered[rank], ordered[size - 1 - rank]


def _count(value: float) -> str:
    return f"> {EXECUTIONS_MAX:,}" if value > EXECUTIONS_MAX else f"{value:g}"


def _cell(counts: list[int]) -> str:
    if len(counts) == 1:
        return _count(counts[0])
    low, high = median_interval(counts)
    return f"{_count(median(counts))} ({_count(low)} to {_count(high)})"


def _first_found(
    title: str,
    faults: list[_Fault],
    seeds_count: int,
    *,
    searches: tuple[str, ...] = SEARCHES,
    is_bar: bool = False,
) -> Table:
    rows, worst = [], 0.0
    for fault in faults:
        cells = []
        for search in searches:
            # Depth-first draws nothing: every seed is the same.
            seeds = range(1 if search == "dfs" else seeds_count)
            counts = [_executions(fault, search, seed) for seed in seeds]
            cells.append(_cell(counts))
            if search == "portfolio":
                worst = max(worst, median(counts))
        rows.append((fault.label, *cells))
    bar = Bar(
        text=f"portfolio: the largest median is {_count(worst)}, at most 100",
        is_reached=worst <= 100,
    )
    return Table(
        title=f"Executions until the fault is found: {title}",
        command="python -m benchmarks zoo",
        note=f"Median over {seeds_count} seeds with its {CONFIDENCE:.0%} interval, at"
        f" most {EXECUTIONS_MAX:,} executions each; dfs draws nothing.",
        columns=("fault", *searches),
        rows=rows,
        bars=(bar,) if is_bar else (),
    )


# Odds in one execution --------------------------------------------------------------


def _odds(faults: list[_Fault], executions: int) -> Table:
    """Measure how likely one execution shows a fault, beside what PCT guarantees."""
    rows, bars = [], []
    for fault in faults:
        tasks, steps = _size(fault)
        guarantee = 1 / (tasks * steps**2)
        shares = {
            name: _hits(fault, name, executions) / executions
            for name in ("random", "surw", "pct2", "pct")
        }
        rows.append(
            (
                fault.exhibit,
                str(tasks),
                str(steps),
                f"{guarantee:.5f}",
                *(f"{share:.3f}" for share in shares.values()),
            )
        )
        bars.append(
            Bar(
                text=f"{fault.exhibit}: pct {shares['pct']:.3f}, guaranteed"
                f" {guarantee:.5f}",
                is_reached=shares["pct"] >= guarantee,
            )
        )
    return Table(
        title="Odds that one execution shows the fault: classic programs",
        command="python -m benchmarks zoo",
        note=f"{executions:,} executions with seed 0. With n tasks and at most k steps"
        " PCT of depth 3 guarantees 1/(n k^2), for faults of depth 3 and less.",
        columns=(
            "program",
            "tasks n",
            "steps k",
            "guaranteed",
            "random",
            "surw",
            "pct2",
            "pct (3)",
        ),
        rows=rows,
        bars=bars,
    )


def _size(fault: _Fault) -> tuple[int, int]:
    """Return the tasks, and the most steps seen in some random executions."""
    world = fault.subject().world()
    walk = make_strategy("random", 0)
    steps = 0
    for _ in range(100):
        walk.begin(world.kernel)
        execute(world, walk)
        walk.end(world.kernel)
        steps = max(steps, world.kernel.steps_count)
    return len(world.kernel.tasks), steps


def _hits(fault: _Fault, name: str, executions: int) -> int:
    session = _session(fault, executions)
    strategy = make_strategy(name, 0)
    hits = 0
    for _ in range(executions):
        strategy.begin(session.kernel)
        hits += bool(session.execute(strategy, name))
        strategy.end(session.kernel)
    return hits

"""The search: executions per second, and executions until a fault is found."""

from collections.abc import Callable, Iterator
from itertools import product
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

from benchmarks.measuring import HYPOTHESIS, on_kernel, take_turns
from benchmarks.measuring import Subject as Measured
from benchmarks.table import Bar, Table
from wavecheck import find_scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.strategies import STRATEGIES, make_strategy
from wavecheck.sim.search.session import Budget, Session

RATE_MIN: Final = 8_000
MEDIAN_MAX: Final = 10
SEEDS_COUNT: Final = 20
HARD_SEEDS_COUNT: Final = 8
EXECUTIONS_MAX: Final = 2_000
HARD_EXECUTIONS_MAX: Final = 3_000
SEARCHES: Final = (*STRATEGIES, HYPOTHESIS)
VARIANTS: Final = ("stalling", "progressive", "claiming")
SIZES: Final = ((2, 1), (2, 2), (3, 2))


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield the table of rates and the tables of executions to the first violation."""
    yield _rates(rounds_count=3 if is_quick else 15)
    yield _first_found(5 if is_quick else SEEDS_COUNT)
    yield _hard(2 if is_quick else HARD_SEEDS_COUNT)


def _subject(variant: str, size: tuple[int, int], *, retrigger: bool) -> Subject:
    scenario = find_scenario("wd")
    given = {
        "listeners": str(size[0]),
        "batches_per_listener": str(size[1]),
        "retrigger": str(retrigger).lower(),
    }
    return Subject(
        scenario=scenario,
        coordinator=variant,
        coordinator_type=scenario.coordinators[variant],
        settings=scenario.settings(given),
        faults={},
    )


def _session(
    subject: Subject, names: list[str], executions: int, **options: Any
) -> Session:
    world = subject.world()
    budget = Budget(executions=executions)
    judged = subject.judging(*names).judged(world)
    return Session(world, judged, budget, lambda: 0.0, **options)


# Executions per second --------------------------------------------------------------


def _searching(variant: str, *, retrigger: bool, executions: int) -> Measured:
    def set_up() -> tuple[int, Callable[[], object]]:
        session = _session(_subject(variant, (2, 1), retrigger=retrigger), [], 10**9)
        strategy = make_strategy("random", 0)
        kernel = session.kernel

        def work() -> None:
            # A session ends when everything is found; the rate is that of a search
            # that goes on.
            for _ in range(executions):
                strategy.begin(kernel)
                session.execute(strategy, "random")
                strategy.end(kernel)

        return executions, work

    return set_up


def _rates(*, rounds_count: int) -> Table:
    executions = 1_000
    subjects = {
        f"{variant}, retrigger {'yes' if retrigger else 'no'}": _searching(
            variant, retrigger=retrigger, executions=executions
        )
        for variant, retrigger in product(VARIANTS, (False, True))
    }
    rounds = take_turns(subjects, rounds_count=rounds_count)
    middle = {name: 1 / rounds.median_seconds(name) for name in subjects}
    best = {name: 1 / min(rounds.seconds[name]) for name in subjects}
    reached = median(middle.values())
    return Table(
        title="Random executions per second on WD (2, 1)",
        command="python -m benchmarks search",
        note=f"One core, no trace; judged, counted, and one in 64 run three times to be"
        f" compared. {rounds_count} rounds of {executions:,} executions, in which the"
        " rows take turns.",
        columns=("coordinator", "median of rounds", "best round"),
        rows=[
            (name, f"{middle[name]:,.0f}", f"{best[name]:,.0f}") for name in subjects
        ],
        bars=[
            Bar(
                text=f"{reached:,.0f} executions a second (median of the rows), at"
                f" least {RATE_MIN:,}",
                is_reached=reached >= RATE_MIN,
            )
        ],
    )


# Executions to the first violation --------------------------------------------------


def _executions(
    variant: str, size: tuple[int, int], property_name: str, name: str, seed: int
) -> int:
    """Return when it was found; one more than the limit if it was not."""
    subject = _subject(variant, size, retrigger=variant == "progressive")
    session = _session(subject, [property_name], EXECUTIONS_MAX, stops_at_first=True)
    on_kernel(name, seed).run(session)
    found = session.found.get(property_name)
    return EXECUTIONS_MAX + 1 if found is None else found.execution


def _count(value: float, limit: int = EXECUTIONS_MAX) -> str:
    return f"> {limit:,}" if value > limit else f"{value:g}"


def _cell(counts: list[int], limit: int = EXECUTIONS_MAX) -> str:
    if len(counts) == 1:
        return _count(counts[0], limit)
    low, middle, high = (
        _count(value, limit) for value in quantiles(counts, n=4, method="inclusive")
    )
    return f"{middle} ({low} to {high})"


def _first_found(seeds_count: int) -> Table:
    faults = [
        (variant, size, property_name)
        for variant, property_name in (
            ("stalling", "no_stranded_batch"),
            ("progressive", "no_double_dispatch"),
        )
        for size in SIZES
    ]
    rows, bars = [], []
    for name in SEARCHES:
        cells = []
        for variant, size, property_name in faults:
            # Depth-first draws nothing: every seed is the same.
            seeds = range(1 if name == "dfs" else seeds_count)
            counts = [
                _executions(variant, size, property_name, name, seed) for seed in seeds
            ]
            cells.append(_cell(counts))
            if name == "portfolio":
                bars.append(
                    Bar(
                        text=f"portfolio, {variant} {size}: median"
                        f" {_count(median(counts))}, at most {MEDIAN_MAX}",
                        is_reached=median(counts) <= MEDIAN_MAX,
                    )
                )
        rows.append((name, *cells))
    return Table(
        title="Executions until the fault is found",
        command="python -m benchmarks search",
        note="WD: STRANDED of stalling without retrigger, DOUBLE of progressive with"
        f" retrigger. Median and quartiles over {seeds_count} seeds, at most"
        f" {EXECUTIONS_MAX:,} executions each.",
        columns=(
            "strategy",
            *(f"{variant} {size[0]},{size[1]}" for variant, size, _ in faults),
        ),
        rows=rows,
        bars=bars,
    )


# A hard fault ------------------------------------------------------------------------


def _hard(seeds_count: int) -> Table:
    """Measure the stall that needs three listeners where completions call again."""
    name = "no_stranded_batch"
    rows = []
    for search in SEARCHES:
        counts, executions, seconds = [], 0, 0.0
        for seed in range(1 if search == "dfs" else seeds_count):
            subject = _subject("stalling", (3, 1), retrigger=True)
            session = _session(
                subject, [name], HARD_EXECUTIONS_MAX, stops_at_first=True
            )
            began = perf_counter()
            on_kernel(search, seed).run(session)
            seconds += perf_counter() - began
            executions += session.executions_count
            found = session.found.get(name)
            counts.append(HARD_EXECUTIONS_MAX + 1 if found is None else found.execution)
        rows.append(
            (search, _cell(counts, HARD_EXECUTIONS_MAX), f"{executions / seconds:,.0f}")
        )
    return Table(
        title="Executions until a hard fault is found",
        command="python -m benchmarks search",
        note="WD with 3 listeners of 1 batch and calls after completions: STRANDED of"
        f" stalling. Median and quartiles over {seeds_count} seeds, at most"
        f" {HARD_EXECUTIONS_MAX:,} executions each; executions a second in those runs.",
        columns=("strategy", "executions", "a second"),
        rows=rows,
    )

"""Measures over several runs that differ in their seed: every value, and an interval.

The interval is for the median and asks nothing of the distribution: two order
statistics between which the median lies with at least 95 % probability. Where there are
too few runs for one, there is none.

Source: H. A. David, H. N. Nagaraja, "Order Statistics", section 7.1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from wavecheck.reports.html.charts import LEFT, WIDTH
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.sim.kernel import TICKS_PER_SECOND

CONFIDENCE: Final = 0.95
_MEASURES: Final = (
    ("makespan, s", "makespan_us"),
    ("first derived batch sent, s", "first_derived_dispatch_us"),
    ("statements", "statements_total"),
    ("parent ids held at most", "parent_ids_held_max"),
    ("batches sent", "batches_dispatched"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One coordinator's values of one measure.

    Attributes:
        coordinator: its name.
        dots: where each run lies.
        middle: where the median lies; None: the measure has no value in any run.
        interval: where its interval begins, and how wide it is; None: too few runs.
        text: the same in numbers.
    """

    coordinator: str
    dots: tuple[float, ...]
    middle: float | None
    interval: tuple[float, float] | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """One measure: a strip for each coordinator on one scale from `low` to `high`."""

    name: str
    low: str
    high: str
    strips: tuple[Strip, ...]


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return values between which the median lies with at least 95 % probability.

    Returns:
        None if there are too few values: fewer than 6.
    """
    from scipy.stats import binom  # slow to load

    ordered = sorted(values)
    count = len(ordered)
    # Ranks k and count - 1 - k leave out at most 2.5 % on each side.
    rank = int(binom.ppf((1 - CONFIDENCE) / 2, count, 0.5)) - 1
    if rank < 0 or binom.cdf(rank, count, 0.5) > (1 - CONFIDENCE) / 2:
        return None
    return ordered[rank], ordered[count - 1 - rank]


def distributions_of(
    runs: Mapping[str, Sequence[TimedRun]],
) -> tuple[Histogram, ...]:
    """Return a strip chart for each measure that varies at all.

    Args:
        runs: of each coordinator, by name.
    """
    found = []
    for title, name in _MEASURES:
        values = {
            coordinator: _values(several, name) for coordinator, several in runs.items()
        }
        everything = [one for some in values.values() for one in some]
        if len({round(one, 9) for one in everything}) < 2:
            continue
        low, high = min(everything), max(everything)
        found.append(
            Histogram(
                name=title,
                low=f"{low:,.6g}",
                high=f"{high:,.6g}",
                strips=tuple(
                    _strip(coordinator, some, low, high)
                    for coordinator, some in values.items()
                ),
            )
        )
    return tuple(found)


def _values(runs: Sequence[TimedRun], name: str) -> list[float]:
    unit = TICKS_PER_SECOND if name.endswith("_us") else 1
    found = [run.measures()[name] for run in runs]
    return [one / unit for one in found if one is not None]


def _strip(coordinator: str, values: list[float], low: float, high: float) -> Strip:
    def x(value: float) -> float:
        return round(LEFT + (value - low) / (high - low) * (WIDTH - 2 * LEFT), 1)

    if not values:
        return Strip(
            coordinator=coordinator,
            dots=(),
            middle=None,
            interval=None,
            text="never",
        )
    middle, interval = median(values), median_interval(values)
    text = f"median {middle:,.6g} of {len(values)} runs"
    if interval is None:
        text += ", too few for an interval"
    else:
        text += f", between {interval[0]:,.6g} and {interval[1]:,.6g} at 95 %"
    return Strip(
        coordinator=coordinator,
        dots=tuple(map(x, values)),
        middle=x(middle),
        interval=None
        if interval is None
        else (x(interval[0]), round(x(interval[1]) - x(interval[0]), 1)),
        text=text,
    )

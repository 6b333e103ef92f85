"""Intervals and summaries of many runs: what a sample says, and how surely.

Knows numbers only; no run, no scenario. Every interval names its method and its
confidence, because they do not all mean the same:

- `rate_interval`: the number of runs was fixed before. Wilson's score interval, or
  Clopper and Pearson's exact one where hits or misses are few.
- `rate_sequence`: may be looked at as often as one likes, and the runs may end when it
  is narrow enough. Wider, because it pays for that.
- `bounded_mean_interval`: of a mean of numbers in [0, limit] whose distribution may be
  as skewed as that of importance weights. Holds for any such distribution and any
  number of runs; no normal approximation.
- `bootstrap_interval`: of a mean of anything; approximate, good from some dozens on.

Source: Wilson, JASA 1927; Clopper and Pearson, Biometrika 1934; Robbins, "Statistical
methods related to the law of the iterated logarithm", Ann. Math. Stat. 1970 (the
beta-binomial mixture); Waudby-Smith and Ramdas, "Estimating means of bounded random
variables by betting", JRSS B 2024, theorem 3 (the hedged capital process, here with
its two sides apart at half the error each).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

CONFIDENCE: Final = 0.95
FEW: Final = 10
"""Fewer hits or misses than this, and the exact interval takes Wilson's place."""

RESAMPLES: Final = 2_000
_BATCH: Final = 200
_PRIOR: Final = 0.5  # of the mixture: Jeffreys' prior, narrow for rare events as well
_TRUNCATION: Final = 0.9
_SMALLEST: Final = 1e-15
_GUESS: Final = 0.01  # of the variance, before any value is seen: rare events are meant
_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a number lies.

    Attributes:
        low: lower end.
        high: upper end.
        confidence: the share of such intervals that hold the true number.
        method: how it was computed.
    """

    low: float
    high: float
    confidence: float
    method: str

    @property
    def width(self) -> float:
        """The distance between its ends."""
        return self.high - self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How one measure is distributed over the runs.

    Attributes:
        count: runs in which it has a value; infinite ones included.
        missing: runs in which it has none.
        mean: of the values; infinite if one of them is.
        least: the smallest value.
        quantiles: at 5, 25, 50, 75 and 95 %.
        most: the largest value.
    """

    count: int
    missing: int
    mean: float
    least: float
    quantiles: tuple[float, float, float, float, float]
    most: float


def rate_interval(hits: int, count: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of a rate; the number of runs was fixed before.

    Args:
        hits: runs in which it happened.
        count: runs.
        confidence: of the interval.
    """
    if count == 0:
        return Interval(low=0.0, high=1.0, confidence=confidence, method="no runs")
    from scipy.stats import binomtest  # takes half a second to load

    is_few = min(hits, count - hits) < FEW
    found = binomtest(hits, count).proportion_ci(
        confidence, "exact" if is_few else "wilson"
    )
    return Interval(
        low=float(found.low),
        high=float(found.high),
        confidence=confidence,
        method="Clopper-Pearson" if is_few else "Wilson",
    )


def rate_sequence(hits: int, count: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of a rate that holds at every moment at once.

    Whoever stops at the first moment at which it is narrow enough is still right with
    this confidence: the probability that any of these intervals, for 1, 2, 3... runs,
    misses the true rate is below 1 - confidence.
    """
    method = "confidence sequence"
    if count == 0:
        return Interval(low=0.0, high=1.0, confidence=confidence, method=method)
    from scipy.special import betaln

    limit = float(np.log(1.0 / (1.0 - confidence)))
    misses = count - hits
    mixed = float(betaln(_PRIOR + hits, _PRIOR + misses) - betaln(_PRIOR, _PRIOR))

    def excess(rate: float) -> float:
        likelihood = hits * np.log(rate) + misses * np.log1p(-rate)
        return float(mixed - likelihood) - limit

    middle = hits / count
    low, high = 0.0, 1.0
    if hits:
        low = _root(excess, _SMALLEST, min(middle, 1.0 - _SMALLEST))
    if misses:
        high = _root(excess, max(middle, _SMALLEST), 1.0 - _SMALLEST)
    return Interval(low=low, high=high, confidence=confidence, method=method)


def bounded_mean_interval(
    values: Floats, limit: float, *, confidence: float = CONFIDENCE
) -> Interval:
    """Return the interval of the mean of numbers that lie in [0, limit].

    Args:
        values: independent, in an order that does not depend on them; shape (n,).
        limit: upper bound of every value, known before.
        confidence: of the interval.
    """
    method = "betting"
    if len(values) == 0:
        return Interval(low=0.0, high=limit, confidence=confidence, method=method)
    scaled = np.asarray(values, dtype=np.float64) / limit
    assert scaled.min() >= 0.0
    assert scaled.max() <= 1.0 + 1e-9
    error = (1.0 - confidence) / 2.0
    bets = _bets(scaled, error)
    threshold = float(np.log(1.0 / error))

    def gain_above(mean: float) -> float:
        stakes = np.minimum(bets, _TRUNCATION / mean)
        return float(np.log1p(stakes * (scaled - mean)).sum()) - threshold

    def gain_below(mean: float) -> float:
        stakes = np.minimum(bets, _TRUNCATION / (1.0 - mean))
        return float(np.log1p(-stakes * (scaled - mean)).sum()) - threshold

    low, high = 0.0, 1.0
    if gain_above(_SMALLEST) > 0.0:
        low = _root(gain_above, _SMALLEST, 1.0 - _SMALLEST)
    if gain_below(1.0 - _SMALLEST) > 0.0:
        high = _root(gain_below, _SMALLEST, 1.0 - _SMALLEST)
    return Interval(
        low=low * limit, high=high * limit, confidence=confidence, method=method
    )


def _bets(scaled: Floats, error: float) -> Floats:
    """Return each stake, from the values before it only."""
    count = len(scaled)
    numbers = np.arange(1, count + 1)
    means = np.cumsum(scaled) / (numbers + 1)
    variances = (_GUESS + np.cumsum((scaled - means) ** 2)) / (numbers + 1)
    before = np.concatenate([[_GUESS], variances[:-1]])
    stakes: Floats = np.sqrt(2.0 * np.log(1.0 / error) / (count * before))
    return stakes


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function crosses zero; an end, where it does not between them."""
    from scipy.optimize import brentq  # slow to load

    at_low, at_high = function(low), function(high)
    if at_low * at_high > 0.0:
        return low if abs(at_low) < abs(at_high) else high
    return float(brentq(function, low, high, xtol=_SMALLEST))


def bootstrap_interval(
    values: Floats, *, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """Return the interval of a mean by resampling, percentile method.

    Args:
        values: independent; shape (n,), at least one.
        confidence: of the interval.
        seed: of the resampling, so that the same values give the same interval.
    """
    method = "bootstrap"
    if len(values) < 2 or np.ptp(values) == 0.0:
        mean = float(values[0])
        return Interval(low=mean, high=mean, confidence=confidence, method=method)
    from scipy.stats import bootstrap

    found: Any = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=_BATCH,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.Generator(np.random.PCG64(seed)),
    )
    low, high = found.confidence_interval
    return Interval(
        low=float(low), high=float(high), confidence=confidence, method=method
    )


def distribution(values: Floats) -> Distribution | None:
    """Return how values are distributed; NaN is no value, None if there is none."""
    known = np.sort(values[~np.isnan(values)])
    if len(known) == 0:
        return None
    # An order statistic, never a blend of two: a blend with infinity is no number.
    places = [int(np.ceil(share * len(known))) - 1 for share in _QUANTILES]
    at = [float(known[max(0, place)]) for place in places]
    return Distribution(
        count=len(known),
        missing=len(values) - len(known),
        mean=float(known.mean()),
        least=float(known[0]),
        quantiles=(at[0], at[1], at[2], at[3], at[4]),
        most=float(known[-1]),
    )

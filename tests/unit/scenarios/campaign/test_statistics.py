"""Intervals: against their definitions, and how often they hold the true number."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import binomtest

from wavecheck.scenarios.campaign.statistics import (
    bootstrap_interval,
    bounded_mean_interval,
    distribution,
    rate_interval,
    rate_sequence,
)


@pytest.mark.parametrize(
    ("hits", "count", "method"),
    [
        (0, 100, "Clopper-Pearson"),
        (9, 100, "Clopper-Pearson"),
        (10, 100, "Wilson"),
        (90, 100, "Wilson"),
        (91, 100, "Clopper-Pearson"),
        (100, 100, "Clopper-Pearson"),
    ],
)
def test_few_hits_or_misses_get_the_exact_interval(hits, count, method):
    """Below ten of either, Clopper-Pearson; else Wilson; the rate lies inside."""
    found = rate_interval(hits, count)
    assert found.method == method
    assert found.low <= hits / count <= found.high
    exact = binomtest(hits, count).proportion_ci(
        0.95, "exact" if method == "Clopper-Pearson" else "wilson"
    )
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_no_runs_say_nothing():
    """Without runs a rate is anywhere between 0 and 1."""
    for interval in (rate_interval, rate_sequence):
        assert (interval(0, 0).low, interval(0, 0).high) == (0.0, 1.0)


def test_a_sequence_is_the_mixture_s_level_set():
    """At its ends the mixture's likelihood ratio is exactly 1 / (1 - confidence)."""
    from scipy.special import betaln

    found = rate_sequence(30, 200)
    for rate in (found.low, found.high):
        ratio = (
            betaln(30.5, 170.5)
            - betaln(0.5, 0.5)
            - 30 * np.log(rate)
            - 170 * np.log1p(-rate)
        )
        assert ratio == pytest.approx(np.log(20), abs=1e-6)
    fixed = rate_interval(30, 200)
    assert found.low < fixed.low
    assert fixed.high < found.high


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_a_sequence_holds_at_all_looks_at_once(rate):
    """In 200 campaigns with 20 looks each, at most 5 % ever miss the true rate.

    A fixed interval, looked at as often, misses it in far more. Chance of a false alarm
    of this test: the number of misses is at most Binomial(200, 0.05); 22 or more have
    probability 5e-4, and the seed is fixed.
    """
    draws = np.random.Generator(np.random.PCG64(3)).random((200, 800)) < rate
    hits = draws.cumsum(axis=1)
    looks = range(39, 800, 40)
    missed = {"sequence": 0, "fixed": 0}
    intervals = {"sequence": cache(rate_sequence), "fixed": cache(rate_interval)}
    for one in hits:
        for name, interval in intervals.items():
            if not all(
                (found := interval(int(one[look]), look + 1)).low <= rate <= found.high
                for look in looks
            ):
                missed[name] += 1
    assert missed["sequence"] <= 21
    assert missed["fixed"] > 25


def test_a_bounded_mean_is_held_by_its_interval():
    """Skewed weights in [0, 5]: at most 5 % of 400 intervals miss the mean.

    35 or fewer misses of an expected 20 at most, as above.
    """
    random = np.random.Generator(np.random.PCG64(5))
    mean, missed = 0.02 * 1.5 + 0.001 * 5, 0
    for _ in range(400):
        draws = random.random(2_000)
        values = np.where(draws < 0.001, 5.0, np.where(draws < 0.021, 1.5, 0.0))
        found = bounded_mean_interval(values, 5.0)
        missed += not found.low <= mean <= found.high
    assert missed <= 35


@pytest.mark.parametrize("values", [[0.0] * 50, [5.0] * 50, [0.0, 5.0]])
def test_a_bounded_mean_at_its_limits(values):
    """Nothing but zeros, nothing but the limit, two values: ends within [0, limit]."""
    found = bounded_mean_interval(np.array(values), 5.0)
    assert 0.0 <= found.low <= np.mean(values) <= found.high <= 5.0
    assert bounded_mean_interval(np.array([]), 5.0).high == 5.0


def test_a_bootstrap_interval_is_the_same_again():
    """The resampling has a seed of its own; the mean lies inside."""
    values = np.random.Generator(np.random.PCG64(1)).normal(3.0, 1.0, 200)
    first, again = bootstrap_interval(values), bootstrap_interval(values)
    assert first == again
    assert first.low < values.mean() < first.high
    assert first.width == pytest.approx(2 * 1.96 / 200**0.5, rel=0.25)


def test_a_bootstrap_of_equal_values_has_no_width():
    """A constant, or a single value, is its own interval."""
    assert bootstrap_interval(np.array([2.0, 2.0])).width == 0.0
    assert bootstrap_interval(np.array([2.0])).low == 2.0


def test_a_distribution_counts_what_is_missing_and_what_never_ends():
    """NaN is no value; infinity is one, and the quantiles are order statistics."""
    values = np.array([3.0, np.nan, 1.0, np.inf, 2.0])
    found = distribution(values)
    assert (found.count, found.missing) == (4, 1)
    assert (found.least, found.most, found.mean) == (1.0, np.inf, np.inf)
    assert found.quantiles == (1.0, 1.0, 2.0, 3.0, np.inf)
    assert distribution(np.array([np.nan])) is None

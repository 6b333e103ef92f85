"""Sampled odds against exact ones: the exhaustive engine knows the truth on WD.

Every interval here has confidence 99 %, and the seeds are fixed: a right estimator
fails one of these tests with probability 1 % at the time of writing, and never again.
"""

import numpy as np
import pytest

from wavecheck import prove
from wavecheck.scenarios.campaign.campaign import campaign, complete
from wavecheck.scenarios.campaign.plan import Plan
from wavecheck.scenarios.campaign.statistics import bounded_mean_interval, rate_interval
from wavecheck.scenarios.campaign.store import create_store
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.search.biased_walk import SHARE, BiasedWalk, learn_weights

WD = find_scenario("wd")
CASES = [
    ("stalling", "no_stranded_batch", {"listeners": 2}),
    ("stalling", "no_double_dispatch", {"listeners": 2}),
    ("progressive", "no_double_dispatch", {"listeners": 2}),
    ("stalling", "no_stranded_batch", {"listeners": 1, "batches_per_listener": 4}),
    (
        "stalling",
        "no_stranded_batch",
        {"listeners": 1, "batches_per_listener": 3, "retrigger": True},
    ),
]


@pytest.mark.parametrize(("rule", "name", "settings"), CASES)
def test_uniform_schedules_give_the_exact_odds(rule, name, settings):
    """The exact odds lie in the 99 % interval of 3,000 uniformly random schedules."""
    exact = float(prove("wd", rule, settings=settings).explored.odds[name].exact)
    plan = Plan.of(WD, [rule], settings=settings, seeds_count=3_000)
    rate = campaign(plan).points[0].rate(name)
    found = rate_interval(rate.hits, rate.runs, confidence=0.99)
    assert found.low <= exact <= found.high
    assert found.low > 0


@pytest.mark.parametrize(("rule", "name", "settings"), CASES)
def test_schedules_drawn_towards_a_violation_give_the_exact_odds(rule, name, settings):
    """So they do in the interval of as many weighed schedules."""
    exact = float(prove("wd", rule, settings=settings).explored.odds[name].exact)
    plan = Plan.of(WD, [rule], settings=settings, seeds_count=3_000, rare=name)
    with create_store(plan, None, resumes=False) as store:
        complete(plan, store=store)
        outcomes, weights = store.values(0, [name, "weight"]).T
    weighed = np.where(outcomes == 1, weights, 0.0)
    found = bounded_mean_interval(weighed, 1 / SHARE, confidence=0.99)
    assert found.low <= exact <= found.high
    # The mean of all weights is 1 whatever the bias: the mark of a true likelihood
    # ratio. Four standard errors: missed by chance once in 16,000 times.
    error = weights.std() / len(weights) ** 0.5
    assert abs(weights.mean() - 1) < 4 * error
    assert weights.max() <= 1 / SHARE


def test_a_rare_violation_is_seen_more_often_and_estimated_better():
    """Of 3 in 128 far more are drawn, and the interval is narrower than without."""
    settings = {"listeners": 2}
    drawn, uniform = (
        campaign(
            Plan.of(WD, ["stalling"], settings=settings, seeds_count=3_000, rare=rare)
        )
        .points[0]
        .rate("no_stranded_batch")
        for rare in ("no_stranded_batch", "")
    )
    assert drawn.hits > 4 * uniform.hits
    assert drawn.interval.width < 0.8 * uniform.interval.width
    assert drawn.interval.method == "betting"


def test_what_never_happens_has_an_upper_bound_only():
    """Claiming never strands: nothing is learned, nothing is found, and it says so."""
    plan = Plan.of(WD, ["claiming"], seeds_count=500, rare="no_stranded_batch")
    rate = campaign(plan).points[0].rates[0]
    assert (rate.hits, rate.estimate, rate.interval.low) == (0, 0.0, 0.0)
    assert 0 < rate.interval.high < 0.03


def test_without_a_bias_every_weight_is_one():
    """Uniform draws alone, or equal weights: the ratio of the odds is exactly 1."""
    world = WD.build(
        Kernel(timed=False), WD.coordinators["stalling"], WD.settings({"listeners": 2})
    )
    judged = world.properties[0]
    for walk in (BiasedWalk({}, SHARE), BiasedWalk({"listener-0 create": 7}, 1.0)):
        walk.reseed(5)
        world.kernel.rule = walk
        world.kernel.rewind()
        world.start()
        world.kernel.run_to_quiescence()
        assert walk.weight() == 1.0
    assert learn_weights(world, judged, 400) == learn_weights(world, judged, 400)

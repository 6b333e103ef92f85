"""What a uniformly random schedule is: each answer of the rule is equally likely."""

from fractions import Fraction

import pytest

from wavecheck.sim.exhaustive import CannotLearn
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.prove import searched
from wavecheck.sim.exhaustive.sampling import Draw, Sampler, UniformPicks


def guesses(wanted):
    """Return a flow that guesses unevenly and adds one if it guesses a number."""

    async def flow(store, shared):
        if await store.guess_unevenly() == wanted:
            await store.add("hit")

    return flow


async def guesses_often(store, shared):
    if await store.guess_often(9):
        await store.add("hit")


CASES = [
    (guesses(0), 4, Fraction(1, 2)),
    (guesses(2), 4, Fraction(1, 6)),
    (guesses_often, 10, Fraction(1, 512)),
]


@pytest.mark.parametrize(("flow", "schedules", "chance"), CASES)
def test_an_outcome_weighs_as_much_as_the_choices_that_lead_to_it(
    toys, flow, schedules, chance
):
    """One of two, then one of three: 1/2 and 1/6, and not four times 1/4."""
    world = toys.World(flow, properties=(toys.at_most("hit", 0),))
    graph = graph_of(searched(world)[0])
    assert count_schedules(graph) == schedules
    assert odds(graph, 0).exact == chance


@pytest.mark.parametrize(("flow", "schedules", "chance"), CASES)
def test_a_sampled_step_is_drawn_by_its_choices(toys, flow, schedules, chance):
    """Arrays draw as the kernel does: within five standard errors (1 in 2 million)."""
    world = toys.World(flow, properties=(toys.at_most("hit", 0),))
    draw = Draw(11)
    sampler = Sampler(Learner(world), UniformPicks(draw), draw)
    sampler.run(16_000)
    assert sampler.schedules_count == schedules
    error = (chance * (1 - chance) / 16_000) ** 0.5
    assert abs(sampler.violations[0] / 16_000 - chance) < 5 * error


def test_a_step_that_chooses_too_often_is_refused_by_name(toys):
    """Odds of 1 in 2^40 have no room in the tables; the statement is named."""

    async def flow(store, shared):
        await store.guess_often(40)

    with pytest.raises(CannotLearn, match="'guess_often' chooses among more than"):
        searched(toys.World(flow))

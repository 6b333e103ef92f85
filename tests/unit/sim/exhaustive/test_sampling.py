"""Executions as arrays: their odds, their counts, and what they hand back."""

import pytest

from wavecheck.sim.exhaustive import CannotLearn
from wavecheck.sim.exhaustive.counterexample import replay
from wavecheck.sim.exhaustive.explore import Limits, Search
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.sampling import Draw, PCTPicks, Sampler, UniformPicks


async def two_adds(store, shared):
    await store.add("x")
    await store.add("x")


async def lossy(store, shared):
    value = await store.read("x")
    await store.write("x", value + 1)


async def guesser(store, shared):
    for _ in range(2):
        if await store.guess() == 2:
            await store.add("hits")


async def for_ever(store, shared):
    while True:
        await store.read("x")


def uniform(world, seed=1):
    draw = Draw(seed)
    return Sampler(Learner(world), UniformPicks(draw), draw)


def graph(world):
    search = Search(Learner(world), Limits())
    assert search.run() == ""
    return graph_of(search)


@pytest.mark.parametrize("flows", [(lossy, lossy), (guesser, lossy, lossy)])
def test_sampled_frequencies_are_near_the_exact_odds(toys, flows):
    """Within 0.03 of the odds; the miss probability is below 1e-9 (Hoeffding)."""
    properties = (toys.ends_at("x", 2),)
    expected = odds(graph(toys.World(*flows, properties=properties)), 0).value
    sampler = uniform(toys.World(*flows, properties=properties))
    sampler.run(15_000)
    assert abs(sampler.violations[0] / sampler.executions - expected) < 0.03


def test_a_hit_is_the_shortest_of_its_block_and_replays(toys):
    """Its steps violate the property on the kernel, where the block says."""
    world = toys.World(lossy, lossy, two_adds, properties=(toys.at_most("x", 2),))
    sampler = uniform(world)
    (hit,) = sampler.run(2_000)
    assert 1 <= hit.execution <= 2_000
    assert len(hit.steps) == 4
    shown = replay(world, world.properties[0], hit.steps)
    assert shown.violation.step == 4


def test_every_schedule_and_final_state_is_counted_once(toys):
    """As many distinct ones as there are, in several blocks, choices included."""
    flows = (guesser, lossy)
    whole = graph(toys.World(*flows))
    sampler = uniform(toys.World(*flows))
    for _ in range(4):
        sampler.run(3_000)
    count, ends = toys.all_schedules(toys.World(*flows))
    assert count == count_schedules(whole) == sampler.schedules_count
    assert len(sampler.final_states) == len(ends)
    assert sum(sampler.final_states.values()) == sampler.executions == 12_000
    assert 1 <= sampler.last_new_final_state <= 12_000


def test_pct_finds_a_bug_of_depth_two_as_often_as_it_promises(toys):
    """At least 1 / (n * k) = 1/8 of the executions; asked for 0.1 to allow for luck."""
    draw = Draw(3)
    world = toys.World(lossy, lossy, properties=(toys.ends_at("x", 2),))
    sampler = Sampler(Learner(world), PCTPicks(draw, depth=2, steps=4), draw)
    sampler.run(15_000)
    assert sampler.violations[0] / sampler.executions > 0.1


def test_only_what_was_stepped_was_performed(toys):
    """A task that waits for ever has not performed its statement."""

    async def waits(store, shared):
        await store.wait()

    sampler = uniform(toys.World(lossy, waits))
    sampler.run(10)
    assert {one.name for one in sampler.performed()} == {"read", "write"}


def test_executions_without_an_end_are_refused(toys):
    """A poller that never stops: the kernel has to be asked."""
    with pytest.raises(CannotLearn, match="more than 2000 steps"):
        uniform(toys.World(for_ever)).run(4)

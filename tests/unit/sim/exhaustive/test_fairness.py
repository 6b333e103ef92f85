"""Cycles of the state graph: which of them are fair, and what stays violated there."""

from wavecheck.sim.exhaustive import Limits
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.fairness import fair_cycle
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner


async def watcher(store, shared):
    while True:
        await store.read("x")


async def fixer(store, shared):
    while True:
        if await store.read("x") == 0:
            await store.write("x", 1)


async def walker(store, shared):
    while True:
        await store.write("y", 1)
        await store.write("y", 0)


async def adder(store, shared):
    await store.read("y")
    await store.add("x")


async def undecided(store, shared):
    while True:
        if await store.guess() == 2:
            await store.write("x", 1)


async def waiter(store, shared):
    await store.wait()
    await store.add("x")


async def blinker(store, shared):
    while True:
        await store.raise_flag()
        await store.lower_flag()


def lasso_of(world):
    search = Search(Learner(world), Limits())
    assert search.run() == ""
    return fair_cycle(search, graph_of(search), 0)


def test_a_poller_that_never_helps_is_a_lasso(toys):
    """Reading for ever: an empty stem, and a loop of one step."""
    found = lasso_of(toys.World(watcher, properties=(toys.ends_at("x", 1),)))
    assert found.stem == ()
    assert found.loop == (("task-0", ()),)
    assert found.message == "x is 0"


def test_a_poller_that_helps_is_no_lasso(toys):
    """Whoever fixes what is wrong leaves every state in which it is."""
    world = toys.World(fixer, watcher, properties=(toys.ends_at("x", 1),))
    assert lasso_of(world) is None


def test_a_cycle_that_leaves_an_enabled_task_out_is_no_lasso(toys):
    """Reading for ever while another could add for ever is unfair."""
    world = toys.World(watcher, adder, properties=(toys.ends_at("x", 1),))
    assert lasso_of(world) is None


def test_a_loop_is_fair_to_every_task(toys):
    """Both pollers step in the loop; the one that has ended does not."""
    flows = (watcher, walker, adder)
    found = lasso_of(toys.World(*flows, properties=(toys.ends_at("x", 2),)))
    assert {name for name, _ in found.loop} == {"task-0", "task-1"}
    assert {name for name, _ in found.stem} == {"task-2"}
    assert len(found.stem) == 2


def test_a_choice_that_never_falls_right_is_part_of_the_loop(toys):
    """Fairness is about tasks, not about the answers inside a step."""
    found = lasso_of(toys.World(undecided, properties=(toys.ends_at("x", 1),)))
    assert found.loop == (("task-0", (0,)),)


def test_a_world_without_cycles_has_no_lasso(toys):
    """What ends is judged at its end."""
    assert lasso_of(toys.World(adder, properties=(toys.ends_at("x", 2),))) is None


def test_an_always_property_has_no_lasso(toys):
    """It is judged step by step; nothing is asked of the states."""
    assert lasso_of(toys.World(watcher, properties=(toys.at_most("x", 2),))) is None


def test_a_check_of_something_nobody_touches_adds_no_state(toys):
    """A number that no step reads is 0 in every state."""
    found = lasso_of(toys.World(watcher, properties=(toys.ends_at("z", 1),)))
    assert found.message == "z is 0"


def test_known_gap_a_task_that_is_enabled_now_and_then_may_be_passed_over(toys):
    """Weak fairness: it is disabled once in each round of the loop."""
    flows = (blinker, waiter)
    found = lasso_of(toys.World(*flows, properties=(toys.ends_at("x", 1),)))
    assert {name for name, _ in found.loop} == {"task-0"}

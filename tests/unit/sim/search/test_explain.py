"""Why a schedule fails: stale reads, the point of no return, the nearest escape."""

from itertools import takewhile

import pytest

from wavecheck.sim.errors import ReplayMismatch
from wavecheck.sim.search.explain import explain
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, passes, recorded_steps, run_rule
from wavecheck.sim.search.stale import StaleReads


def recorded(world, choices, property_name="allowed_order"):
    """The schedule of these choices."""
    replayed = run_rule(world, RecordedChoices(choices), stops_at=property_name)
    return Schedule(
        scenario="toy",
        settings={},
        coordinator="toy",
        faults={},
        property_name=property_name,
        message="",
        choices=replayed.choices,
        steps=recorded_steps(replayed.steps),
        digest=replayed.digest,
    )


def every_order(world, all_orders):
    """The choices that give each order of the toy."""
    from wavecheck.sim.search.depth_first import DepthFirst

    found, strategy = {}, DepthFirst()
    while strategy.begin(world.kernel):
        passes(world, strategy, "allowed_order")
        found[world.order()] = tuple(world.kernel.choices)
    assert set(found) >= set(all_orders)
    return found


def brute_force_no_return(order, forbidden, all_orders):
    """The first step after which every order with this prefix is forbidden."""
    words = order.split()
    for step in range(len(words) + 1):
        prefix = words[:step]
        going_on = [one for one in all_orders if one.split()[:step] == prefix]
        if all(one in forbidden for one in going_on):
            return step, len(going_on)
    raise AssertionError("a forbidden order is beyond return at its end")


FORBIDDEN = [
    {"a1 b1 b2 a2"},
    {"a1 b1 a2 b2", "a1 b1 b2 a2"},
    {"b1 b2 a1 a2", "b1 a1 b2 a2", "b1 a1 a2 b2"},
    {"a1 a2 b1 b2", "b1 b2 a1 a2"},
]


@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_the_point_of_no_return_is_that_of_brute_force(
    order_world, six_orders, forbidden
):
    """Every forbidden order: the same step, exact, and as many continuations."""
    world = order_world(forbidden=forbidden)
    choices = every_order(world, six_orders)
    for order in sorted(forbidden):
        explanation = explain(world, recorded(world, choices[order]))
        step, count = brute_force_no_return(order, forbidden, six_orders)
        point = explanation.no_return
        assert point.step == step
        assert point.is_exact
        # At the last step the violation itself is the only continuation.
        assert point.continuations_count in (count, 0 if step == 4 else count)


def test_there_is_no_point_of_no_return_if_every_order_fails(order_world, six_orders):
    """All six are forbidden: nothing to return to, no escape."""
    world = order_world(forbidden=six_orders)
    choices = every_order(world, six_orders)["a1 a2 b1 b2"]
    explanation = explain(world, recorded(world, choices))
    assert explanation.no_return is None
    assert explanation.escape is None


def test_a_large_world_is_sampled_and_says_so(order_world):
    """(6, 6) has 924 orders, and all that begin with b fail: more than are tried."""
    world = order_world((6, 6))
    judged = world.properties[0]
    object.__setattr__(
        judged, "at_end", lambda world: "b" if world.order()[0] == "b" else None
    )
    explanation = explain(world, recorded(world, (1, *[0] * 10)))
    assert explanation.no_return.step == 1
    assert not explanation.no_return.is_exact
    assert explanation.no_return.continuations_count > 200


@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_the_nearest_schedule_that_passes_agrees_up_to_the_last_chance(
    order_world, six_orders, forbidden
):
    """It passes, and it differs first at the point of no return."""
    world = order_world(forbidden=forbidden)
    choices = every_order(world, six_orders)
    for order in sorted(forbidden):
        explanation = explain(world, recorded(world, choices[order]))
        escape = explanation.escape
        assert passes(world, RecordedChoices(escape.choices), "allowed_order")
        other = world.order()
        assert other not in forbidden
        pairs = zip(order.split(), other.split(), strict=True)
        same = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
        assert escape.step == same + 1 == explanation.no_return.step
        assert escape.instead.args == (other.split()[same],)
        assert escape.steps_count == 4


def test_a_schedule_that_violates_nothing_is_not_explained(order_world):
    """The message says that it replays, and what was expected."""
    world = order_world()
    with pytest.raises(ReplayMismatch, match="nothing is violated: nothing to explain"):
        explain(world, recorded(world, (0, 0, 0)))


# Stale reads --------------------------------------------------------------------------


async def looks_and_acts(store):
    """Read, then act on what was read."""
    if await store.look() == 0:
        await store.step("acted")


async def only_acts(store):
    """Change what the other one has read."""
    await store.step("other")


async def only_looks(store):
    """Read, and end."""
    await store.look()


def stale_reads(world, choices):
    """Run choices with the finder attached."""
    finder = StaleReads(world.kernel)
    run_rule(world, RecordedChoices(choices), finder.note)
    return finder


def test_a_read_that_changed_before_its_task_acted_is_stale(order_world):
    """Look = 0 at step 1, the other step makes it 1, step 3 acts on the 0."""
    world = order_world(programs={"a": looks_and_acts, "b": only_acts})
    (read,) = stale_reads(world, [0, 0]).acted
    assert (read.task, read.read_step, read.value) == ("a", 1, 0)
    assert (read.changed_step, read.changed_by, read.value_then) == (2, "b", 1)
    assert read.acted_step == 3


def test_a_read_that_still_holds_is_not_stale(order_world):
    """Nobody came between read and act; one's own act makes no read stale."""
    world = order_world(programs={"a": looks_and_acts, "b": only_acts})
    finder = stale_reads(world, [0, 1])
    assert world.order() == "acted other"
    assert finder.acted == []


def test_a_stale_read_on_which_nobody_acts_is_left(order_world):
    """The task ended with the old value: nobody looked again."""
    world = order_world(programs={"a": only_looks, "b": only_acts})
    finder = stale_reads(world, [0])
    assert finder.acted == []
    (read,) = finder.left()
    assert (read.task, read.changed_by, read.acted_step) == ("a", "b", None)


def test_asking_again_changes_nothing(order_world):
    """The execution with the finder is the one without."""
    programs = {"a": looks_and_acts, "b": only_acts, "c": only_looks}
    world = order_world(programs=programs)
    for choices in ([0, 0, 0], [1, 0, 1], [2, 0, 0]):
        plain = run_rule(world, RecordedChoices(choices))
        finder = StaleReads(world.kernel)
        assert run_rule(world, RecordedChoices(choices), finder.note) == plain


def test_a_statement_that_chooses_is_not_asked_again(order_world):
    """Its answer is the schedule's, not the state's."""

    async def tosses(store):
        await store.toss("x", 2)
        await store.step("acted")

    world = order_world(programs={"a": tosses, "b": only_acts})
    assert stale_reads(world, [0, 1, 0]).acted == []


def test_the_last_change_before_the_act_is_named(order_world):
    """Two others change what was read, 0, 1, 2: the second is the one that is told."""
    world = order_world(programs={"a": looks_and_acts, "b": only_acts, "c": only_acts})
    (read,) = stale_reads(world, [0, 0, 0]).acted
    assert (read.changed_step, read.changed_by, read.value_then) == (3, "c", 2)


def test_a_change_that_is_taken_back_makes_no_read_stale(order_world):
    """What was read holds again when its task acts."""

    async def acts_and_takes_back(store):
        await store.step("other")
        await store.drop("other")

    world = order_world(programs={"a": looks_and_acts, "b": acts_and_takes_back})
    assert stale_reads(world, [0, 0, 1]).acted == []
    assert world.order() == "acted"


def test_what_a_task_read_before_it_waited_for_new_work_is_not_acted_on(order_world):
    """Look = 0, wait, another changes it, act: the act has another reason."""

    async def looks_waits_and_acts(store):
        await store.look()
        await store.wait_for("other")
        await store.step("acted")

    world = order_world(programs={"a": looks_waits_and_acts, "b": only_acts})
    finder = stale_reads(world, [0])
    assert world.order() == "other acted"
    assert finder.acted == []
    (read,) = finder.left()
    assert (read.task, read.read_step, read.acted_step) == ("a", 1, None)

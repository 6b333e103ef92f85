"""Why a schedule fails: the point of no return, the nearest schedule that passes."""

from itertools import takewhile

import pytest

from wavecheck.sim.errors import ReplayMismatch
from wavecheck.sim.search.explain import explain
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, passes, recorded_steps, run_rule


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
def test_the_nearest_schedule_that_passes_is_without_the_main_cause(
    order_world, six_orders, forbidden
):
    """It passes, agrees up to its first difference, and is the main cause's."""
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
        assert escape.step == same + 1
        assert escape.instead.args == (other.split()[same],)
        assert escape.steps_count == 4
        without = [one.passing for one in explanation.causes if one.passing]
        assert not without or escape.choices == without[0]


def test_a_schedule_that_violates_nothing_is_not_explained(order_world):
    """The message says that it replays, and what was expected."""
    world = order_world()
    with pytest.raises(ReplayMismatch, match="nothing is violated: nothing to explain"):
        explain(world, recorded(world, (0, 0, 0)))


# Stale reads --------------------------------------------------------------------------

"""Sessions: budgets, what is kept, what is counted, Ctrl-C."""

from dataclasses import replace

import pytest

from wavecheck import find_scenario
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.verdicts.approaches import Watch
from wavecheck.scenarios.verdicts.strategies import make_strategy
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.judgement import verdicts_of
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.session import Budget, Session
from wavecheck.sim.verdict import Outcome

WD = find_scenario("wd")

# Budgets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({}, "needs a budget"),
        ({"executions": 0}, "budget in executions is 0"),
        ({"executions": -1}, "budget in executions is -1"),
        ({"seconds": 0.0}, "budget in seconds is 0.0"),
        ({"seconds": -2.5}, "budget in seconds is -2.5"),
        ({"seconds": float("nan")}, "budget in seconds is nan"),
        ({"seconds": float("inf")}, "budget in seconds is inf"),
    ],
)
def test_a_budget_of_nothing_or_without_an_end_is_refused(budget, expected):
    """The message names what was given."""
    with pytest.raises(InvalidScenario, match=expected):
        Budget(**budget)


def test_a_budget_of_executions_is_exact(order_world, make_session):
    """37 allowed, 37 run."""
    session = make_session(order_world(), 37)
    session.search(RandomWalk(0))
    assert session.statistics().executions_count == 37
    assert session.is_over()


def test_a_budget_of_seconds_ends_within_eight_executions(order_world):
    """The clock is read before every eighth execution; the tenth look is at 72."""
    world, times = order_world(), iter(range(1000))
    session = Session(
        world, world.properties, Budget(seconds=10), lambda: float(next(times))
    )
    session.search(RandomWalk(0))
    assert session.statistics().executions_count == 72


def test_depth_first_ends_before_the_budget(order_world, make_session, six_orders):
    """6 executions, 6 distinct schedules and final states: all there are."""
    session = make_session(order_world(), 1000)
    session.search(DepthFirst())
    seen = session.statistics()
    assert seen.executions_count == 6
    assert seen.schedules_count == seen.final_states_count == len(six_orders)
    assert not session.is_over()


# What is found ------------------------------------------------------------------------


def test_a_session_stops_when_everything_is_found(order_world, make_session):
    """One property, violated in every order: one execution."""
    world = order_world((1, 1), forbidden=["a1 b1", "b1 a1"])
    session = make_session(world)
    session.search(RandomWalk(0))
    assert session.statistics().executions_count == 1
    found = session.found["allowed_order"]
    assert found.violation.message in ("forbidden: a1 b1", "forbidden: b1 a1")
    assert (found.execution, found.steps_count, found.strategy_name) == (1, 2, "random")


def test_the_shortest_violation_is_kept_and_the_first_is_remembered():
    """On the model both properties go on being searched until both are found."""
    stalling = check(WD, "stalling", executions=400, shrinks=False)
    found = stalling.searched.first_found
    for name, first in found.items():
        assert len(stalling.schedules[name].steps) <= first.steps_count
    assert set(found) == {
        "no_stranded_batch",
        "no_double_dispatch",
    }


def test_of_several_violations_the_shortest_is_kept(make_session):
    """300 executions of progressive: the least step of all that violate it."""
    world = find_world("progressive")
    session = make_session(world, 300)
    steps, execute = [], session.execute

    def note(rule, name):
        violations = execute(rule, name)
        steps.extend(one.step for one in violations.values())
        return violations

    session.execute = note
    session.search(RandomWalk(0))
    assert len(set(steps)) > 1
    assert session.found["no_double_dispatch"].violation.step == min(steps)
    assert session.first_found["no_double_dispatch"].violation.step == steps[0]


def find_world(coordinator):
    """The reference model on a kernel without time."""
    return WD.build(Kernel(timed=False), WD.coordinators[coordinator], WD.settings())


@pytest.mark.parametrize(
    ("forbidden", "strategy", "executions", "outcome"),
    [
        (["a1 b1 a2 b2"], DepthFirst(), 1000, Outcome.VIOLATED),
        ([], DepthFirst(), 1000, Outcome.PROVED),
        ([], DepthFirst(), 5, Outcome.NOT_FOUND),
        ([], RandomWalk(0), 1000, Outcome.NOT_FOUND),
    ],
)
def test_the_verdict_is_one_of_three(
    order_world, make_session, forbidden, strategy, executions, outcome
):
    """Violated; proved by running everything; cut short, or sampled: nothing proved."""
    world = order_world(forbidden=forbidden)
    session = make_session(world, executions)
    session.search(strategy)
    (verdict,) = verdicts_of(session, world.properties, is_proved=strategy.proved())
    assert verdict.outcome is outcome
    if outcome is Outcome.VIOLATED:
        assert verdict.violation.message == "forbidden: a1 b1 a2 b2"


def test_the_odds_are_the_exact_rule_of_three(order_world, make_session):
    """1000 drawn executions: 1 - 0.05^(1/1000) = 0.0029912; depth-first has no odds."""
    for strategy, odds in ((RandomWalk(0), 0.0029912), (DepthFirst(), None)):
        world = order_world((6, 6))
        session = make_session(world, 1000)
        session.search(strategy)
        (verdict,) = verdicts_of(session, world.properties, is_proved=False)
        assert verdict.odds_max() == (
            odds if odds is None else pytest.approx(odds, 1e-4)
        )


@pytest.mark.parametrize("at_risk", [True, False])
def test_a_property_that_was_never_at_risk_is_not_tested(
    order_world, make_session, at_risk
):
    """Nothing found says nothing if it could not have been found."""
    world = order_world(at_risk=at_risk)
    session = make_session(world, 20)
    session.search(RandomWalk(0))
    (verdict,) = verdicts_of(session, world.properties, is_proved=False)
    expected = Outcome.NOT_FOUND if at_risk else Outcome.NOT_TESTED
    assert verdict.outcome is expected


# Statistics ---------------------------------------------------------------------------


def test_steps_schedules_and_final_states_are_counted(order_world, make_session):
    """(1, 1): two schedules, two final states, two steps each; none seen once only."""
    session = make_session(order_world((1, 1)), 64)
    session.search(RandomWalk(0))
    seen = session.statistics()
    assert (seen.steps_count, seen.schedules_count, seen.final_states_count) == (
        128, 2, 2,
    )  # fmt: skip
    assert seen.final_states_once == 0
    assert seen.unseen_odds() == 0.0
    assert 2 <= seen.last_new_final_state <= 64


def test_good_turing_estimates_what_is_still_unseen(order_world, make_session):
    """(5, 5) has 252 orders: the estimate is near the true unseen mass after 100.

    The mass is computed from the walk's own odds of each order. The estimate's
    deviation is below 0.07 here; it is off by 0.2 with a probability of 0.005.
    """
    world = order_world((5, 5))
    session = make_session(world, 100)
    seen_orders = set()
    finish = world.kernel.run_to_quiescence
    world.kernel.run_to_quiescence = lambda: (finish(), seen_orders.add(world.order()))
    session.search(RandomWalk(2))
    seen = session.statistics()
    assert seen.final_states_count == len(seen_orders)
    unseen = 1 - sum(map(odds_of, seen_orders))
    assert seen.unseen_odds() == pytest.approx(unseen, abs=0.2)
    assert seen.unseen_odds() > 0.3


def odds_of(order):
    """The odds of an order under the uniform walk: 1/2 while both tasks have steps."""
    left, odds = {"a": 5, "b": 5}, 1.0
    for text in order.split():
        if all(left.values()):
            odds /= 2
        left[text[0]] -= 1
    return odds


def test_a_schedule_with_large_choices_is_counted_too(order_world, make_session):
    """A choice above 255 does not fit a byte."""

    async def toss(store):
        await store.toss("x", 1000)

    session = make_session(order_world(programs={"a": toss}), 300)
    session.search(RandomWalk(0))
    seen = session.statistics()
    assert seen.schedules_count == seen.final_states_count > 200


def test_progress_is_told_every_hundred_executions(order_world, make_session):
    """250 executions: told at 100 and at 200."""
    session, told = make_session(order_world((3, 3)), 250), []
    session.progress = lambda seen, found: told.append(seen.executions_count)
    session.search(RandomWalk(0))
    assert told == [100, 200]


# Ctrl-C ------------------------------------------------------------------------------


def test_an_interrupt_keeps_what_was_found():
    """Ctrl-C at execution 100 of progressive: verdicts and schedule are there."""

    def interrupt(seen, found):
        raise KeyboardInterrupt

    result = check(
        WD, "progressive", executions=100_000, watch=Watch(searching=interrupt)
    )
    assert result.was_interrupted
    assert result.searched.statistics.executions_count == 100
    outcomes = {one.property_name: one.outcome for one in result.verdicts}
    assert outcomes == {
        "no_stranded_batch": Outcome.NOT_FOUND,
        "no_double_dispatch": Outcome.VIOLATED,
    }
    assert "twice" in result.schedules["no_double_dispatch"].message


def test_an_interrupt_while_shrinking_keeps_the_schedule_as_found(monkeypatch):
    """Ctrl-C in the shrinker: not shrunk, but there."""

    def interrupt(self, choices):
        raise KeyboardInterrupt

    monkeypatch.setattr("wavecheck.sim.search.shrink.Shrinker.shrink", interrupt)
    result = check(WD, "progressive", executions=200)
    assert result.was_interrupted
    schedule = result.schedules["no_double_dispatch"]
    assert len(schedule.steps) >= 10


# One call -----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_result():
    """Everything but the seconds, and another seed finds it elsewhere."""
    one, two = (check(WD, "stalling", executions=50, seed=3) for _ in range(2))
    assert replace(one.searched.statistics, seconds=0.0) == replace(
        two.searched.statistics, seconds=0.0
    )
    assert one.schedules == two.schedules
    assert one.searched.first_found == two.searched.first_found
    assert one.searched.samples == two.searched.samples


def test_the_first_violation_ends_the_search_if_asked():
    """One property found, the other left open."""
    result = check(WD, "stalling", executions=1000, stops_at_first=True)
    assert len(result.schedules) == 1
    assert result.searched.statistics.executions_count < 100


def test_only_the_named_property_is_judged():
    """And an unknown name is refused before anything runs."""
    result = check(WD, "stalling", executions=10, properties=["no_double_dispatch"])
    assert [one.property_name for one in result.verdicts] == ["no_double_dispatch"]
    with pytest.raises(InvalidScenario, match="did you mean 'no_stranded_batch'"):
        check(WD, "stalling", executions=10, properties=["no_stranded_batches"])


def test_statements_that_were_never_performed_are_named():
    """Progressive never claims."""
    result = check(WD, "progressive", executions=100)
    assert result.searched.never_performed == ("claim_and_send",)


def test_every_strategy_can_be_named(order_world, make_session):
    """A session runs whatever the table of strategies makes."""
    session = make_session(order_world(), 5)
    session.search(make_strategy("surw", 0))
    assert session.statistics().executions_count == 5

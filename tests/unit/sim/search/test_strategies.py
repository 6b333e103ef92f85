"""Each strategy on the toy: which schedules, how often, and the same ones again."""

from collections import Counter
from math import comb

import pytest

from wavecheck.scenarios.verdicts.strategies import STRATEGIES, make_strategy
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.pct import PCTStrategy
from wavecheck.sim.search.portfolio import Portfolio
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.surw import SURWStrategy

RANDOM_ONES = [name for name in STRATEGIES if name != "dfs"]


def chi_square(counts, expected):
    """The statistic; how far counts are from equal ones."""
    return sum((count - expected) ** 2 / expected for count in counts)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_reaches_exactly_the_six_orders(
    order_world, run_orders, six_orders, name
):
    """300 executions: all six orders and no other.

    The rarest order has odds of at least 1/12 with every strategy but pct2, which has
    one change point and reaches all six with at least 1/16 each: a miss of one of six
    has a probability below 6 * (15/16)^300 = 2e-8.
    """
    found = run_orders(order_world(), make_strategy(name, 1), 300)
    assert set(found) <= set(six_orders)
    missing = set(six_orders) - set(found)
    # One change point allows at most one preemption, and these two need two.
    allowed = {"a1 b1 a2 b2", "b1 a1 b2 a2"} if name == "pct2" else set()
    assert missing <= allowed


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_seed_gives_the_same_schedules(order_world, run_orders, name):
    """Two strategies of one seed; and, where something is drawn, another seed."""
    first = run_orders(order_world((3, 3)), make_strategy(name, 7), 50)
    assert run_orders(order_world((3, 3)), make_strategy(name, 7), 50) == first
    other = run_orders(order_world((3, 3)), make_strategy(name, 8), 50)
    assert (other == first) is (name == "dfs")


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_answers_a_choice_inside_a_step(order_world, run_orders, name):
    """One task, one step with three options: all three within 60 executions.

    A miss: below 3 * (2/3)^60 = 8e-11 where it is drawn; depth-first lists them.
    """
    world = order_world(programs={"a": lambda store: only(store.toss("x", 3))})
    assert set(run_orders(world, make_strategy(name, 2), 60)) == {"x0", "x1", "x2"}


async def only(operation):
    await operation


def test_an_unknown_strategy_is_refused_by_name():
    """The message names the nearest one."""
    with pytest.raises(InvalidScenario, match="did you mean 'portfolio'"):
        make_strategy("portfoli", 0)


# Random walk --------------------------------------------------------------------------


def test_the_random_walk_draws_each_choice_uniformly(order_world, run_orders):
    """Odds 1/4, 1/8, 1/8 and mirrored: chi-square below 25.7.

    Five degrees of freedom: a true walk is above with probability 1e-4; fixed seed.
    """
    counts = Counter(run_orders(order_world(), RandomWalk(3), 4000))
    statistic = sum(
        (counts[order] - expected) ** 2 / expected
        for order, expected in {
            "a1 a2 b1 b2": 1000, "a1 b1 a2 b2": 500, "a1 b1 b2 a2": 500,
            "b1 b2 a1 a2": 1000, "b1 a1 b2 a2": 500, "b1 a1 a2 b2": 500,
        }.items()
    )  # fmt: skip
    assert statistic < 25.7


# Depth first --------------------------------------------------------------------------


def bounds_and_orders(world, strategy):
    """(bound, order) of each execution of a depth-first search."""
    found, kernel = [], world.kernel
    while strategy.begin(kernel):
        kernel.rule = strategy
        kernel.rewind()
        world.start()
        kernel.run_to_quiescence()
        strategy.end(kernel)
        found.append((strategy.bound, world.order()))
    return found


def test_depth_first_lists_each_order_once_and_then_proves(order_world):
    """No preemption: 2 orders; exactly one: 2 more; two: the last 2; no others."""
    strategy = DepthFirst()
    found = bounds_and_orders(order_world(), strategy)
    by_bound = {
        bound: sorted(order for b, order in found if b == bound) for bound in (0, 1, 2)
    }
    assert by_bound == {
        0: ["a1 a2 b1 b2", "b1 b2 a1 a2"],
        1: ["a1 b1 b2 a2", "b1 a1 a2 b2"],
        2: ["a1 b1 a2 b2", "b1 a1 b2 a2"],
    }
    assert len(found) == 6
    assert strategy.proved()


@pytest.mark.parametrize("steps", [(1, 1), (3, 2), (2, 1, 1), (3, 3), (2, 2, 2)])
def test_depth_first_ends_with_every_order(order_world, steps):
    """All (n+m+...)! / (n! m! ...) orders are run, each once."""
    strategy = DepthFirst()
    found = [order for _, order in bounds_and_orders(order_world(steps), strategy)]
    expected, total = 1, 0
    for count in steps:
        total += count
        expected *= comb(total, count)
    assert len(found) == len(set(found)) == expected
    assert strategy.proved()


def test_an_execution_that_is_broken_off_leaves_something_unknown(order_world):
    """The last schedule was begun and not run to its end: nothing is proved."""
    world, strategy = order_world((1,)), DepthFirst()
    assert strategy.begin(world.kernel)
    assert not strategy.proved()
    strategy.end(world.kernel)
    assert strategy.proved()


def test_a_bound_on_preemptions_ends_the_search_without_a_proof(order_world):
    """At most one preemption: 2 + 2 executions, nothing proved."""
    strategy = DepthFirst(preemptions_max=1)
    found = bounds_and_orders(order_world(), strategy)
    assert len(found) == 4
    assert not strategy.proved()


def test_a_switch_away_from_a_blocked_task_is_free(order_world):
    """Counted from run-to-block: three tasks one after another need no preemption."""
    strategy = DepthFirst(preemptions_max=0)
    found = bounds_and_orders(order_world((2, 2, 2)), strategy)
    assert len(found) == 6  # 3! orders of whole tasks


# PCT ----------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [1, 2, 3])
def test_pct_reaches_its_published_bound(order_world, run_orders, position):
    """B between step i and i+1 of a, depth 2: at least 1/(n k) = 1/(2 * 5) of 4000.

    The true odds are 1/2 (a has priority) times 1/4 (the change point, among the four
    steps at which there is a choice) = 1/8. Mean 500, deviation 21: fewer than 400 has
    a probability of 1e-6. The last position needs a change at the last choice.
    """
    wanted = " ".join(
        [*(f"a{n}" for n in range(1, position + 1)), "b1"]
        + [f"a{n}" for n in range(position + 1, 5)]
    )
    found = run_orders(order_world((4, 1)), PCTStrategy(5, 2), 4000)
    assert found.count(wanted) >= 4000 / (2 * 5)


def test_pct_of_depth_one_only_orders_whole_tasks(order_world, run_orders):
    """Without change points every task runs as far as it can: 6 orders, each >= 1/12.

    600 executions of odds 1/6: fewer than 50 has a probability of 2e-9.
    """
    counts = Counter(run_orders(order_world((2, 2, 2)), PCTStrategy(1, 1), 600))
    assert len(counts) == 6
    assert min(counts.values()) >= 50


def test_pct_of_depth_three_reaches_what_depth_two_cannot(order_world, run_orders):
    """a1 b1 a2 b2 needs two preemptions, so depth 3; 1/(n k^2) = 1/32 is the bound.

    Depth 3 misses it in 300 executions with at most (31/32)^300 = 7e-5; fixed seed.
    """
    assert "a1 b1 a2 b2" in run_orders(order_world(), PCTStrategy(1, 3), 300)
    assert "a1 b1 a2 b2" not in run_orders(order_world(), PCTStrategy(1, 2), 300)


# SURW ---------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [(2, 2), (4, 1)])
def test_surw_makes_all_orders_equally_likely(order_world, run_orders, steps):
    """Chi-square of 3000 executions below 25.7 for 6 orders, 23.5 for 5.

    A uniform source is above with probability 1e-4; the seed is fixed. The uniform
    walk, for comparison, is far above.
    """
    count = comb(sum(steps), steps[0])
    limit = {6: 25.7, 5: 23.5}[count]
    # The first execution only learns how many steps there are.
    found = Counter(run_orders(order_world(steps), SURWStrategy(4), 3001)[1:])
    assert len(found) == count
    assert chi_square(found.values(), 3000 / count) < limit
    walk = Counter(run_orders(order_world(steps), RandomWalk(4), 3000))
    assert chi_square(walk.values(), 3000 / count) > 5 * limit


def test_surw_leaves_no_listener_behind(order_world, run_orders):
    """It listens to the steps of its own executions only."""
    world = order_world()
    run_orders(world, SURWStrategy(0), 3)
    assert world.kernel.on_step is None


# Portfolio ----------------------------------------------------------------------------


class Named:
    """A strategy that notes its turns and ends after some of them."""

    is_random = False

    def __init__(self, name, log, turns, *, has_proof=False):
        self.name, self.log, self.turns, self.has_proof = name, log, turns, has_proof

    def begin(self, kernel):
        if not self.turns:
            return False
        self.turns -= 1
        self.log.append(self.name)
        return True

    def pick(self, enabled):
        return 0

    def choose(self, options_count):
        return 0

    def end(self, kernel):
        self.log.append(self.name.upper())

    def proved(self):
        return self.has_proof and not self.turns


def test_a_portfolio_takes_turns_one_execution_each(order_world, run_orders):
    """x, y, z in turn; each learns from its own executions; one without more leaves."""
    log = []
    strategies = [Named("x", log, 9), Named("y", log, 1), Named("z", log, 9)]
    run_orders(order_world(), Portfolio(strategies), 6)
    assert "".join(log) == "xXyYzZxXzZxX"


def test_a_portfolio_ends_when_one_strategy_has_proved(order_world, run_orders):
    """Y has run every schedule: no more turns for anybody, and the proof is kept."""
    log = []
    portfolio = Portfolio([Named("x", log, 99), Named("y", log, 1, has_proof=True)])
    run_orders(order_world(), portfolio, 50)
    assert "".join(log) == "xXyYxX"
    assert portfolio.proved()


def test_a_portfolio_ends_without_proof_when_all_have_left(order_world, run_orders):
    """Nobody has more schedules and nobody has proved anything."""
    portfolio = Portfolio([Named("x", [], 2), Named("y", [], 1)])
    assert len(run_orders(order_world(), portfolio, 50)) == 3
    assert not portfolio.proved()


def test_only_drawn_executions_count_for_the_odds(order_world, make_session):
    """Of ten turns of the default, two are depth-first: eight are drawn."""
    session = make_session(order_world((6, 6)), 10)
    session.search(make_strategy("portfolio", 0))
    assert session.statistics().drawn_count == 8

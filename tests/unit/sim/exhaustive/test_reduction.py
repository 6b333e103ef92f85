"""State that nothing reads: what is left out, what is not, and that nothing changes."""

import pytest

from wavecheck.scenarios.wd.model import WD, WDSettings
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive import Limits, explore
from wavecheck.sim.exhaustive.counterexample import counterexample
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.fairness import fair_cycle
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.prove import searched
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement


async def lossy(store, shared):
    value = await store.read("x")
    await store.count("calls")
    await store.write("x", value + 1)


async def counts_only(store, shared):
    await store.count("calls")
    await store.count("calls")


async def counts_and_asks(store, shared):
    await store.count("calls")
    if await store.read("calls") > 2:
        await store.add("x")


async def counts_for_ever(store, shared):
    while True:
        await store.count("calls")


async def raises_flag(store, shared):
    await store.raise_flag()
    await store.lower_flag()
    await store.read("x")


def wd(variant, **sizes):
    return WD.build(Kernel(timed=False), WD.coordinators[variant], WDSettings(**sizes))


def both(make):
    return explore(make()), explore(make(), reduces=True)


def verdicts(result):
    return [(one.name, one.outcome, one.shortest) for one in result.properties]


def test_a_write_only_counter_is_left_out(toys):
    """The same verdict at the same length, and the name is told."""
    whole, reduced = both(
        lambda: toys.World(lossy, counts_only, properties=(toys.ends_at("x", 0),))
    )
    assert reduced.left_out == ("numbers['calls']",)
    assert whole.left_out == ()
    assert verdicts(reduced) == verdicts(whole)


def test_what_is_counted_in_any_order_need_not_be_told_apart(toys):
    """A counter without a bound is not explored for ever once it is left out."""
    world = toys.World(counts_for_ever, properties=(toys.ends_at("x", 0),))
    assert explore(world, limits=Limits(states_max=500)).stopped_by
    world = toys.World(counts_for_ever, properties=(toys.ends_at("x", 0),))
    reduced = explore(world, reduces=True)
    assert (reduced.is_complete, reduced.states) == (True, 1)


def test_a_counter_that_is_read_later_is_kept(toys):
    """It was left out at first; the exploration begins again and agrees."""
    flows = (counts_and_asks, counts_and_asks)
    whole, reduced = both(
        lambda: toys.World(*flows, properties=(toys.ends_at("x", 0),))
    )
    assert reduced.left_out == ()
    assert (reduced.states, reduced.transitions) == (whole.states, whole.transitions)
    assert verdicts(reduced) == verdicts(whole)


@pytest.mark.parametrize("judged", ["at_most", "ends_at"])
def test_a_counter_that_a_property_needs_is_kept(toys, judged):
    """Whether it is judged as it changes or at the end."""
    flows = (counts_only, counts_only)
    whole, reduced = both(
        lambda: toys.World(*flows, properties=(getattr(toys, judged)("calls", 3),))
    )
    assert reduced.left_out == ()
    assert reduced.of(judged).shortest == 4
    assert verdicts(reduced) == verdicts(whole)


def test_a_flag_that_nobody_waits_for_is_left_out(toys):
    """To set a flag is to look at nothing."""
    whole, reduced = both(lambda: toys.World(raises_flag, lossy))
    assert "flag" in reduced.left_out
    assert reduced.states <= whole.states


class Uses:
    """Statements that use what the counter tells them, one way or another."""

    def __init__(self, store):
        self.store = store

    @statement
    def returned(self):
        """Return the new number."""
        return self.store.numbers.add("calls")

    @statement
    def handed_on(self):
        """Stop adding at the first number that is not zero."""
        any(map(self.store.numbers.add, ("calls", "x")))

    @statement
    def tested(self):
        """Add to another number as well."""
        if self.store.numbers.add("calls") > 1:
            self.store.numbers.add("x")

    @statement
    def listed(self):
        """Look at all numbers."""
        self.store.numbers.add("calls")
        len(self.store.numbers.items())


@pytest.mark.parametrize("name", ["returned", "handed_on", "tested", "listed"])
def test_a_result_that_may_be_used_is_a_look(toys, name):
    """Only a call on a line of its own whose result is dropped looks at nothing."""

    async def flow(store, shared):
        await getattr(Uses(store), name)()

    reduced = explore(toys.World(flow, flow), reduces=True)
    assert "numbers['calls']" not in reduced.left_out


@pytest.mark.parametrize("variant", ["stalling", "progressive", "claiming"])
def test_the_model_has_nothing_to_leave_out(variant):
    """All of WD's state is read; the counts stay exact."""
    whole, reduced = both(lambda: wd(variant, retrigger=True))
    assert reduced.left_out == ()
    assert (reduced.states, reduced.transitions) == (whole.states, whole.transitions)
    assert verdicts(reduced) == verdicts(whole)


def test_a_lasso_may_change_what_is_left_out(toys):
    """Counting for ever while x is 0: the loop leads back to all that counts."""
    world = toys.World(counts_for_ever, properties=(toys.ends_at("x", 1),))
    search, stopped_by = searched(world, reduces=True)
    assert stopped_by == ""
    assert fair_cycle(search, graph_of(search), 0).loop == (("task-0", ()),)


def test_checkpoints_and_reduction_exclude_each_other(toys, tmp_path):
    """What a checkpoint would hold is not what the next run needs."""
    with pytest.raises(InvalidScenario, match="leave out"):
        explore(toys.World(lossy), directory=tmp_path, checkpoints=True, reduces=True)


def test_judging_goes_on_after_a_counterexample_was_replayed(toys):
    """The kernel leaves other values in the parts than were loaded last."""
    properties = (toys.at_most("calls", 1), toys.ends_at("calls", 2))
    search = Search(Learner(toys.World(counts_only, properties=properties)), Limits())
    assert search.run() == ""
    before = graph_of(search).ends_violated
    counterexample(search, 0)
    assert (graph_of(search).ends_violated == before).all()

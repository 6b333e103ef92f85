import signal
from dataclasses import replace
from fractions import Fraction

from wavecheck.sim.exhaustive import Limits, explore
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.prove import conclude
from wavecheck.sim.exhaustive.recovery import recovery
from wavecheck.sim.verdict import Outcome


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


async def waiter(store, shared):
    await store.wait()
    await store.add("x")


async def raiser(store, shared):
    await store.add("y")
    await store.raise_flag()


def searched(world):
    search = Search(Learner(world), Limits())
    assert search.run() == ""
    return search


def test_two_tasks_of_two_steps_have_six_schedules(toys):
    """Two tasks of two steps: nine states, twelve transitions, six orders."""
    search = searched(toys.World(two_adds, two_adds))
    assert (search.seen.count, search.transitions) == (9, 12)
    assert count_schedules(graph_of(search)) == 6


def test_counts_agree_with_the_kernel_on_toys(toys):
    """The number of schedules is that of all schedules run on the kernel."""
    for flows in (
        (two_adds, lossy),
        (lossy, lossy, lossy),
        (guesser, two_adds),
        (waiter, raiser, two_adds),
    ):
        count, ends = toys.all_schedules(toys.World(*flows))
        graph = graph_of(searched(toys.World(*flows)))
        assert count_schedules(graph) == count
        assert int(graph.is_final.sum()) == len(ends)


def test_counts_agree_with_a_plain_search(toys):
    """States, transitions and final states are those of a search over tuples."""
    for flows in ((lossy, lossy, lossy), (guesser, guesser), (waiter, raiser, lossy)):
        search = searched(toys.World(*flows))
        expected = toys.plain_search(Learner(toys.World(*flows)))
        found = (search.seen.count, search.transitions, search.quiescent)
        assert found == expected


def test_a_lost_update_is_found_at_its_shortest(toys):
    """Read, read, write, write: a final state after four steps."""
    result = explore(toys.World(lossy, lossy, properties=(toys.ends_at("x", 2),)))
    found = result.of("ends_at")
    assert found.outcome is Outcome.VIOLATED
    assert found.shortest == 4
    assert found.counterexample.violation.message == "x is 1"


def test_an_always_property_is_violated_by_the_step_itself(toys):
    """The third of four additions exceeds two: three steps."""
    result = explore(toys.World(two_adds, two_adds, properties=(toys.at_most("x", 2),)))
    assert result.of("at_most").shortest == 3


def test_a_choice_inside_a_step_is_part_of_the_counterexample(toys):
    """Two guesses must both be 2, which is the last of three answers."""
    result = explore(toys.World(guesser, properties=(toys.at_most("hits", 1),)))
    found = result.of("at_most").counterexample
    assert found.steps == (
        ("task-0", (2,)),
        ("task-0", ()),
        ("task-0", (2,)),
        ("task-0", ()),
    )
    assert found.choices == (2, 2)


def test_what_holds_is_proved(toys):
    """Four additions end at four, and that is proved."""
    result = explore(toys.World(two_adds, two_adds, properties=(toys.ends_at("x", 4),)))
    assert result.is_complete
    assert result.of("ends_at").outcome is Outcome.PROVED


def test_a_limit_that_bites_proves_nothing(toys):
    """With too few states allowed the verdict is NOT_FOUND, and says why."""
    world = toys.World(lossy, lossy, lossy, properties=(toys.ends_at("y", 0),))
    result = explore(world, limits=Limits(states_max=10))
    assert not result.is_complete
    assert result.stopped_by == "more than 10 states"
    assert result.of("ends_at").outcome is Outcome.NOT_FOUND


def test_exact_odds_of_a_lost_update(toys):
    """Of two lossy increments, the second step decides: 1/2."""
    search = searched(toys.World(lossy, lossy, properties=(toys.ends_at("x", 2),)))
    chance = odds(graph_of(search), 0)
    assert chance.exact == Fraction(1, 2)


def test_the_point_of_no_return_of_a_lost_update(toys):
    """Once both have read zero, no continuation ends at two."""
    search = searched(toys.World(lossy, lossy, properties=(toys.ends_at("x", 2),)))
    found = recovery(search, graph_of(search), 0)
    assert len(found.point_of_no_return) == 2
    assert found.lost < found.states


def test_a_counterexample_is_found_in_levels_that_were_spilled(toys, tmp_path):
    """Levels in files serve as well as levels in memory."""
    world = toys.World(lossy, lossy, properties=(toys.ends_at("x", 2),))
    search = Search(Learner(world), Limits(), tmp_path)
    assert search.run() == ""
    search.levels.spill(but_last=0)
    assert search.levels.bytes_used == 0
    assert len(list(tmp_path.glob("level-*.npy"))) == len(search.levels)
    assert conclude(search, "").of("ends_at").shortest == 4


def test_an_interruption_keeps_what_was_found(toys):
    """Ctrl-C between levels: the level reached, and no proof."""

    def interrupt(progress):
        if progress.level == 2:
            raise KeyboardInterrupt

    world = toys.World(lossy, lossy, properties=(toys.ends_at("x", 2),))
    result = explore(world, progress=interrupt)
    assert (result.levels, result.stopped_by) == (2, "Ctrl-C")
    assert result.of("ends_at").outcome is Outcome.NOT_FOUND


def test_ctrl_c_in_the_middle_of_a_level_waits_for_a_safe_moment(toys):
    """A real signal while Python code is learned: a violation found before stays."""

    async def interrupts(store, shared):
        await store.add("x")
        await store.add("x")
        signal.raise_signal(signal.SIGINT)
        await store.add("y")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result = explore(toys.World(interrupts, properties=(toys.at_most("x", 0),)))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert (result.is_complete, result.stopped_by) == (False, "Ctrl-C")
    assert result.of("at_most").shortest == 1


def test_vacuity_is_not_claimed_of_an_exploration_cut_short(toys):
    """What no final state put at risk may still be put at risk beyond the limit."""
    never = replace(toys.ends_at("x", 9), is_at_risk=lambda world: False, at_end=None)
    cut = explore(toys.World(lossy, properties=(never,)), limits=Limits(states_max=1))
    assert cut.of("ends_at").outcome is not Outcome.NOT_TESTED
    assert (
        explore(toys.World(lossy, properties=(never,))).of("ends_at").outcome
        is Outcome.NOT_TESTED
    )


def test_threads_change_nothing(toys):
    """The same counts with two threads as with one."""
    flows = (lossy, lossy, lossy, two_adds)
    one = explore(toys.World(*flows))
    two = explore(toys.World(*flows), limits=Limits(threads=2))
    assert one == two

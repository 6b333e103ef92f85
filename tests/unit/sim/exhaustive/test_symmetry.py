"""Interchangeable tasks: fewer states, the same answers; no declaration is believed."""

import itertools

import pytest

from wavecheck.scenarios.import_job import IMPORT_JOB
from wavecheck.scenarios.wd.model import WD, WDSettings
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive import explore
from wavecheck.sim.exhaustive.explore import Limits, Search
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.prove import conclude, searched
from wavecheck.sim.exhaustive.recovery import first_lost, recovery
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement


async def lossy(store, shared):
    value = await store.read("x")
    await store.write("x", value + 1)


async def guesser(store, shared):
    if await store.guess() == 2:
        await store.add("hits")


def named(name):
    async def flow(store, shared):
        await store.add(name)
        await store.add("x")

    return flow


def alike(toys, *flows, groups=None, **named_arguments):
    """A toy world that declares its tasks interchangeable."""
    world = toys.World(*flows, **named_arguments)
    names = [[f"task-{index}" for index in range(len(flows))]]
    world.interchangeable = lambda: names if groups is None else groups
    return world


def answers(world, **options):
    """Everything that must be the same with and without symmetry."""
    search, stopped_by = searched(world, **options)
    assert stopped_by == ""
    graph, result = graph_of(search), conclude(search, "")
    return result, [
        (
            one.name,
            one.outcome,
            one.shortest,
            odds(graph, index).exact,
            recovery(search, graph, index).lost > 0,
        )
        for index, one in enumerate(result.properties)
    ] + [count_schedules(graph)]


@pytest.mark.parametrize("flow", [lossy, guesser])
@pytest.mark.parametrize("count", [2, 3])
def test_alike_tasks_are_explored_in_one_order_with_the_same_answers(toys, flow, count):
    """Verdicts, lengths, odds, point of no return, and all schedules of the kernel."""
    properties = (toys.ends_at("x", count), toys.at_most("hits", 1))
    flows = [flow] * count
    merged, with_symmetry = answers(
        alike(toys, *flows, properties=properties), reduces=True
    )
    whole, without = answers(toys.World(*flows, properties=properties))
    assert with_symmetry == without
    assert merged.merged == (tuple(f"task-{one}" for one in range(count)),)
    assert merged.states < whole.states
    assert with_symmetry[-1] == toys.all_schedules(toys.World(*flows))[0]


def test_the_point_of_no_return_is_that_of_the_whole_graph(toys):
    """Of the same counterexample, whose tasks are exchanged as it is walked."""
    properties = (toys.ends_at("x", 3),)
    flows = (lossy, lossy, lossy)
    merged, _ = searched(alike(toys, *flows, properties=properties), reduces=True)
    whole, _ = searched(toys.World(*flows, properties=properties))
    steps = conclude(merged, "").of("ends_at").counterexample.steps
    assert first_lost(merged, graph_of(merged), 0, steps) == first_lost(
        whole, graph_of(whole), 0, steps
    )


def test_of_alike_tasks_each_order_counts_once(toys):
    """Three tasks of two steps: 27 states become 10, one for each multiset."""

    async def steps(store, shared):
        await store.read("x")
        await store.read("x")

    assert explore(toys.World(steps, steps, steps)).states == 27
    assert explore(alike(toys, steps, steps, steps), reduces=True).states == 10


def test_only_what_is_declared_is_merged(toys):
    """Two of three tasks, and nothing without reduction."""
    groups = [["task-0", "task-2"]]
    result = explore(alike(toys, lossy, lossy, lossy, groups=groups), reduces=True)
    assert result.merged == (("task-0", "task-2"),)
    assert explore(alike(toys, lossy, lossy)).merged == ()


def refused(toys, *flows):
    """The result of a declaration that does not hold; all was explored."""
    result = explore(alike(toys, *flows), reduces=True)
    assert result.merged == ()
    whole = explore(toys.World(*flows))
    assert (result.states, result.transitions) == (whole.states, whole.transitions)
    return result.not_merged


def test_tasks_that_begin_elsewhere_are_not_alike(toys):
    """They hold other names: as WD's listeners hold other batches."""
    why = refused(toys, named("y"), named("z"))
    assert why == "task-0 and task-1 differ from their start"


def test_tasks_whose_start_cannot_be_compared_are_not_alike(toys):
    """An iterator of the library shows nothing of what it will yield."""

    def counting(first):
        async def flow(store, shared):
            for number in itertools.chain([first], [first]):
                await store.write("x", number)

        return flow

    assert "differ" in refused(toys, counting(1), counting(2))


class Asks:
    """A statement that asks who performs it."""

    def __init__(self, store):
        self.store = store

    @statement
    def sign(self):
        """Add one under the task's own name."""
        self.store.numbers.add(self.store.kernel.current_task().name)


def test_a_statement_that_asks_who_performs_it_breaks_the_symmetry(toys):
    """What it writes depends on the task; all is explored in full, and it says so."""

    async def signs(store, shared):
        await Asks(store).sign()
        await store.read("task-0")

    assert "asks who performs it" in refused(toys, signs, signs)


class Looks:
    """A statement that looks at one of the tasks."""

    def __init__(self, store):
        self.store = store

    @statement
    def look(self):
        """Add one if the first task has ended."""
        if self.store.kernel.tasks[0].operation is None:
            self.store.numbers.add("ended")


def test_a_statement_that_looks_at_one_of_several_alike_breaks_the_symmetry(toys):
    """Which of them has ended matters to a third task; all is explored in full."""

    async def looks(store, shared):
        await Looks(store).look()

    flows, groups = (lossy, lossy, looks), [["task-0", "task-1"]]
    result = explore(alike(toys, *flows, groups=groups), reduces=True)
    assert result.merged == ()
    assert "looks at or moves one of several" in result.not_merged


def test_what_one_has_shown_is_run_by_the_others(toys, monkeypatch):
    """A step that another task takes differently breaks the symmetry at the end."""
    world = alike(toys, lossy, lossy, lossy)
    learner = Learner(world, reduces=True)
    search = Search(learner, Limits())
    search.run()
    run = type(learner.tasks[0])._run

    def other(self, *arguments):
        return run(self, *arguments) + (self.index == 2)

    monkeypatch.setattr(type(learner.tasks[0]), "_run", other)
    with pytest.raises(Exception, match="task-2 goes on differently"):
        learner.recheck()


def test_a_declared_name_must_be_that_of_a_task(toys):
    """A typing error is an error, and not a smaller group."""
    with pytest.raises(InvalidScenario, match="'task-7' interchangeable"):
        explore(alike(toys, lossy, lossy, groups=[["task-0", "task-7"]]), reduces=True)


def test_the_listeners_of_the_model_are_not_alike():
    """WD declares them, and is explored in full: 7,519 states, not fewer."""
    settings = WDSettings(listeners=3)
    world = WD.build(Kernel(timed=False), WD.coordinators["claiming"], settings)
    result = explore(world, reduces=True)
    assert result.not_merged == "listener-0 and listener-1 differ from their start"
    assert result.states == 7519


def import_job(rule, **given):
    settings = IMPORT_JOB.settings(given, is_small=True)
    kernel = Kernel(timed=False)
    return IMPORT_JOB.build(kernel, IMPORT_JOB.coordinators[rule], settings)


def test_the_workers_of_an_import_job_are_alike():
    """About half the states with two of them; the same answers."""
    given = {"parents": "1", "parents_per_batch": "1"}
    merged, with_symmetry = answers(import_job("claiming", **given), reduces=True)
    whole, without = answers(import_job("claiming", **given))
    assert merged.merged == (("worker-1", "worker-2"),)
    assert (merged.states, whole.states) == (345, 672)
    assert with_symmetry == without

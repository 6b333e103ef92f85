"""Executions that need not end: fair in a search, a loop in a proof, never an error."""

from functools import partial

import pytest

from wavecheck.sim.errors import StepLimitReached
from wavecheck.sim.exhaustive.fairness import fair_cycle
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.prove import searched
from wavecheck.sim.kernel import FAIR_WINDOW, Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Flag
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.execution import FAIR_AFTER, execute
from wavecheck.sim.search.explain import explain
from wavecheck.sim.search.judgement import verdicts_of
from wavecheck.sim.search.pct import PCTStrategy
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, recorded_steps, run_rule
from wavecheck.sim.search.session import Budget, Session
from wavecheck.sim.search.shrink import Shrinker
from wavecheck.sim.verdict import Outcome


class Store:
    """A lock that is taken for a while, and what must not be held at the end."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.lock = Flag(kernel, "lock")
        self.mark = Flag(kernel, "mark")

    @statement
    def try_lock(self):
        """Take it if it is free."""
        if self.lock.is_set():
            return False
        self.lock.set()
        return True

    @statement
    def unlock(self):
        """Give it back."""
        self.lock.set(False)

    @statement
    def look(self):
        """Look at nothing."""
        return self.lock.is_set()

    @statement
    def leave_mark(self):
        """Do what must not be done."""
        self.mark.set()

    @statement
    def is_lucky(self):
        """Succeed now and then."""
        return bool(self.kernel.choose(2))


class World:
    """Some flows over the store."""

    def __init__(self, *flows, steps_max=100_000):
        self.kernel = Kernel(timed=False, steps_max=steps_max)
        self.store = Store(self.kernel)
        self.properties = (
            Property(
                name="no_mark",
                meaning="no mark is left",
                moment=Moment.AT_QUIESCENCE,
                at_end=lambda world: "marked" if world.store.mark.is_set() else None,
            ),
        )
        self.under_test = None
        self.flows = flows
        self.kernel.mark()

    def start(self):
        """Spawn the flows."""
        self.under_test = self.store
        for number, flow in enumerate(self.flows):
            self.kernel.spawn(flow(self.store), f"task-{number}")

    def heal(self):
        """There is nothing to heal."""
        return False


async def retries(store):
    """Spin until the lock is free."""
    while not await store.try_lock():
        pass
    await store.look()
    await store.unlock()


async def retries_and_marks(store):
    """Spin, and then do what must not be done."""
    await retries(store)
    await store.leave_mark()


async def retries_by_chance(store):
    """Spin until a choice inside the step is lucky."""
    while not await store.is_lucky():
        pass


async def polls(store):
    """Never end."""
    while True:
        await store.look()


async def polls_and_marks(store):
    """Never end, and leave a mark."""
    await store.leave_mark()
    await polls(store)


class Unfair:
    """A strategy that always takes the task that ran last, and the first option."""

    name = "unfair"
    is_random = False

    def begin(self, kernel):
        """There is always another schedule."""
        self.kernel = kernel
        return True

    def pick(self, enabled):
        """Stay."""
        current = self.kernel.current
        return enabled.index(current) if current in enabled else 0

    def choose(self, options_count):
        """Take the first."""
        return 0

    def end(self, kernel):
        """Learn nothing."""

    def proved(self):
        """Prove nothing."""
        return False


def searched_session(world, strategy, executions=3):
    """Search a world by a strategy."""
    budget = Budget(executions=executions)
    session = Session(world, world.properties, budget, lambda: 0.0)
    session.search(strategy)
    return session


def test_an_unfair_schedule_of_a_retry_loop_comes_to_its_end():
    """After `FAIR_AFTER` steps every task has its turn, and the end is judged."""
    # The second task spins while the first one, which holds the lock, never runs.
    session = searched_session(World(retries, retries_and_marks, polls), Unfair(), 1)
    assert session.statistics().steps_count >= FAIR_AFTER
    session = searched_session(World(retries, retries_and_marks), PCTStrategy(0, 3), 20)
    assert session.found["no_mark"].violation.message == "marked"
    assert session.statistics().cut_count == 0


def test_options_inside_a_step_have_their_turn_as_well():
    """A loop that a choice keeps spinning ends too."""
    session = searched_session(World(retries_by_chance), Unfair(), 1)
    seen = session.statistics()
    assert seen.cut_count == 0
    assert FAIR_AFTER < seen.steps_count < FAIR_AFTER + 5


def test_an_execution_that_never_ends_is_cut_and_says_nothing_of_its_end():
    """No error and no verdict: nothing is found, nothing is proved, and it is said."""
    world = World(polls_and_marks)
    session = searched_session(world, DepthFirst(), 1)
    verdicts = verdicts_of(session, world.properties, is_proved=False)
    assert [one.outcome for one in verdicts] == [Outcome.NOT_TESTED]
    seen = session.statistics()
    assert seen.cut_count == seen.executions_count
    assert seen.final_states_count == 0
    # Two windows of fair steps show the loop; it is not run to the limit of steps.
    assert FAIR_AFTER < seen.steps_count <= FAIR_AFTER + 2 * FAIR_WINDOW + 3


def test_depth_first_proves_nothing_where_an_execution_was_cut():
    """All schedules of a loop are never run."""
    strategy = DepthFirst()
    searched_session(World(polls), strategy, 5)
    assert not strategy.proved()


def test_a_cut_execution_is_the_same_when_it_is_run_again():
    """The re-run that looks for nondeterminism cuts at the same step."""
    session = searched_session(World(polls, polls), Unfair(), 65)
    assert session.statistics().cut_count == 65


def test_a_strategy_without_a_search_still_meets_the_limit():
    """Whoever does not allow for cuts is told."""
    with pytest.raises(StepLimitReached):
        execute(World(polls, steps_max=50), Unfair())


def test_a_proof_finds_the_fair_loop_that_violates():
    """What holds at the end is violated for ever; a loop that marks nothing is none."""
    search, stopped_by = searched(World(polls_and_marks))
    assert not stopped_by
    lasso = fair_cycle(search, graph_of(search), 0)
    assert lasso.message == "marked"
    search, _ = searched(World(polls))
    assert fair_cycle(search, graph_of(search), 0) is None


def test_a_violation_with_spinning_tasks_is_shrunk_and_explained():
    """Neither takes more than a few steps for each attempt."""
    make = partial(World, retries, retries_and_marks)
    found = searched_session(make(), PCTStrategy(0, 3), 20).found["no_mark"]
    shrunk = Shrinker(make(), "no_mark", steps_max=50_000).shrink(found.choices)
    assert len(shrunk.entries) == 7
    ran = run_rule(make(), RecordedChoices(shrunk.choices), stops_at="no_mark")
    schedule = Schedule(
        scenario="toy",
        settings={},
        coordinator="toy",
        faults={},
        property_name="no_mark",
        message="marked",
        choices=ran.choices,
        steps=recorded_steps(ran.steps),
        digest=ran.digest,
    )
    told = explain(make(), schedule)
    assert told.no_return is None
    assert told.violation.message == "marked"

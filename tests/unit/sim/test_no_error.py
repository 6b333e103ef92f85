"""Code under test that raises: a finding with its schedule, in search and in proof."""

import pytest

from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.exhaustive.prove import explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter
from wavecheck.sim.property import NO_ERROR, Moment, Property
from wavecheck.sim.search.explain import explain
from wavecheck.sim.search.judgement import verdicts_of
from wavecheck.sim.search.places import places_of
from wavecheck.sim.search.portfolio import Portfolio
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, recorded_steps, run_rule
from wavecheck.sim.search.session import Budget, Session
from wavecheck.sim.verdict import Outcome

HERE = "tests/unit/sim/test_no_error.py"


class TooLate(Exception):
    """Somebody else was first."""


class Store:
    """One thing that only one task can have."""

    def __init__(self, kernel):
        self.taken = Counter(kernel, "taken")

    @statement
    def look(self):
        """Return whether it is free."""
        return not self.taken.get()

    @statement
    def take(self):
        """Take it; return how many have."""
        return self.taken.add()


class World:
    """Two tasks that look and then take; the second one to take raises."""

    def __init__(self, flow, *, expects=()):
        self.kernel = Kernel(timed=False)
        self.kernel.expected_errors = expects
        self.store = Store(self.kernel)
        self.properties = (
            Property(
                name="all_finish",
                meaning="each task takes it",
                moment=Moment.AT_QUIESCENCE,
                at_end=lambda world: (
                    None if world.store.taken.get() else "nobody has it"
                ),
            ),
        )
        self.under_test = None
        self.flow = flow
        self.kernel.mark()

    def start(self):
        """Spawn both."""
        self.under_test = self.store
        for name in ("one", "two"):
            self.kernel.spawn(self.flow(self.store), name)

    def heal(self):
        """There is nothing to heal."""
        return False


async def careless(store):
    """Take what was free a moment ago."""
    if await store.look():
        count = await store.take()
        if count > 1:
            raise TooLate(f"{count} have it")  # here it raises


async def at_once(store):
    """Fail before the first statement."""
    raise TooLate("at once")
    await store.look()


async def exits(store):
    """Leave the process."""
    await store.look()
    raise SystemExit(3)


def line_of(text):
    """The number of the line of this file that holds a text first."""
    with open(__file__, encoding="utf-8") as file:
        return next(n for n, line in enumerate(file, start=1) if text in line)


def searched(world, executions=200):
    """Search a world; return the session."""
    budget = Budget(executions=executions)
    session = Session(world, world.properties, budget, lambda: 0.0)
    session.search(RandomWalk(0))
    return session


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)


def test_an_error_on_one_interleaving_is_a_violation_with_its_line():
    """Only where both look before one takes; task, error, file and line are named."""
    session = searched(World(careless))
    found = session.found["no_error"].violation
    assert found.step == 4
    assert found.message.endswith(
        f"raised TooLate('2 have it') at {HERE}:{line_of('# here it raises')} in"
        ' careless: raise TooLate(f"{count} have it")  # here it raises'
    )
    verdicts = verdicts_of(session, session.properties, is_proved=False)
    assert [(one.property_name, one.outcome) for one in verdicts] == [
        ("all_finish", Outcome.NOT_FOUND),
        ("no_error", Outcome.VIOLATED),
    ]


def test_a_proof_finds_the_shortest_way_to_an_error_and_judges_all_else():
    """The task ends by its error, the other goes on, and what holds is still proved."""
    explored = explore(World(careless))
    assert explored.is_complete
    assert explored.of("no_error").shortest == 4
    assert explored.of("no_error").outcome is Outcome.VIOLATED
    assert explored.of("all_finish").outcome is Outcome.PROVED


@pytest.mark.parametrize("flow", [at_once, exits])
def test_an_error_at_the_start_and_an_exit_are_found_in_search_and_proof(flow):
    """Before the first statement the step is 0; leaving the process is an error."""
    steps = 0 if flow is at_once else 1
    assert searched(World(flow), 5).found["no_error"].violation.step == steps
    assert explore(World(flow)).of("no_error").shortest == steps


def test_an_expected_error_ends_a_task_and_is_no_finding():
    """A world says which errors are nobody's fault; subclasses count."""
    expecting = World(careless, expects=(TooLate,))
    assert not searched(expecting).found
    assert [one.name for one in explore(expecting).properties] == ["all_finish"]


def test_no_error_is_told_when_it_is_asked_for():
    """By name, a world that raises nothing gets the verdict as well."""
    world = World(careless, expects=(TooLate,))
    world.properties = (*world.properties, NO_ERROR)
    assert explore(world).of("no_error").outcome is Outcome.PROVED
    session = searched(World(careless, expects=(TooLate,)))
    asked = verdicts_of(session, [NO_ERROR], is_proved=False)
    assert [one.property_name for one in asked] == ["no_error"]


def schedule_of(flow):
    """A recorded schedule that violates `no_error`."""
    found = explore(World(flow)).of("no_error").counterexample
    ran = run_rule(World(flow), RecordedChoices(found.choices), stops_at=NO_ERROR.name)
    return Schedule(
        scenario="toy",
        settings={},
        coordinator="toy",
        faults={},
        property_name=NO_ERROR.name,
        message=ran.violations[NO_ERROR.name].message,
        choices=ran.choices,
        steps=recorded_steps(ran.steps),
        digest=ran.digest,
    )


def test_an_error_is_explained_and_placed_like_any_violation():
    """Steps, point of no return, an escape; the last place is the line that raises."""
    schedule = schedule_of(careless)
    told = explain(World(careless), schedule)
    assert told.no_return.step == 2
    assert told.escape is not None
    assert places_of(World(careless), schedule)[-1].line == line_of("# here it raises")


def test_an_error_at_the_start_is_explained_by_itself():
    """No step led there and none avoids it."""
    told = explain(World(at_once), schedule_of(at_once))
    assert told.steps == ()
    assert told.no_return is None
    assert told.escape is None


def test_a_search_ends_when_all_that_was_asked_for_is_found():
    """`no_error` is judged beside the properties and never waited for."""
    world = World(at_once)
    session = Session(world, world.properties, Budget(executions=99), lambda: 0.0)
    session.search(Portfolio([RandomWalk(0)]))
    assert session.executions_count == 1


def test_without_a_judge_an_error_still_ends_the_run():
    """Timed runs have no schedule to show; they end with the whole story."""
    world = World(at_once)
    with pytest.raises(CoordinatorError, match="raised TooLate"):
        world.start()

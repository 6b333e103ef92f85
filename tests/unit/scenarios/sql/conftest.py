"""Small worlds of SQL: a schema, rows, one coroutine a task, properties as queries."""

from dataclasses import dataclass, field

import pytest

from wavecheck.scenarios.sql.database import Database
from wavecheck.sim.exhaustive import explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.property import Judge, Moment, Property
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, recorded_steps, run_rule
from wavecheck.sim.search.session import Budget, Session
from wavecheck.sim.search.shrink import Shrinker


@dataclass
class SQLWorld:
    """A world of one database; a task is called with a session of its own."""

    schema: str
    tasks: dict
    rows: dict = field(default_factory=dict)
    at_the_end: dict = field(default_factory=dict)
    isolation: str = "read committed"
    options: dict = field(default_factory=dict)

    def __post_init__(self):
        self.kernel = Kernel(timed=False)
        self.store = self.database = Database(
            self.kernel, self.schema, rows=self.rows, **self.options
        )
        self.under_test = None
        self.properties = tuple(
            Property(
                name=name,
                meaning=sql,
                moment=Moment.AT_QUIESCENCE,
                at_end=self._wrong(sql),
            )
            for name, sql in self.at_the_end.items()
        )
        self.kernel.mark()

    def _wrong(self, sql):
        def wrong(world):
            rows = world.database.query(sql).rows
            return f"{rows}" if rows else None

        return wrong

    def start(self):
        for name, (code, *arguments) in self.tasks.items():
            session = self.database.session(isolation=self.isolation)
            self.kernel.spawn(code(session, *arguments), name)

    def plan_faults(self, plan):
        raise NotImplementedError

    def heal(self):
        return False


@pytest.fixture
def sql_world():
    """Return the class of small SQL worlds."""
    return SQLWorld


@pytest.fixture
def prove():
    """Explore a world exhaustively; return states and the violated properties."""

    def run(world):
        found = explore(world, reduces=True)
        assert found.is_complete
        violated = {
            one.name: one.counterexample
            for one in found.properties
            if one.counterexample is not None
        }
        return found, violated

    return run


@pytest.fixture
def search():
    """Try random schedules; return the names of the properties that were violated."""

    def run(world, executions=500, seed=1):
        kernel = world.kernel
        walk = RandomWalk(seed)
        violated = set()
        judge = Judge(kernel, world, world.properties)
        for _ in range(executions):
            kernel.rewind()
            judge.violations.clear()
            walk.begin(kernel)
            kernel.rule = walk
            world.start()
            kernel.run_to_quiescence()
            judge.judge_end()
            walk.end(kernel)
            violated |= set(judge.violations)
        return violated

    return run


@pytest.fixture
def shrunk():
    """Search a world's only property; return the shrunk schedule that violates it."""
    return _shrunk


def _shrunk(world):
    """The shrunk schedule that violates the world's only property."""
    (judged,) = world.properties
    session = Session(
        world, [judged], Budget(executions=2_000), lambda: 0.0, stops_at_first=True
    )
    session.search(RandomWalk(0))
    found = session.found[judged.name]
    choices = Shrinker(world, judged.name).shrink(found.choices).choices
    ran = run_rule(world, RecordedChoices(choices), stops_at=judged.name)
    return Schedule(
        scenario="sql",
        settings={},
        coordinator="code",
        faults={},
        property_name=judged.name,
        message="",
        choices=ran.choices,
        steps=recorded_steps(ran.steps),
        digest=ran.digest,
    )

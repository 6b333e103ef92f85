"""Shrinking: the shortest length known, the same result again, limits."""

import json
from pathlib import Path

import pytest

from wavecheck import find_scenario
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.strategies import make_strategy
from wavecheck.sim.errors import NondeterminismError
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import passes
from wavecheck.sim.search.session import Budget, Session
from wavecheck.sim.search.shrink import Shrinker

ROOT = Path(__file__).parents[4]
ROWS = json.loads((ROOT / "tests/golden/data/wd.json").read_text())
COLUMNS = {
    "shortest_stranded": "no_stranded_batch",
    "shortest_double": "no_double_dispatch",
}
CASES = [
    (row, COLUMNS[column], row[column])
    for row in ROWS
    for column in COLUMNS
    if row[column] is not None
]


def subject_of(row):
    """The world of a row of the golden table."""
    wd = find_scenario("wd")
    names = ("listeners", "batches_per_listener", "retrigger")
    given = {name: str(row[name]).lower() for name in names}
    return Subject(
        scenario=wd,
        coordinator=row["variant"],
        coordinator_type=wd.coordinators[row["variant"]],
        settings=wd.settings(given),
        faults={},
    )


def first_violation(world, property_name, seed):
    """The choices of the first violating execution of the default strategy."""
    judged = [one for one in world.properties if one.name == property_name]
    session = Session(
        world, judged, Budget(executions=5000), lambda: 0.0, stops_at_first=True
    )
    session.search(make_strategy("portfolio", seed))
    return session.found[property_name].choices


@pytest.mark.parametrize(
    ("row", "property_name", "shortest"),
    CASES,
    ids=[
        f"{row['listeners']}x{row['batches_per_listener']}-{row['variant']}"
        f"-{'re' if row['retrigger'] else 'no'}-{name}"
        for row, name, _ in CASES
    ],
)
def test_a_counterexample_shrinks_to_the_shortest_there_is(
    row, property_name, shortest
):
    """On every row that has one: the length that breadth-first search found."""
    world = subject_of(row).world()
    choices = first_violation(world, property_name, 0)
    shrunk = Shrinker(world, property_name).shrink(choices)
    assert len(shrunk.entries) == shortest
    assert not passes(world, RecordedChoices(shrunk.choices), property_name)


def test_shrinking_is_the_same_every_time():
    """Same schedule, same result."""
    world = subject_of(ROWS[0]).world()
    choices = first_violation(world, "no_double_dispatch", 0)
    one, two = (Shrinker(world, "no_double_dispatch").shrink(choices) for _ in "12")
    assert one == two


def test_a_limit_on_executions_is_kept_and_the_best_so_far_is_the_result():
    """Ten executions: still a violation, never longer than what was given."""
    world = subject_of(ROWS[0]).world()
    choices = first_violation(world, "no_stranded_batch", 0)
    runs, start = [], world.start
    world.start = lambda: (runs.append(1), start())
    shrunk = Shrinker(world, "no_stranded_batch", executions_max=10).shrink(choices)
    assert len(runs) <= 11
    assert not passes(world, RecordedChoices(shrunk.choices), "no_stranded_batch")


def test_steps_count_before_preemptions_and_unneeded_tasks_go(order_world):
    """(3, 3, 3), forbidden if b2 comes before a1: a task that is not a goes first.

    All nine steps are taken anyway, so the fewest preemptions decide: none.
    """
    world = order_world((3, 3, 3))
    judged = world.properties[0]
    object.__setattr__(judged, "at_end", lambda world: is_forbidden(world.order()))
    choices = first_violation_of_toy(world)
    shrunk = Shrinker(world, "allowed_order").shrink(choices)
    assert shrunk.preemptions_count == 0
    assert [entry.task for entry in shrunk.entries][:3] in (["b"] * 3, ["c"] * 3)


def is_forbidden(order):
    return "b2 first" if order.index("b2") < order.index("a1") else None


def first_violation_of_toy(world):
    walk = make_strategy("random", 5)
    while passes(world, walk, "allowed_order"):
        pass
    return tuple(world.kernel.choices)


def test_a_schedule_that_violates_nothing_is_reported_not_shrunk(order_world):
    """It was a violation when it was found: two executions of one schedule."""
    with pytest.raises(NondeterminismError, match="run   violates 'allowed_order'"):
        Shrinker(order_world(), "allowed_order").shrink([0, 0, 0])


def test_a_schedule_that_does_not_fit_is_reported_not_shrunk(order_world):
    """It was run a moment ago, so something behind the kernel's back has changed."""
    with pytest.raises(NondeterminismError, match="choice 1 is impossible"):
        Shrinker(order_world(), "allowed_order").shrink([0, 7])


def test_the_world_shrinks_before_the_schedule():
    """Found with 3 listeners of 2 batches, told with the fewest that suffice.

    Stalling strands with 2 listeners of 1 batch, and not with one listener of one.
    """
    given = {"listeners": "3", "batches_per_listener": "2"}
    result = check(
        find_scenario("wd"),
        "stalling",
        settings=given,
        executions=50,
        properties=["no_stranded_batch"],
    )
    schedule = result.schedules["no_stranded_batch"]
    sizes = schedule.settings["listeners"] * schedule.settings["batches_per_listener"]
    assert sizes == 2
    assert len(schedule.steps) == 9


def test_a_statement_that_fails_ends_its_process_the_same_way_again():
    """What becomes of the message is a choice of the fault's step, also in a script."""
    result = check(
        find_scenario("import-job"),
        "progressive",
        executions=5,
        seed=3,
        faults={"duplicate": 1, "delay": 1, "fail": 1},
    )
    assert "every_parent_covered_once" in result.schedules


def test_a_limit_in_steps_ends_shrinking_of_long_schedules(monkeypatch):
    """What was found until then is the result, and nothing is even put together after.

    A schedule of the incident has thousands of steps, and millions of ways to cut it.
    """
    subject = Subject.of(find_scenario("import-job"), "progressive", {"parents": "8"})
    world = subject.world()
    choices = first_violation(world, "no_double_dispatch", 0)
    done = []
    run = Shrinker._run

    def counted(self, rule, script):
        try:
            return run(self, rule, script)
        finally:
            done.append(world.kernel.steps_count)

    monkeypatch.setattr(Shrinker, "_run", counted)
    asked = []
    better = Shrinker._better
    monkeypatch.setattr(
        Shrinker, "_better", lambda self, *args: asked.append(1) or better(self, *args)
    )
    shrinker = Shrinker(world, "no_double_dispatch", steps_max=2_000)
    shrunk = shrinker.shrink(choices)
    assert not passes(world, RecordedChoices(shrunk.choices), "no_double_dispatch")
    assert 2_000 <= sum(done) <= 2_000 + 4 * max(done)
    assert len(asked) <= len(done) + 2_000 // min(done)

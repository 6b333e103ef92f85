"""What is said of all steps together: counts beyond words, choices, no return."""

from math import comb
from typing import NamedTuple

import pytest

from wavecheck.sim.exhaustive import explore
from wavecheck.sim.exhaustive.explore import Limits, Search
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.paths import count_schedules
from wavecheck.sim.exhaustive.recovery import recovery
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.verdict import Outcome


def never(value):
    """A property: no number is ever set to a value."""

    def violated(world, key, before, after):
        return f"{key} is {value}" if after == value else None

    return Property(
        name="never",
        meaning="never that number",
        moment=Moment.ALWAYS,
        on_change={"numbers": violated},
    )


def graph(world):
    search = Search(Learner(world), Limits())
    assert search.run() == ""
    return search, graph_of(search)


@pytest.mark.parametrize("steps", [16, 17, 18, 34])
def test_schedules_are_counted_beyond_the_bits_of_a_word(toys, steps):
    """Of two tasks of 17 steps there are more than 2**31, of 34 more than 2**64."""

    async def many(store, shared):
        for _ in range(steps):
            await store.count("x")

    _, found = graph(toys.World(many, many))
    assert count_schedules(found) == comb(2 * steps, steps)


@pytest.mark.parametrize("violating", [0, 1, 2])
def test_any_alternative_of_a_step_may_violate(toys, violating):
    """The first, the second and the last answer are all judged."""

    async def draws(store, shared):
        await add_one_to_three(store)

    found = explore(toys.World(draws, properties=(never(violating + 1),)))
    (judged,) = found.properties
    assert judged.outcome is Outcome.VIOLATED
    assert judged.counterexample.steps == (("task-0", (violating,)),)


@statement
def add_one_to_three(store):
    """Add what the schedule decides."""
    store.numbers.add("x", 1 + store.kernel.choose(3))


def test_what_violates_on_its_way_ends_well_no_more(toys):
    """All ways but one pass a violation: the state before that step is lost."""

    async def writes(store, shared):
        await store.read("x")
        await store.write("x", 7)
        await store.write("x", 1)

    search, found = graph(toys.World(writes, properties=(never(7),)))
    judged = recovery(search, found, 0)
    assert judged.point_of_no_return == ()
    assert (judged.lost, judged.states) == (2, 4)


class Row(NamedTuple):
    """A key alone."""

    key: str


@statement
def insert(rows):
    """Insert the one row; it fails where that is there."""
    rows.insert(Row("only"))


def test_an_insert_looks_whether_the_row_is_there(toys):
    """Of two tasks that insert one row the second fails, whoever it is."""

    async def inserts(store, shared):
        try:
            await insert(store.rows)
        except KeyError:
            await store.add("taken")

    world = toys.World(
        inserts, inserts, inserts, properties=(toys.ends_at("taken", 2),)
    )
    world.store.rows = Table(world.kernel, "rows", Row, key=("key",))
    world.kernel.mark()
    found = explore(world)
    assert found.of("ends_at").outcome is Outcome.PROVED
    assert found.accompanied

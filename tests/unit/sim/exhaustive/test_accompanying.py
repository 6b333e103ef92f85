"""Executions on the kernel find what the engine itself has overlooked."""

import re

import pytest

from wavecheck.sim.exhaustive import CannotLearn, explore
from wavecheck.sim.exhaustive.effects import Effects
from wavecheck.sim.exhaustive.hidden import Watch
from wavecheck.sim.exhaustive.identity import Identity
from wavecheck.sim.exhaustive.locals import TaskLocals
from wavecheck.sim.operation import statement


class Calls:
    """Counts across tasks, which is hidden state."""

    def __init__(self):
        self.count = 0

    async def act(self, store):
        self.count += 1
        await store.write("x", self.count)


async def acts(store, shared):
    await store.read("x")
    await shared.act(store)


def test_what_the_watch_overlooks_is_found_by_executions(toys, monkeypatch):
    """Without its first line the engine learns a wrong step; the kernel shows it."""
    monkeypatch.setattr(Watch, "check", lambda *args, **named: None)
    monkeypatch.setattr(Watch, "_renewed", lambda watch: [])
    with pytest.raises(CannotLearn) as refusal:
        explore(toys.World(acts, acts, shared=Calls))
    text = str(refusal.value)
    assert (
        "an execution on the kernel goes on differently than what was learned" in text
    )
    assert re.search(
        r"learned  write\('x', (\d)\)\n  kernel   write\('x', (?!\1)", text
    )
    assert "next: keep state in the store" in text


class Numbering:
    """A statement that counts its calls, which is hidden state."""

    def __init__(self, store):
        self.store, self.calls = store, 0

    @statement
    def sign(self):
        """Write the next number."""
        self.calls += 1
        self.store.numbers.add("x", self.calls)


def test_a_statement_that_changes_other_values_is_found_by_executions(
    toys, monkeypatch
):
    """What it writes is compared, though nobody reads it and no step differs."""
    monkeypatch.setattr(Watch, "check", lambda *args, **named: None)
    monkeypatch.setattr(Watch, "_renewed", lambda watch: [])
    monkeypatch.setattr(Effects, "recheck", lambda effects: 0)
    world = toys.World(signs)
    world.store.numbering = Numbering(world.store)
    with pytest.raises(CannotLearn, match="learned  another value of numbers"):
        explore(world)


async def signs(store, shared):
    await store.numbering.sign()


@pytest.mark.parametrize("has_second_history", [True, False])
def test_values_that_are_wrongly_taken_for_equal_are_found(
    toys, monkeypatch, has_second_history
):
    """If all lists had one key: by a second history, or else by an execution."""
    if not has_second_history:
        monkeypatch.setattr(TaskLocals, "recheck", lambda *args: 0)

    async def remembers(store, shared):
        seen = [await store.add("x")]
        await store.read("y")
        await store.write("y", seen[0])

    honest = Identity.key
    monkeypatch.setattr(
        Identity,
        "key",
        lambda self, value, aliases=None: (
            "list" if type(value) is list else honest(self, value, aliases)
        ),
    )
    what = "from the same local state" if has_second_history else "on the kernel"
    with pytest.raises(CannotLearn, match=f"goes on differently.*{what}|{what}.*goes"):
        explore(toys.World(remembers, remembers))


@pytest.mark.parametrize(
    ("steps", "tasks", "executions"),
    [(1, 2, 2 * 2), (2, 2, 2 * 6), (4, 2, 2 * 70), (5, 2, 200), (1, 0, 2), (1, 5, 200)],
)
def test_a_proof_is_accompanied_by_all_executions_or_by_hundreds(
    toys, steps, tasks, executions
):
    """All schedules twice, where they are few; some are handed on for later."""

    async def alone(store, shared):
        for _ in range(steps):
            await store.add("x")

    result = explore(toys.World(*[alone] * tasks))
    assert result.accompanied == executions
    assert result.samples


def test_an_endless_world_is_accompanied_by_hundreds_of_executions(toys):
    """A loop has no number of schedules, however few states it has."""

    async def waits(store, shared):
        while await store.read("x") < 1:
            pass

    async def adds(store, shared):
        await store.add("x")

    assert explore(toys.World(waits, adds)).accompanied == 200


def test_the_same_world_is_accompanied_by_the_same_executions(toys):
    """How many there are, and which, depends on nothing but the world."""

    async def chooses(store, shared):
        for _ in range(await store.guess()):
            await store.add("x")

    first, second = (explore(toys.World(chooses, chooses)) for _ in range(2))
    assert (first.accompanied, first.samples) == (second.accompanied, second.samples)

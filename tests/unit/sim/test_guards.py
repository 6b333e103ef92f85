"""A guard that reads a part which does not wake its task is named, in both modes."""

import pytest

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive.prove import explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Flag
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.session import Budget, Session

HERE = "tests/unit/sim/test_guards.py"


class World:
    """One task that waits for two parts, and one that changes both."""

    properties = ()

    def __init__(self, wait, *, wakes_both=False):
        self.kernel = Kernel(timed=False)
        self.lock = Flag(self.kernel, "lock")
        self.ticking = Counter(self.kernel, "ticking")
        if wakes_both:
            self.ticking.wake_with(self.lock)
        self.store = self.under_test = self
        self.wait = wait
        self.kernel.mark()

    def start(self):
        """Spawn both."""
        self.kernel.spawn(self.waiting(), "waiting")
        self.kernel.spawn(self.changing(), "changing")

    def heal(self):
        """There is nothing to heal."""
        return False

    async def waiting(self):
        await self.wait(self)

    async def changing(self):
        await self.set_lock()
        await self.tick()

    @statement
    def set_lock(self):
        """Set the lock."""
        self.lock.set()

    @statement
    def tick(self):
        """Tick."""
        self.ticking.add("beat")

    @statement(
        enabled=lambda self: self.lock.is_set() and self.ticking.get("beat") > 0,
        wakes_on=lambda self: self.lock,
    )
    def expire(self):
        """Wait for both, and be woken by one."""

    @statement(enabled=lambda self: self.lock.is_set(), wakes_on=lambda self: self.lock)
    def honest(self):
        """Wait for what wakes."""


def search(world):
    """Search a little."""
    session = Session(world, (), Budget(executions=2), lambda: 0.0)
    strategy = RandomWalk(0)
    strategy.begin(world.kernel)
    session.execute(strategy, "random")


@pytest.mark.parametrize("run", [search, explore], ids=["search", "proof"])
def test_a_guard_that_reads_what_does_not_wake_it_is_named(run, monkeypatch, request):
    """The statement, both parts, the line, and what to write instead."""
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(InvalidScenario) as refused:
        run(World(World.expire))
    with open(__file__, encoding="utf-8") as file:
        mark = "enabled=lambda self: self.lock.is_set() and"
        line = next(n for n, text in enumerate(file, start=1) if mark in text)
    assert str(refused.value) == (
        "the guard of expire() reads 'ticking', and changes of that do not wake who"
        " waits for it\n"
        f"  at        {HERE}:{line} in expire\n"
        "  wakes on  'lock'\n"
        "next: let both wake it, where the parts are made:"
        " self.ticking.wake_with(self.lock)"
    )


@pytest.mark.parametrize("run", [search, explore], ids=["search", "proof"])
def test_honest_guards_pass(run):
    """One part, or two that wake together."""
    run(World(World.honest))
    run(World(World.expire, wakes_both=True))


def test_parts_are_what_they_were_after_a_guard_was_asked():
    """The exchange of classes leaves nothing behind."""
    world = World(World.expire, wakes_both=True)
    search(world)
    assert [type(part) for part in world.kernel.parts.values()] == [Flag, Counter]

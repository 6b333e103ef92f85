"""Small worlds for the corpus, their truth by brute force, and what the engine says.

A program's truth is not stated but found: the kernel runs every schedule. Nothing here
knows the checkout, so the corpus runs against an installed wheel as well.
"""

from types import SimpleNamespace

import pytest

from wavecheck.sim.exhaustive import CannotLearn, explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter
from wavecheck.sim.property import Moment, Property

REFUSED = "refused"

BAD = Property(
    name="never_bad",
    meaning="nothing bad is written",
    moment=Moment.ALWAYS,
    on_change={"bad": lambda world, key, before, after: "bad" if after else None},
)


class Store:
    """A counter to look at, one that must stay zero, and a choice."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.numbers = Counter(kernel, "numbers")
        self.bad = Counter(kernel, "bad")

    @statement
    def read(self):
        """Look at a number."""
        return self.numbers.get("x")

    @statement
    def write_bad(self):
        """Do what must not happen."""
        self.bad.add()

    @statement
    def either(self):
        """Let the schedule decide between two."""
        return self.kernel.choose(2)


class World:
    """Runs a flow in some tasks; each execution begins with a fresh shared object."""

    def __init__(self, flow, *, tasks=2, begin=lambda: None):
        self.kernel = Kernel(timed=False)
        self.store = Store(self.kernel)
        self.properties = (BAD,)
        self.under_test = None
        self._flow, self._tasks, self._begin = flow, tasks, begin
        self.kernel.mark()

    def start(self):
        """Spawn the tasks."""
        self.under_test = self._begin()
        for number in range(self._tasks):
            flow = self._flow(self.store, self.under_test)
            self.kernel.spawn(flow, f"task-{number}")

    def heal(self):
        """Repair nothing."""
        return False


class Everything:
    """A rule that walks all schedules, depth first."""

    def __init__(self):
        self.path, self.depth = [], 0

    def _next(self, count):
        if self.depth == len(self.path):
            self.path.append([0, count])
        self.depth += 1
        return self.path[self.depth - 1][0]

    def pick(self, enabled):
        """Take the next branch."""
        return self._next(len(enabled))

    def choose(self, options_count):
        """Take the next branch."""
        return self._next(options_count)

    def advance(self):
        """Go to the next schedule; False after the last."""
        self.depth = 0
        while self.path:
            self.path[-1][0] += 1
            if self.path[-1][0] < self.path[-1][1]:
                return True
            self.path.pop()
        return False


def is_violated(world):
    """Run every schedule on the kernel; return whether one of them is bad."""
    kernel, rule, found = world.kernel, Everything(), False
    kernel.rule = rule
    while True:
        kernel.rewind()
        world.start()
        kernel.run_to_quiescence()
        found |= world.store.bad.get() > 0
        if not rule.advance():
            kernel.rewind()
            return found


def verdict(make):
    """Return what the engine says of a world: violated, proved, or refused."""
    try:
        return explore(make()).of("never_bad").outcome
    except CannotLearn:
        return REFUSED


@pytest.fixture(scope="session")
def corpus():
    """What the tests of this folder share."""
    return SimpleNamespace(World=World, is_violated=is_violated, verdict=verdict)

"""Toy worlds for the exhaustive engine, and a plain search to compare it with."""

from types import SimpleNamespace

import pytest

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Flag
from wavecheck.sim.property import Moment, Property


class ToyStore:
    """Numbers by name, and one flag."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.numbers = Counter(kernel, "numbers")
        self.flag = Flag(kernel, "flag")

    @statement
    def add(self, name):
        """Add one; return the new number."""
        return self.numbers.add(name)

    @statement
    def read(self, name):
        """Read a number."""
        return self.numbers.get(name)

    @statement
    def count(self, name):
        """Add one, and look at nothing."""
        self.numbers.add(name)

    @statement
    def write(self, name, value):
        """Set a number."""
        self.numbers.add(name, value - self.numbers.get(name))

    @statement
    def guess(self):
        """Let the schedule decide between three numbers."""
        return self.kernel.choose(3)

    @statement
    def guess_unevenly(self):
        """Choose one of two, and after the second of them one of three."""
        return 1 + self.kernel.choose(3) if self.kernel.choose(2) else 0

    @statement
    def guess_often(self, count):
        """Choose one of two, again and again while it is the second."""
        return all(self.kernel.choose(2) for _ in range(count))

    @statement(enabled=lambda self: self.flag.is_set(), wakes_on=lambda self: self.flag)
    def wait(self):
        """Wait for the flag."""

    @statement
    def raise_flag(self):
        """Set the flag."""
        self.flag.set()

    @statement
    def lower_flag(self):
        """Clear the flag."""
        self.flag.set(False)


class ToyWorld:
    """Runs whatever coroutine functions it is given, each as one task."""

    def __init__(self, *flows, properties=(), shared=None):
        self.kernel = Kernel(timed=False)
        self.store = ToyStore(self.kernel)
        self.flows = flows
        self.properties = properties
        self.make_shared = shared
        self.under_test = None
        self.kernel.mark()

    def start(self):
        """Spawn one task for each flow."""
        self.under_test = self.make_shared() if self.make_shared else self.store
        for index, flow in enumerate(self.flows):
            self.kernel.spawn(flow(self.store, self.under_test), f"task-{index}")

    def heal(self):
        """Return False: there is nothing to recover."""
        return False


class Everything:
    """A rule that walks all schedules, depth first."""

    def __init__(self):
        self.path = []
        self.depth = 0

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


def all_schedules(world):
    """Run every schedule on the kernel; return their number and the final states."""
    kernel, rule = world.kernel, Everything()
    kernel.rule, ends, count = rule, set(), 0
    while True:
        kernel.rewind()
        world.start()
        kernel.run_to_quiescence()
        count += 1
        ends.add(tuple(part.snapshot() for part in kernel.parts.values()))
        if not rule.advance():
            kernel.rewind()
            return count, ends


def plain_search(learner):
    """Breadth first over tuples: states, transitions, final states."""
    tasks = range(len(learner.tasks))
    start = (tuple(0 for _ in tasks), ())
    seen, frontier, transitions, ends = {start}, [start], 0, 0

    def padded(shared):
        return [*shared, *[0] * (len(learner.shared.components) - len(shared))]

    def trimmed(shared):
        shared = list(shared)
        while shared and shared[-1] == 0:
            shared.pop()
        return tuple(shared)

    while frontier:
        found = []
        for places, shared in frontier:
            steps_count = 0
            for task in tasks:
                _, steps = learner.resolve(task, places, padded(shared))
                learner.take_growth()
                steps_count += len(steps)
                for step in steps:
                    after = padded(shared)
                    for component, number in step.writes:
                        after[component] = number
                    moved = (*places[:task], step.local, *places[task + 1 :])
                    state = (moved, trimmed(after))
                    if state not in seen:
                        seen.add(state)
                        found.append(state)
            transitions += steps_count
            ends += steps_count == 0
        frontier = found
    return len(seen), transitions, ends


def at_most(name, limit):
    """A property: a number never exceeds a limit."""

    def check(world, key, before, after):
        return f"{key} is {after}" if key == name and after > limit else None

    return Property(
        name="at_most",
        meaning=f"{name} is at most {limit}",
        moment=Moment.ALWAYS,
        on_change={"numbers": check},
    )


def ends_at(name, value):
    """A property: a number has a value at the end."""

    def check(world):
        now = world.store.numbers.get(name)
        return None if now == value else f"{name} is {now}"

    return Property(
        name="ends_at",
        meaning=f"{name} is {value} at the end",
        moment=Moment.AT_QUIESCENCE,
        at_end=check,
    )


@pytest.fixture
def toys():
    """Everything above, by name."""
    return SimpleNamespace(
        World=ToyWorld,
        all_schedules=all_schedules,
        plain_search=plain_search,
        at_most=at_most,
        ends_at=ends_at,
    )

"""A toy domain of one log, one counter, one queue and one flag; scripted rules."""

from typing import NamedTuple

import pytest

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, statement
from wavecheck.sim.parts import Counter, Flag, Queue, Table


class Book(NamedTuple):
    """A row for tests: where a book stands."""

    title: str
    shelf: str
    copies: int


class Toy:
    """The smallest domain that uses every part; `log` notes the order of the steps."""

    def __init__(self, kernel):
        self.log = []
        self.kernel = kernel
        self.counter = Counter(kernel, "counter")
        self.queue = Queue(kernel, "queue")
        self.flag = Flag(kernel, "flag")
        self.books = Table(kernel, "books", Book, key=("title",), indexes=(("shelf",),))

    @statement
    def note(self, text):
        """Note a step; nothing shared changes."""
        self.log.append(text)
        return text

    @statement
    def add(self, key, amount=1):
        """Add to the counter."""
        return self.counter.add(key, amount)

    @statement(kind=Kind.MESSAGE)
    def put(self, item):
        """Put an item on the queue."""
        self.queue.put(item)

    @statement(
        kind=Kind.MESSAGE,
        enabled=lambda self: len(self.queue) > 0,
        wakes_on=lambda self: self.queue,
    )
    def take(self):
        """Wait for an item."""
        return self.queue.take()

    @statement
    def switch(self, value):
        """Set or clear the flag."""
        self.flag.set(value)

    @statement(
        enabled=lambda self, text: self.flag.is_set(),
        wakes_on=lambda self, text: self.flag,
    )
    def pass_gate(self, text):
        """Go on only while the flag is set."""
        self.log.append(text)

    @statement
    def fail(self, error):
        """Fail and change nothing."""
        raise error

    @statement
    def spoil(self):
        """Change something and fail all the same: a wrong statement."""
        self.counter.add("spoilt")
        raise KeyError("late")

    @statement(kind=Kind.EXTERNAL)
    def happen(self, text):
        """Note something external, which takes no latency."""
        self.log.append(text)

    async def do(self, operation):
        """Perform one operation and end."""
        return await operation

    async def notes(self, name, count):
        """Make `count` notes, one step each."""
        for number in range(1, count + 1):
            await self.note(f"{name}{number}")


class ScriptedRule:
    """Answers from a list, then 0; remembers how many answers were possible."""

    def __init__(self, answers=()):
        self.answers = list(answers)
        self.widths = []

    def _answer(self, width):
        number = len(self.widths)
        self.widths.append(width)
        return self.answers[number] if number < len(self.answers) else 0

    def pick(self, enabled):
        return self._answer(len(enabled))

    def choose(self, options_count):
        return self._answer(options_count)


def every_schedule(execute):
    """Call `execute(rule)` once for every schedule; yield (choices, result)."""
    answers = []
    while True:
        rule = ScriptedRule(answers)
        result = execute(rule)
        taken = (answers + [0] * len(rule.widths))[: len(rule.widths)]
        yield tuple(taken), result
        while taken and taken[-1] + 1 == rule.widths[len(taken) - 1]:
            taken.pop()
        if not taken:
            return
        answers = [*taken[:-1], taken[-1] + 1]


@pytest.fixture
def untimed():
    """A toy on a kernel without time."""
    return Toy(Kernel(timed=False))


@pytest.fixture
def timed():
    """A toy on a kernel whose statements take 10 ticks each."""
    return Toy(Kernel(latency=lambda operation: 10))


@pytest.fixture
def toy_type():
    """The toy's class, for tests that build their own kernel."""
    return Toy


@pytest.fixture
def book_type():
    """The toy's row type."""
    return Book


@pytest.fixture
def scripted_rule():
    """The rule that answers from a list."""
    return ScriptedRule


@pytest.fixture
def all_schedules():
    """The generator of every schedule of a small program."""
    return every_schedule

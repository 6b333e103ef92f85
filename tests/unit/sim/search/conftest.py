"""A toy world whose final state is the order of its steps, and ways to search it."""

import pytest

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Queue
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.search.session import Budget, Session


class OrderStore:
    """One queue that remembers every step."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.order = Queue(kernel, "order")

    @statement
    def step(self, text):
        """Note a step."""
        self.order.put(text)

    @statement
    def look(self):
        """Read how many steps there were."""
        return len(self.order)

    @statement(
        enabled=lambda self, text: text in list(self.order),
        wakes_on=lambda self, text: self.order,
    )
    def wait_for(self, text):
        """Wait until a step was noted."""

    @statement
    def drop(self, text):
        """Take a note back."""
        self.order.remove(text)

    @statement
    def toss(self, text, options_count):
        """Note a step and which option it took."""
        self.order.put(f"{text}{self.kernel.choose(options_count)}")


class OrderWorld:
    """Tasks a, b, ... of some steps each; some orders of the steps are forbidden.

    `programs` replaces the tasks: functions of the store, by name.
    """

    def __init__(self, steps=(2, 2), *, forbidden=(), programs=None, at_risk=True):
        self.kernel = Kernel(timed=False)
        self.store = OrderStore(self.kernel)
        self.under_test = None
        self.steps = steps
        self.programs = programs
        self.forbidden = set(forbidden)
        self.properties = (
            Property(
                name="allowed_order",
                meaning="no forbidden order happens",
                moment=Moment.AT_QUIESCENCE,
                at_end=self._judge,
                is_at_risk=lambda world: at_risk,
            ),
        )
        self.kernel.mark()

    def order(self):
        return " ".join(self.store.order)

    @staticmethod
    def _judge(world):
        order = world.order()
        return f"forbidden: {order}" if order in world.forbidden else None

    def start(self):
        if self.programs is not None:
            for name, program in self.programs.items():
                self.kernel.spawn(program(self.store), name)
            return
        for name, count in zip("abcdef", self.steps, strict=False):
            self.kernel.spawn(self._task(name, count), name)

    async def _task(self, name, count):
        for number in range(1, count + 1):
            await self.store.step(f"{name}{number}")

    def plan_faults(self, plan):
        raise AssertionError("the toy has no faults")

    def heal(self):
        return False


SIX = ("a1 a2 b1 b2", "a1 b1 a2 b2", "a1 b1 b2 a2",
       "b1 a1 a2 b2", "b1 a1 b2 a2", "b1 b2 a1 a2")  # fmt: skip


def orders(world, strategy, executions):
    """The order of each execution until the strategy ends."""
    found = []
    kernel = world.kernel
    while len(found) < executions and strategy.begin(kernel):
        kernel.rule = strategy
        kernel.rewind()
        world.start()
        kernel.run_to_quiescence()
        strategy.end(kernel)
        found.append(world.order())
    return found


def session(world, executions=1000, **options):
    """A session without a clock."""
    budget = Budget(executions=executions)
    return Session(world, world.properties, budget, lambda: 0.0, **options)


@pytest.fixture
def order_world():
    """The class of the toy world."""
    return OrderWorld


@pytest.fixture
def six_orders():
    """Every order of two tasks of two steps."""
    return SIX


@pytest.fixture
def run_orders():
    """Run executions of a strategy; return their orders."""
    return orders


@pytest.fixture
def make_session():
    """Make a session without a clock."""
    return session

"""Two rows in a database, transactions on them, faults, and every schedule there is.

For worlds of transactions: a proof is compared with all schedules run on the kernel.
"""

from fractions import Fraction
from functools import partial
from typing import NamedTuple

from wavecheck.sim.faults import FAULT_TASK_PREFIX, Adversary, Target
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table
from wavecheck.sim.property import Judge, Moment, Property
from wavecheck.sim.search.execution import execute
from wavecheck.sim.transactions import (
    Failed,
    Level,
    TableView,
    TransactionBlock,
    Transactions,
    perform,
)

LEVELS = (
    *(Level.READ_COMMITTED, Level.REPEATABLE_READ, Level.SERIALIZABLE),
    *(Level.DEFERRED, Level.IMMEDIATE),
)


class Refused(Exception):
    """What a task sees of a failure of the database's own."""


class Lost(Exception):
    """What a task sees of a statement that a fault lets fail."""


class Cell(NamedTuple):
    key: int
    value: int


def view_of(bound):
    """Return the rows as a transaction sees them."""
    return TableView(bound.transactions, bound.slot, bound.bank.table)


def add(bound, key, amount):
    """UPDATE SET value = value + ... WHERE key = ..."""
    change = view_of(bound).change
    change(key, lambda row: row._replace(value=row.value + amount))


def put(bound, key, value):
    """UPDATE SET value = ... WHERE key = ..."""
    view_of(bound).update(key, value=value)


def lock(bound, key):
    """SELECT ... WHERE key = ... FOR UPDATE."""
    view_of(bound).lock(key)


def value_of(bound, key):
    """SELECT value WHERE key = ..."""
    return view_of(bound).get(key).value


class BankTransaction:
    """General statements in one transaction."""

    def __init__(self, bank, slot):
        self.bank, self.transactions, self.slot = bank, bank.transactions, slot

    async def ask(self, function, *args):
        """Perform a statement."""
        result = await perform(self, function, *args)
        if isinstance(result, Failed):
            raise Refused(result.failure.value)
        return result


class Bank:
    """Two rows, and how transactions on them begin and end."""

    def __init__(self, kernel):
        self.transactions = Transactions(kernel)
        self.table = Table(kernel, "a", Cell, key=("key",))
        for key in (1, 2):
            self.table.insert(Cell(key, 1))
        self.transactions.add(self.table)

    def transaction(self, level):
        """Begin a transaction."""
        return TransactionBlock(self, lambda slot: BankTransaction(self, slot), level)

    @statement
    def begin(self, level):
        """Begin."""
        return self.transactions.begin(level)

    @statement
    def commit(self, slot):
        """Commit."""
        result = self.transactions.commit(slot)
        return result if isinstance(result, Failed) else None

    @statement
    def roll_back(self, slot):
        """Roll back."""
        self.transactions.roll_back(slot)

    def cut_off(self, slot):
        """Roll back here and now."""
        if self.transactions.is_open(slot):
            self.transactions.roll_back(slot)

    def error(self, failed):
        """What a task sees of a failure."""
        return Refused(failed.failure.value)


class BankWorld:
    """Flows over two rows, and faults that strike in their middle.

    Args:
        level: of isolation.
        flows: called with bank and level; by name of the task.
        plan: of faults.
    """

    properties = (
        Property(
            name="sum_stays",
            meaning="transfers are whole or not at all",
            moment=Moment.AT_QUIESCENCE,
            at_end=lambda world: world.wrong_sum(),
        ),
        Property(
            name="first_stays",
            meaning="row 1 is never 0; some transfer shows that it is",
            moment=Moment.ALWAYS,
            on_change={"a": lambda world, k, before, after: is_spent(after)},
        ),
        Property(
            name="nothing_held",
            meaning="nobody holds a lock or a transaction at the end",
            moment=Moment.AT_QUIESCENCE,
            at_end=lambda world: world.held(),
        ),
    )

    def __init__(self, level, flows, plan):
        self.kernel = Kernel(timed=False)
        self.store = Bank(self.kernel)
        self.level, self.flows = level, flows
        self.under_test = None
        sources = {"crash": self.crashes, "fail": self.failures}
        self.adversary = Adversary(self.kernel, sources, plan)
        self.kernel.survives = lambda task, error: task.end()
        self.kernel.survived = (Lost,)
        self.kernel.mark()

    def wrong_sum(self):
        """Say whether the sum has changed."""
        total = sum(row.value for row in self.store.table)
        return None if total == 2 else f"the sum is {total}"

    def held(self):
        """Say whether somebody has not let go."""
        transactions = self.store.transactions
        rows = len(transactions.open) + len(transactions.locks.rows)
        return "something is held" if rows else None

    def start(self):
        """Spawn the flows and the faults."""
        for name, flow in self.flows.items():
            self.kernel.spawn(flow(self.store, self.level), name)
        self.adversary.start()

    def heal(self):
        """Return False: there is nothing to recover."""
        return False

    def processes(self):
        """Return the flows that have not ended."""
        return [
            task
            for task in self.kernel.tasks
            if task.operation is not None
            and not task.name.startswith(FAULT_TASK_PREFIX)
        ]

    def crashes(self):
        """Return who may die."""
        return [
            Target(f"{task.name} dies", partial(self.kernel.kill, task))
            for task in self.processes()
        ]

    def failures(self):
        """Return whose statement may fail."""
        return [
            Target(f"{one.name} fails", partial(self.kernel.fail, one, Lost("lost")))
            for one in self.processes()
        ]


def is_spent(row):
    """Say whether row 1 is spent."""
    return "spent" if row is not None and (row.key, row.value) == (1, 0) else None


class Weighed:
    """Walks all schedules, and knows how likely each is."""

    def __init__(self):
        self.path, self.depth = [], 0

    def pick(self, enabled):
        """Take the next branch."""
        return self.choose(len(enabled))

    def choose(self, options_count):
        """Take the next branch."""
        if self.depth == len(self.path):
            self.path.append([0, options_count])
        self.depth += 1
        return self.path[self.depth - 1][0]

    def weight(self):
        """Return the odds of this schedule."""
        weight = Fraction(1)
        for _, count in self.path[: self.depth]:
            weight /= count
        return weight

    def advance(self):
        """Go to the next schedule; False after the last."""
        self.depth = 0
        while self.path:
            self.path[-1][0] += 1
            if self.path[-1][0] < self.path[-1][1]:
                return True
            self.path.pop()
        return False


def enumerated(world, see=None):
    """Return how many schedules there are, the odds of each violation, the shortest.

    Args:
        world: of flows.
        see: called after each execution with how many there were so far.
    """
    rule, count, shortest = Weighed(), 0, {}
    chances = dict.fromkeys([one.name for one in world.properties], Fraction(0))
    judge = Judge(world.kernel, world, world.properties)
    while True:
        judge.violations.clear()
        execute(world, rule)
        judge.judge_end()
        count += 1
        if see is not None:
            see(count)
        for name, violation in judge.violations.items():
            chances[name] += rule.weight()
            shortest[name] = min(shortest.get(name, 99), violation.step)
        if not rule.advance():
            return count, chances, shortest

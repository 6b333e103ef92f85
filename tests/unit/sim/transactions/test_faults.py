"""Processes that die, and statements that fail, in the middle of transactions.

Proofs against every schedule run on the kernel: how many there are, the exact odds of
each violation, and the shortest one.
"""

from fractions import Fraction
from functools import partial
from typing import NamedTuple

import pytest

from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.prove import conclude, searched
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


async def transfer(bank, level, source, target):
    """Take one from a row and add it to another; if it is refused, give up."""
    try:
        async with bank.transaction(level) as tx:
            await tx.ask(add, source, -1)
            await tx.ask(add, target, 1)
    except (Refused, Lost):
        pass


async def move_locked(bank, level, source, target):
    """Lock a row, read it, and write what was read: one statement more."""
    try:
        async with bank.transaction(level) as tx:
            await tx.ask(lock, source)
            value = await tx.ask(value_of, source)
            await tx.ask(put, source, value - 1)
    except (Refused, Lost):
        pass


class BankWorld:
    """Transfers in both directions, and faults that strike in their middle."""

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

    def __init__(self, level, flow, plan):
        self.kernel = Kernel(timed=False)
        self.store = Bank(self.kernel)
        self.level, self.flow = level, flow
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
        """Spawn two transfers and the faults."""
        for name, source, target in (("to", 1, 2), ("back", 2, 1)):
            flow = self.flow(self.store, self.level, source, target)
            self.kernel.spawn(flow, name)
        self.adversary.start()

    def heal(self):
        """Return False: there is nothing to recover."""
        return False

    def processes(self):
        """Return the transfers that have not ended."""
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


def enumerated(world):
    """Return how many schedules there are, the odds of each violation, the shortest."""
    rule, count, shortest = Weighed(), 0, {}
    chances = dict.fromkeys([one.name for one in world.properties], Fraction(0))
    judge = Judge(world.kernel, world, world.properties)
    while True:
        judge.violations.clear()
        execute(world, rule)
        judge.judge_end()
        count += 1
        for name, violation in judge.violations.items():
            chances[name] += rule.weight()
            shortest[name] = min(shortest.get(name, 99), violation.step)
        if not rule.advance():
            return count, chances, shortest


CASES = [
    *((level, transfer, {"crash": 1}) for level in LEVELS),
    *((level, transfer, {"fail": 1}) for level in LEVELS),
    (Level.READ_COMMITTED, move_locked, {"crash": 1}),
    (Level.SERIALIZABLE, move_locked, {"fail": 1}),
]


@pytest.mark.parametrize(("level", "flow", "plan"), CASES)
def test_a_proof_says_what_all_schedules_say(level, flow, plan):
    """Exactly: how many, how likely each violation is, and how short it can be."""
    count, chances, shortest = enumerated(BankWorld(level, flow, plan))
    search, stopped_by = searched(BankWorld(level, flow, plan))
    graph, result = graph_of(search), conclude(search, stopped_by)
    assert result.is_complete
    assert count_schedules(graph) == count
    for index, one in enumerate(result.properties):
        assert odds(graph, index).exact == chances[one.name]
        assert result.of(one.name).shortest == shortest.get(one.name)
    assert "nothing_held" not in shortest

"""Levels of isolation in small worlds of plain rows: searched, and proved.

Two tasks read two rows and change one or two of them. What each level lets pass is what
PostgreSQL lets pass; `tests/conformance/test_transactions.py` asks PostgreSQL.
"""

from typing import NamedTuple

import pytest

from wavecheck.sim.exhaustive import explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.transactions import (
    Failed,
    Level,
    TableView,
    TransactionBlock,
    Transactions,
    perform,
)
from wavecheck.sim.verdict import Outcome


class Cell(NamedTuple):
    key: int
    value: int


class FailedError(Exception):
    """What a task sees of a failure."""


def value_of(bound, key):
    """SELECT value WHERE key = ..."""
    return view_of(bound).get(key).value


def ones(bound):
    """SELECT count(*) WHERE value = 1."""
    return view_of(bound).count(value=1)


def put(bound, key, value):
    """UPDATE SET value = ... WHERE key = ..."""
    view_of(bound).update(key, value=value)


def view_of(bound):
    return TableView(bound.transactions, bound.slot, bound.store.table)


class BankTransaction:
    """General statements in one transaction."""

    def __init__(self, store, slot):
        self.store = store
        self.transactions = store.transactions
        self.slot = slot

    async def ask(self, statement, *arguments):
        """Perform a general statement."""
        result = await perform(self, statement, *arguments)
        if isinstance(result, Failed):
            raise FailedError(result.failure.value)
        return result


class Bank:
    """Two rows of one table, and how transactions on it begin and end."""

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
        return FailedError(failed.failure.value)


class BankWorld:
    """Tasks that are coroutine functions of the bank and the level."""

    def __init__(self, level, flows, at_end):
        self.kernel = Kernel(timed=False)
        self.store = Bank(self.kernel)
        self.level, self.flows = level, flows
        self.under_test = None
        self.properties = (
            Property(
                name="sound",
                meaning="what the tasks believe holds at the end",
                moment=Moment.AT_QUIESCENCE,
                at_end=lambda world: at_end(world.store.table),
            ),
        )
        self.kernel.mark()

    def start(self):
        """Spawn one task for each flow."""
        for number, flow in enumerate(self.flows):
            self.kernel.spawn(flow(self.store, self.level), f"task-{number}")

    def heal(self):
        """Return False: there is nothing to recover."""
        return False


async def add_one(bank, level):
    """Read row 1 and write what was read plus one: a lost update, if it is let."""
    while True:
        try:
            async with bank.transaction(level) as tx:
                value = await tx.ask(value_of, 1)
                await tx.ask(put, 1, value + 1)
            return
        except FailedError:
            continue


def leave(key):
    """Set a row to 0 if both rows are 1: two of these are a write skew."""

    async def flow(bank, level):
        try:
            async with bank.transaction(level) as tx:
                if await tx.ask(ones) == 2:
                    await tx.ask(put, key, 0)
        except FailedError:
            pass

    return flow


def is_three(table):
    """Say whether an addition was lost."""
    value = table.get(1).value
    return None if value == 3 else f"row 1 is {value}"


def has_one(table):
    """Say whether both rows were given up."""
    return None if any(row.value for row in table) else "both rows are 0"


LOST, SKEW = ((add_one, add_one), is_three), ((leave(1), leave(2)), has_one)
LETS_PASS = [
    (LOST, Level.READ_COMMITTED, True),
    (LOST, Level.REPEATABLE_READ, False),
    (LOST, Level.SERIALIZABLE, False),
    (SKEW, Level.READ_COMMITTED, True),
    (SKEW, Level.REPEATABLE_READ, True),
    (SKEW, Level.SERIALIZABLE, False),
]


class Everything:
    """A rule that walks all schedules, depth first."""

    def __init__(self):
        self.path, self.depth = [], 0

    def choose(self, options_count):
        """Take the next branch."""
        if self.depth == len(self.path):
            self.path.append([0, options_count])
        self.depth += 1
        return self.path[self.depth - 1][0]

    def pick(self, enabled):
        """Take the next branch."""
        return self.choose(len(enabled))

    def advance(self):
        """Go to the next schedule; False after the last."""
        self.depth = 0
        while self.path:
            self.path[-1][0] += 1
            if self.path[-1][0] < self.path[-1][1]:
                return True
            self.path.pop()
        return False


def verdicts_of_all_schedules(world):
    """Run every schedule on the kernel; return what was wrong, and the final rows."""
    rule, found, ends = Everything(), set(), set()
    world.kernel.rule = rule
    while True:
        world.kernel.rewind()
        world.start()
        world.kernel.run_to_quiescence()
        assert len(world.store.transactions.open) == 0
        found.add(world.properties[0].at_end(world))
        ends.add(world.store.table.snapshot())
        if not rule.advance():
            world.kernel.rewind()
            return found - {None}, ends


@pytest.mark.parametrize(("anomaly", "level", "is_let"), LETS_PASS)
def test_every_schedule_of(anomaly, level, is_let):
    """Some schedule shows the anomaly exactly at the levels that let it pass."""
    flows, at_end = anomaly
    found, _ = verdicts_of_all_schedules(BankWorld(level, flows, at_end))
    assert bool(found) is is_let


@pytest.mark.parametrize(("anomaly", "level", "is_let"), LETS_PASS)
def test_proof_of(anomaly, level, is_let):
    """The exhaustive engine says the same, and its proof is complete."""
    flows, at_end = anomaly
    explored = explore(BankWorld(level, flows, at_end))
    assert explored.is_complete
    assert (explored.of("sound").outcome is Outcome.VIOLATED) is is_let

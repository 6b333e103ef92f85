"""Who waits for whom, and who gives way when they wait in a circle."""

from typing import NamedTuple

import pytest

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Table
from wavecheck.sim.transactions import Failed, Failure, Level, TableView, Transactions
from wavecheck.sim.transactions.level import Blocked


class Cell(NamedTuple):
    key: int
    value: int


class Rows:
    """Three rows, and one transaction for each."""

    def __init__(self):
        kernel = Kernel(timed=False)
        self.transactions = Transactions(kernel)
        self.table = Table(kernel, "a", Cell, key=("key",))
        for key in (1, 2, 3):
            self.table.insert(Cell(key, 0))
        self.transactions.add(self.table)
        for slot in (1, 2, 3):
            assert self.transactions.begin(Level.READ_COMMITTED) == slot
            assert self.put(slot, slot) == 1

    def put(self, slot, key):
        """Set a row to the number of a transaction."""
        view = TableView(self.transactions, slot, self.table)

        def update():
            view.update(key, value=slot)
            return 1

        return self.transactions.attempt(slot, update)

    def able(self):
        """Return the transactions whose statement can be attempted now."""
        return [slot for slot in (1, 2, 3) if self.transactions.may_go_on(slot)]


@pytest.mark.parametrize("victim", [1, 2])
def test_any_of_a_circle_may_be_the_victim(victim):
    """Both may look; who does fails, and the other one has the row."""
    rows, other = Rows(), 3 - victim
    assert rows.put(1, 2) == Blocked(1, 2)
    assert rows.able() == [2, 3]  # 1 waits
    assert rows.put(2, 1) == Blocked(2, 1)
    assert rows.able() == [1, 2, 3]
    assert rows.put(victim, other) == Failed(Failure.DEADLOCK)
    assert rows.put(other, victim) == 1
    assert rows.transactions.commit(victim) == Failed(Failure.ABORTED)
    rows.transactions.commit(other)
    assert [row.value for row in rows.table] == [other, other, 0]


def test_who_waits_for_a_circle_is_not_in_it():
    """A third one waits on, whoever of the two gives way."""
    rows = Rows()
    rows.put(1, 2)
    rows.put(2, 1)
    assert rows.put(3, 1) == Blocked(3, 1)
    assert rows.able() == [1, 2]
    assert rows.put(1, 2) == Failed(Failure.DEADLOCK)
    assert rows.able() == [1, 2]  # 3 stands behind 2 in the queue of row 1
    assert rows.put(2, 1) == 1
    rows.transactions.roll_back(2)
    assert rows.put(3, 1) == 1


def test_a_queue_is_part_of_a_circle():
    """Who stands in a queue waits for those ahead, and they can be victims as well."""
    rows = Rows()
    rows.put(1, 2)
    rows.put(3, 1)
    rows.put(2, 1)  # behind 3
    assert rows.able() == [1, 2, 3]
    assert rows.put(3, 1) == Failed(Failure.DEADLOCK)
    assert rows.able() == [1, 2, 3]  # 1 and 2 still wait for each other
    assert rows.put(1, 2) == Failed(Failure.DEADLOCK)
    assert rows.put(2, 1) == 1

"""Transactions on the general tables: what is seen, who waits, who fails.

Multi-version rows, row locks, deadlocks and isolation levels, as PostgreSQL defines
them; and SQLite's one writer. Knows parts and operations, and no domain.
"""

from wavecheck.sim.transactions.block import TransactionBlock
from wavecheck.sim.transactions.bound import perform, perform_alone
from wavecheck.sim.transactions.level import Blocked, Failed, Failure, Level
from wavecheck.sim.transactions.manager import Transactions
from wavecheck.sim.transactions.view import TableView

__all__ = [
    "Blocked",
    "Failed",
    "Failure",
    "Level",
    "TableView",
    "TransactionBlock",
    "Transactions",
    "perform",
    "perform_alone",
]

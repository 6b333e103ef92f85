"""Transactions on the general tables: what is seen, who waits, who fails.

Multi-version rows, row locks, deadlocks and isolation levels, as PostgreSQL defines
them; and SQLite's one writer. Knows parts and operations, and no domain.
"""

from sim.transactions.block import TransactionBlock
from sim.transactions.bound import perform, perform_alone
from sim.transactions.level import Blocked, Failed, Failure, Level
from sim.transactions.manager import Transactions
from sim.transactions.view import TableView

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

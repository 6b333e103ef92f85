"""The rows in which open transactions are kept: plain values in general tables.

So their state is rewound, recorded, shown in traces and explored like any other shared
state. Slots are small numbers that are used again, so that it stays finite.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple

from wavecheck.sim.transactions.level import Level, Place, Row


class Open(NamedTuple):
    """A transaction that has begun and not ended.

    Attributes:
        slot: its number, the smallest one free when it began.
        level: of isolation.
        is_failed: a statement failed; only a rollback is left (PostgreSQL).
        has_snapshot: it sees the rows as they were; what changes them keeps an `Image`.
        has_number: it has changed or locked something, so others can wait for it; in
            SQLite: its commit will write something.
        is_writer: it may write, and no other transaction may (SQLite).
        is_behind: somebody else has committed since its snapshot (SQLite).
        waits_for: the row that it waits for.
        is_inserting: it waits to insert a row with that key.
        found: rows of which the statement under way has met a newer version than it
            saw, and whether the row is gone.
        deferred: what its commit does beside the rows.
    """

    slot: int
    level: Level
    is_failed: bool = False
    has_snapshot: bool = False
    has_number: bool = False
    is_writer: bool = False
    is_behind: bool = False
    waits_for: Place | None = None
    is_inserting: bool = False
    found: tuple[tuple[Place, bool], ...] = ()
    deferred: tuple[Any, ...] = ()


class Lock(NamedTuple):
    """A row that somebody has locked or waits for.

    Attributes:
        table: name of the row's table.
        key: of the row.
        slot: who has it; 0: nobody any more, and somebody has not noticed yet.
        is_changed: whoever has it has changed it.
        row: the row as that transaction sees it, if it has changed it; None: deleted.
        is_reborn: that transaction has deleted the row and inserted another.
        is_superseded: the row that the queue waits for has a newer version.
        queue: who waits for it, in order.
    """

    table: str
    key: Hashable
    slot: int
    is_changed: bool = False
    row: Row = None
    is_reborn: bool = False
    is_superseded: bool = False
    queue: tuple[int, ...] = ()


class Image(NamedTuple):
    """A row as one transaction's snapshot sees it, kept when the row changed.

    Attributes:
        slot: whose snapshot.
        table: name of the row's table.
        key: of the row.
        row: as it was; None: there was none.
        is_gone: the row that was there is deleted, whatever has its key now.
    """

    slot: int
    table: str
    key: Hashable
    row: Row
    is_gone: bool

"""The rows in which open transactions are kept: plain values in general tables.

So their state is rewound, recorded, shown in traces and explored like any other shared
state. Slots are small numbers that are used again, so that it stays finite.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple

from wavecheck.sim.transactions.level import Level, Place, Row, Strength


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
        wants: how it wants to lock that row.
        is_inserting: it waits to insert a row with that key.
        found: rows of which the statement under way has met a newer version than it
            saw, and whether the row is gone.
        deferred: what its commit does beside the rows, each with its depth.
        depth: how many savepoints it is in.
        session: number of the session that it belongs to; 0: of none that has one.
        number: of the transaction among all, where they are counted; else 0.
        running: who ran when its snapshot was taken, where they are counted.
    """

    slot: int
    level: Level
    is_failed: bool = False
    has_snapshot: bool = False
    has_number: bool = False
    is_writer: bool = False
    is_behind: bool = False
    waits_for: Place | None = None
    wants: Strength = Strength.UPDATE
    is_inserting: bool = False
    found: tuple[tuple[Place, bool], ...] = ()
    deferred: tuple[tuple[int, Any], ...] = ()
    depth: int = 0
    session: int = 0
    number: int = 0
    running: str = ""


class Hold(NamedTuple):
    """A lock that a transaction has, or stands in the queue for.

    Attributes:
        slot: of the transaction; negative: of a session, which keeps it beyond.
        strength: of the lock.
        depth: in how many savepoints it was taken.
    """

    slot: int
    strength: Strength
    depth: int = 0


class Version(NamedTuple):
    """What a transaction that is open has made of a row.

    Attributes:
        row: the row; None: deleted.
        depth: in how many savepoints it was made.
        is_reborn: the row was deleted and another one inserted under its key.
        command: 0, or which command of the statement under way has made it; that
            command and those before it do not see it.
    """

    row: Row
    depth: int = 0
    is_reborn: bool = False
    command: int = 0


class RowLock(NamedTuple):
    """A row that somebody has locked or waits for.

    Attributes:
        table: name of the row's table.
        key: of the row.
        holds: who has it; none: nobody any more, and somebody has not noticed yet.
        versions: what the one that may change it has made of it, the newest last.
        is_superseded: the row that the queue waits for has a newer version.
        queue: who waits for it, in order.
    """

    table: str
    key: Hashable
    holds: tuple[Hold, ...] = ()
    versions: tuple[Version, ...] = ()
    is_superseded: bool = False
    queue: tuple[Hold, ...] = ()

    @property
    def changer(self) -> int:
        """The slot of who has changed it; 0: nobody."""
        if not self.versions:
            return 0
        return max(self.holds, key=lambda hold: hold.strength).slot

    @property
    def row(self) -> Row:
        """The newest version of the row; only where it is changed."""
        return self.versions[-1].row

    def held_by(self, slot: int) -> int:
        """Return how strongly a transaction has it; 0: not at all."""
        return max((one.strength for one in self.holds if one.slot == slot), default=0)

    def in_the_way(self, slot: int, strength: Strength) -> list[int]:
        """Return the slots of the others whose locks conflict with one, in order."""
        return [
            one.slot
            for one in self.holds
            if one.slot != slot and one.strength.conflicts(strength)
        ]

    def ahead_of(self, slot: int) -> list[int]:
        """Return who stands before a transaction in the queue, in its way."""
        places = [one.slot for one in self.queue]
        if slot not in places:
            return []
        place = places.index(slot)
        wanted = self.queue[place].strength
        return [
            one.slot for one in self.queue[:place] if one.strength.conflicts(wanted)
        ]


class Image(NamedTuple):
    """A row as one transaction's snapshot sees it, kept when the row changed.

    Attributes:
        slot: whose snapshot.
        table: name of the row's table.
        key: of the row.
        row: as it was; None: there was none.
        is_gone: the row that was there is deleted, whatever has its key now.
        is_rekeyed: who changed it had it FOR UPDATE, as who changes its key has.
    """

    slot: int
    table: str
    key: Hashable
    row: Row
    is_gone: bool
    is_rekeyed: bool = False

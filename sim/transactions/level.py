"""The levels of isolation, and how a statement in a transaction can end.

Plain values. A statement that fails returns its failure: the step that finds it out
also ends the transaction, and a step that raises must change nothing.
"""

from collections.abc import Hashable
from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple


class Level(StrEnum):
    """How much a transaction sees of others; the last two are SQLite's."""

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"
    DEFERRED = "deferred"
    IMMEDIATE = "immediate"

    __hash__ = str.__hash__

    @property
    def is_single_writer(self) -> bool:
        """Whether one transaction at a time may write, and nobody waits: SQLite."""
        return self in (Level.DEFERRED, Level.IMMEDIATE)


class Strength(IntEnum):
    """How much a row lock forbids; two conflict if their sum is 5 or more."""

    KEY_SHARE = 1
    SHARE = 2
    NO_KEY_UPDATE = 3
    UPDATE = 4

    def conflicts(self, other: "Strength") -> bool:
        """Return whether two transactions cannot have these locks at once."""
        return self + other >= Strength.UPDATE + Strength.KEY_SHARE


class Failure(StrEnum):
    """Why a statement failed."""

    SERIALIZATION = "could not serialize access"
    DEADLOCK = "deadlock detected"
    DUPLICATE = "duplicate key"
    ABORTED = "the transaction has failed already"
    BUSY = "database is locked"
    NOT_AVAILABLE = "the row is locked"
    TIMED_OUT = "waited for a lock for too long"

    __hash__ = str.__hash__


class Blocked(NamedTuple):
    """The result of a statement that must wait.

    Attributes:
        slot: the transaction that waits.
        holder: the transaction that has what it waits for.
    """

    slot: int
    holder: int

    def __str__(self) -> str:
        return f"waits for transaction {self.holder}"


class Failed(NamedTuple):
    """The result of a statement that failed."""

    failure: Failure

    def __str__(self) -> str:
        return self.failure.value


class StatementEnds(Exception):
    """Ends the attempt of a statement; never leaves this package."""


class Waits(StatementEnds):
    """Somebody else has the row, or an uncommitted row with the same key."""

    def __init__(
        self, place: "Place", *, is_insert: bool, strength: Strength = Strength.UPDATE
    ) -> None:
        super().__init__(place)
        self.place = place
        self.is_insert = is_insert
        self.strength = strength


class Fails(StatementEnds):
    """The statement fails."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class LooksAgain(StatementEnds):
    """A row has a newer version than the statement saw; it is evaluated on that."""


Place = tuple[str, Hashable]
"""A table's name and a row's key."""

ADVISORY: Final = "(advisory locks)"
"""Where a table's name stands in the place of an advisory lock."""

Row = Any
"""A named tuple; None where there is no row."""

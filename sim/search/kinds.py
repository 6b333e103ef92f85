"""The kinds of causes, and what is known of the cause of a published fault."""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

STEPS_MAX: Final = 600
"""In longer executions causes are not looked for: each race is one more execution."""

Place = tuple[str, Hashable]
"""A part's name and a row's key."""


class CauseKind(Enum):
    """What went wrong between the steps of a cause, the most telling first."""

    FAULT = "fault"
    CRASH = "crash"
    FAILED = "failed statement"
    EXPIRED = "expired with a living owner"
    DEADLOCK = "deadlock"
    STALE_CACHE = "stale cache"
    ABA = "ABA"
    SNAPSHOT = "read of a snapshot"
    UNCOMMITTED = "saw nothing of an uncommitted change"
    LOST_WAKE_UP = "lost wake-up"
    WRITE_SKEW = "write skew"
    STALE_READ = "stale read"
    COUNTED_TWICE = "counted twice"
    LOST_UPDATE = "lost update"
    DELIVERED_TWICE = "message delivered late or twice"
    TOO_EARLY = "too early"
    ACTED_TWICE = "two acted on one finding"
    NOBODY_CALLS_AGAIN = "nobody calls again"
    ANSWER = "another answer"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class KnownCause:
    """The main cause of a violation, as its source tells it.

    Attributes:
        property_name: what is violated.
        kind: of the cause.
        statements: of its steps, in the order in which they come.
    """

    property_name: str
    kind: CauseKind
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Steps that would have saved the run, had they come or ended otherwise.

    Attributes:
        kind: what went wrong.
        first: number of the step that came first: it looked, or struck.
        second: number of the step that came second: it changed what the first had seen,
            or saw it. It may come after the violation. 0: there is none.
        acted: number of the step that acted on it; 0: none.
        place: the part and row on which they meet; None: on none.
        value_then: what the first step would have read after the second one, as plain
            data; None where that is the same, or is no question.
        passing: choices of a schedule without it, which passes; empty: what was tried
            is no schedule of this world, as a fault was left out, or a counter set back
            by hand.
    """

    kind: CauseKind
    first: int
    second: int
    acted: int = 0
    place: Place | None = None
    value_then: Any = None
    passing: tuple[int, ...] = ()

    @property
    def steps(self) -> tuple[int, ...]:
        """The numbers of its steps, ascending."""
        return tuple(sorted({self.first, self.second, self.acted} - {0}))

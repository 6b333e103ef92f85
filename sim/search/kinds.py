"""The kinds of causes, and what is known of the cause of a published fault."""

from dataclasses import dataclass
from enum import Enum


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

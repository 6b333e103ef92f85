"""What a database under comparison offers, whichever it is."""

from typing import Any, Protocol

from wavecheck.scenarios.conformity.world import SessionStep, TableWorld
from wavecheck.sim.errors import InvalidScenario, WavecheckError
from wavecheck.sim.transactions.level import Level


class DatabaseTrouble(InvalidScenario):
    """A database cannot be reached or used; the message says what to do."""


class PatienceLost(WavecheckError):
    """A database does not answer and does not wait for anybody either."""


class DatabaseSessions(Protocol):
    """The sessions of one world after another on a real database.

    Attributes:
        name: of the database, for people.
        levels: the levels of isolation that it knows.
        can_lock_rows: it knows SELECT ... FOR UPDATE.
        blocked_seconds: how long it took to see that each blocked step was blocked.
    """

    name: str
    levels: tuple[Level, ...]
    can_lock_rows: bool
    blocked_seconds: list[float]

    def start(self, world: TableWorld) -> None:
        """Put a world's rows into the tables; no session is in a transaction."""
        ...

    def step(self, session: int, step: SessionStep) -> list[Any]:
        """Take a step; return for each session what it has shown, or None."""
        ...

    def rows(self) -> dict[str, tuple[tuple[Any, ...], ...]]:
        """Return the committed rows of each table."""
        ...

    def abandon(self) -> None:
        """Leave a world in the middle."""
        ...

    def close(self) -> None:
        """Remove whatever was made and disconnect."""
        ...

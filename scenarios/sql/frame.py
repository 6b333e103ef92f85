"""What compiled expressions read: rows by their place in a statement, and the moment.

One frame belongs to one statement in one of its steps.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from wavecheck.sim.transactions.stepwise import Stepwise


class SessionFacts(NamedTuple):
    """What a statement knows of its session, beside the tables.

    Attributes:
        number: of the session; 0: it has none, and needs none.
        began: when the transaction began.
        currvals: name of each sequence that the session has moved, and its value.
    """

    number: int
    began: datetime
    currvals: tuple[tuple[str, int], ...] = ()


class Deferred(NamedTuple):
    """A foreign key that is to be checked when the transaction commits.

    Attributes:
        child: the table that refers.
        constraint: the name of its foreign key.
        values: that are referred to.
        is_left: the row with these values has gone; else one that refers has come.
    """

    child: str
    constraint: str
    values: tuple[Any, ...]
    is_left: bool


class Surroundings(Protocol):
    """What a database offers to statements, beside its rows."""

    def clock(self) -> datetime:
        """Return the time now."""
        ...

    def call(self, name: str, frame: "Frame", arguments: tuple[Any, ...]) -> Any:
        """Call a function that acts on the database."""
        ...

    def make_row(self, table: Any, values: list[Any]) -> Any:
        """Return a row that is in no table yet."""
        ...

    def new_key(self, table: Any, row: Any) -> Any:
        """Return a key that no row of a table has, for a row that is inserted."""
        ...

    def placed(self, frame: "Frame", table: Any, row: Any, key: Any) -> Any:
        """Return a row as it is put into its table."""
        ...


class Frame(list[Any]):
    """The rows that an expression reads, and what else it depends on.

    Attributes:
        step: the statement.
        params: by number, from 0.
        facts: of the session.
        around: what the database offers.
        tables: parts of the tables, by name.
        results: of subqueries that are evaluated once, by their place.
        snapshot: who runs, as `pg_current_snapshot` shows it.
        currvals: sequences that the statement has moved.
        touched: rows that the statement has changed: table and key.
        checks: what is left to do when all rows are changed.
        deferred: what is left to check at the end of the transaction.
        cascades: what deletes or changes rows that refer to others, by table.
    """

    __slots__ = (
        "around",
        "cascades",
        "checks",
        "currvals",
        "deferred",
        "facts",
        "params",
        "results",
        "snapshot",
        "step",
        "tables",
        "touched",
    )

    def __init__(
        self,
        size: int,
        *,
        step: Stepwise,
        params: tuple[Any, ...],
        facts: SessionFacts,
        around: Surroundings,
        tables: Mapping[str, Any],
    ) -> None:
        super().__init__([None] * size)
        self.step = step
        self.params = params
        self.facts = facts
        self.around = around
        self.tables = tables
        self.results: dict[int, Any] = {}
        self.currvals: dict[str, int] = {}
        self.snapshot = ""
        self.touched: set[tuple[str, Any]] = set()
        self.checks: list[Callable[[], None]] = []
        self.deferred: list[Deferred] = []
        self.cascades: Mapping[str, Any] = {}

    def cascade(self, table: str, *arguments: Any) -> None:
        """Delete or change the rows of a table that refer to a key."""
        self.cascades[table].act(self, *arguments)

    def moment(self) -> datetime:
        """Return the time now; the same when the statement goes on."""
        found: datetime = self.step.do(self.around.clock, is_move=False)
        return found

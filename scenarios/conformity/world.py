"""A small world for model and database alike: tables, programs, an order of steps.

Plain values with a JSON form, so that what disagreed once is kept and tried again.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field

from wavecheck.sim.transactions.level import Failure, Level

TABLES: Final = ("a", "b")
MORE_TABLES: Final = ("c", "d")
"""What PostgreSQL has beside: tables that refer to the others, and a sequence."""

SCHEMA: Final = """
CREATE TABLE a (key int PRIMARY KEY, value int NOT NULL);
CREATE TABLE b (key int PRIMARY KEY, value int NOT NULL CHECK (value > -100));
CREATE TABLE c (
    key serial PRIMARY KEY,
    a int REFERENCES a (key) ON DELETE CASCADE ON UPDATE CASCADE,
    value int NOT NULL DEFAULT 0
);
CREATE TABLE d (
    key int PRIMARY KEY,
    b int REFERENCES b (key),
    u int UNIQUE,
    value int NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX d_open ON d (value) WHERE u IS NULL;
"""
KEYS_MAX: Final = 6
COMMIT: Final = "commit"
ROLLBACK: Final = "rollback"
ENDS: Final = (COMMIT, ROLLBACK)
COMMITTED: Final = "committed"
ROLLED_BACK: Final = "rolled back"
BLOCKED: Final = "blocked"

Small = Annotated[int, Ge(-1000), Le(1000)]
Key = Annotated[int, Ge(0), Le(KEYS_MAX)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SessionStep(_Data):
    """One statement, or the end of a transaction.

    Attributes:
        kind: which.
        table: of a statement.
        column: of the condition and of what is set; empty: no condition.
        operator: of the condition.
        operand: of the condition.
        key: of an inserted row.
        value: of an inserted row, or what is set or added.
        is_added: the value is added to the column.
        limit: of FOR UPDATE; 0: none.
        skips_locked: FOR UPDATE SKIP LOCKED.
        text: of any other statement, if that is its kind.
    """

    kind: Literal[
        "select",
        "count",
        "lock",
        "update",
        "insert",
        "delete",
        "sql",
        "commit",
        "rollback",
    ]
    table: Literal["a", "b"] = "a"
    column: Literal["", "key", "value"] = ""
    operator: Literal["=", "<>", "<", ">="] = "="
    operand: Small = 0
    key: Key = 0
    value: Small = 0
    is_added: bool = False
    limit: Key = 0
    skips_locked: bool = False
    text: str = ""

    def is_end(self) -> bool:
        """Return whether it ends a transaction."""
        return self.kind in (COMMIT, ROLLBACK)

    def __str__(self) -> str:
        """Return it as SQL, for people; key and value are the columns' names."""
        if self.is_end():
            return self.kind.upper()
        if self.kind == "sql":
            return self.text
        name, condition = self.table, f"{self.column} {self.operator} {self.operand}"
        where = f" WHERE {condition}" if self.column else ""
        if self.kind == "select":
            return f"SELECT * FROM {name}{where}"
        if self.kind == "count":
            return f"SELECT count(*) FROM {name}{where}"
        if self.kind == "lock":
            limit = f" LIMIT {self.limit}" if self.limit else ""
            skip = " SKIP LOCKED" if self.skips_locked else ""
            return f"SELECT * FROM {name}{where} ORDER BY key{limit} FOR UPDATE{skip}"
        if self.kind == "update":
            value = f"value + {self.value}" if self.is_added else f"{self.value}"
            return f"UPDATE {name} SET value = {value}{where}"
        if self.kind == "insert":
            return f"INSERT INTO {name} VALUES ({self.key}, {self.value})"
        return f"DELETE FROM {name}{where}"


class TableWorld(_Data):
    """Rows, programs and an order.

    Attributes:
        level: of every transaction.
        rows: (key, value) by table; each table has one row at least.
        programs: the steps of each session; a transaction begins with the first step
            and after each end, and the last one is ended by a commit.
        order: which session takes the next step; whoever is blocked or has ended is
            passed over, and whatever is left is done session by session.
    """

    level: Level
    rows: dict[Literal["a", "b"], dict[Key, Small]] = Field(min_length=1)
    programs: tuple[tuple[SessionStep, ...], ...] = Field(min_length=1, max_length=6)
    order: tuple[Annotated[int, Ge(0), Le(5)], ...]

    def program(self, session: int) -> tuple[SessionStep, ...]:
        """Return the steps of a session, its last end included."""
        steps = self.programs[session]
        if steps and not steps[-1].is_end():
            return (*steps, SessionStep(kind="commit"))
        return steps

    def __str__(self) -> str:
        """Return it as a person would write it down."""
        lines = [f"isolation level: {self.level}"]
        for name, rows in self.rows.items():
            held = ", ".join(f"({key}, {value})" for key, value in rows.items())
            lines.append(f"table {name}: {held}")
        for number in range(len(self.programs)):
            steps = "; ".join(str(step) for step in self.program(number))
            lines.append(f"session {number + 1}: {steps}")
        lines.append(f"order: {' '.join(str(one + 1) for one in self.order)}")
        return "\n".join(lines)


SQLITE_SCHEMA: Final = """
CREATE TABLE a (key INTEGER PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE b (key INTEGER PRIMARY KEY, value INTEGER NOT NULL CHECK (value > -100));
"""

_FAILURES: Final = {
    "40001": Failure.SERIALIZATION,
    "40P01": Failure.DEADLOCK,
    "23505": Failure.DUPLICATE,
    "25P02": Failure.ABORTED,
}


def failure_of(sqlstate: str) -> str:
    """Return what a failure is called here, given its SQLSTATE."""
    return _FAILURES.get(sqlstate, f"SQLSTATE {sqlstate}")


def sqlite_failure(sqlstate: str) -> str:
    """Return what a failure of SQLite is called here, given its SQLSTATE."""
    if sqlstate == "40001":
        return Failure.BUSY
    return Failure.DUPLICATE if sqlstate.startswith("23") else "an error"


def outcome_of(
    text: str, rows: Sequence[Sequence[Any]], count: int, *, has_rows: bool
) -> Any:
    """Return what a statement has shown, in a form that can be compared.

    Args:
        text: of the statement; where it says in which order rows come, that counts.
        rows: that it has returned.
        count: of rows that it has changed.
        has_rows: it returns rows.
    """
    if not has_rows:
        return count
    values = [tuple([_plain(one) for one in row]) for row in rows]
    if text.startswith("SELECT count(*) FROM"):
        return values[0][0]
    if "ORDER BY" not in text.rpartition(")")[2]:
        values.sort(key=repr)
    return tuple(values)


def _plain(value: Any) -> Any:
    """Return a value as a number if it is one, and else as the server writes it."""
    if isinstance(value, bool):
        return "t" if value else "f"
    text = None if value is None else str(value)
    return int(text) if text is not None and text.lstrip("-").isdigit() else text


def describe(outcome: Any) -> str:
    """Return a result as people read it."""
    if isinstance(outcome, int):
        return f"{outcome}"
    if isinstance(outcome, tuple) and not hasattr(outcome, "_fields"):
        rows = ["(" + ", ".join(str(one) for one in row) + ")" for row in outcome]
        return ", ".join(rows) or "no rows"
    return str(outcome)

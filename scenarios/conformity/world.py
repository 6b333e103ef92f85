"""A small world for model and database alike: tables, programs, an order of steps.

Plain values with a JSON form, so that what disagreed once is kept and tried again.
"""

from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field

from wavecheck.sim.transactions.level import Level
from wavecheck.sim.transactions.statements import (
    Assignment,
    Condition,
    Count,
    Delete,
    GeneralStatement,
    Insert,
    Select,
    SelectForUpdate,
    Update,
)

TABLES: Final = ("a", "b")
KEYS_MAX: Final = 6
COMMIT: Final = "commit"
ROLLBACK: Final = "rollback"
COMMITTED: Final = "committed"
ROLLED_BACK: Final = "rolled back"
BLOCKED: Final = "blocked"

Small = Annotated[int, Ge(-1000), Le(1000)]
Key = Annotated[int, Ge(0), Le(KEYS_MAX)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Data):
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
    """

    kind: Literal[
        "select", "count", "lock", "update", "insert", "delete", "commit", "rollback"
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

    def statement(self) -> GeneralStatement:
        """Return the statement; it must not be an end."""
        where = (
            (Condition(self.column, self.operator, self.operand),)
            if self.column
            else ()
        )
        if self.kind == "select":
            return Select(self.table, where)
        if self.kind == "count":
            return Count(self.table, where)
        if self.kind == "lock":
            return SelectForUpdate(self.table, where, self.limit, self.skips_locked)
        if self.kind == "update":
            assignment = Assignment("value", self.value, self.is_added)
            return Update(self.table, assignment, where)
        if self.kind == "insert":
            return Insert(self.table, self.key, self.value)
        assert self.kind == "delete"
        return Delete(self.table, where)

    def is_end(self) -> bool:
        """Return whether it ends a transaction."""
        return self.kind in (COMMIT, ROLLBACK)

    def __str__(self) -> str:
        """Return it as SQL, for people; key and value are the columns' names."""
        if self.is_end():
            return self.kind.upper()
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
    programs: tuple[tuple[Step, ...], ...] = Field(min_length=1, max_length=6)
    order: tuple[Annotated[int, Ge(0), Le(5)], ...]

    def program(self, session: int) -> tuple[Step, ...]:
        """Return the steps of a session, its last end included."""
        steps = self.programs[session]
        if steps and not steps[-1].is_end():
            return (*steps, Step(kind="commit"))
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


def describe(outcome: Any) -> str:
    """Return a result as people read it."""
    if isinstance(outcome, int):
        return f"{outcome}"
    if isinstance(outcome, tuple) and not hasattr(outcome, "_fields"):
        return ", ".join(f"({key}, {value})" for key, value in outcome) or "no rows"
    return str(outcome)

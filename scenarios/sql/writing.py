"""Puts rows of one table in their place, one by one: locked, judged again, changed.

Knows constraints and versions of rows, no parse trees.
"""

from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.sql.constraints import (
    KEY,
    Constraints,
    Index,
    lock_newest,
    matching,
)
from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.parsing import NotModelled
from wavecheck.scenarios.sql.schema import ForeignKey, TableSchema
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.sources import From
from wavecheck.scenarios.sql.terms import Evaluate, Scope, Source
from wavecheck.sim.transactions.level import Strength
from wavecheck.sim.transactions.manager import Policy

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.compiling import Compiler

Row = tuple[Any, ...]


def assigned_row(
    row: Row, assign: list[tuple[int, Evaluate]], frame: Frame
) -> list[Any]:
    """Return the declared columns of a row with some of them assigned."""
    values = list(row[:KEY])
    for position, evaluate in assign:
        values[position] = evaluate(frame)
    return values


class Existing:
    """The row that a conflict was found with, locked."""

    def __init__(self, row: Row) -> None:
        self.row = row


class Writer:
    """Puts rows of one table in their place, one by one.

    Args:
        table: which.
        place: of its rows in the frame.
        constraints: of the table.
    """

    def __init__(
        self, table: TableSchema, place: int, constraints: Constraints
    ) -> None:
        self.table = table
        self.constraints = constraints
        self._place = place

    def insert(self, frame: Frame, row: Row) -> Row:
        """Insert a row.

        Raises:
            SQLError: a key is there already.
        """
        made = frame.step.do(
            lambda: self._insert(frame, row, self.constraints.indexes),
            is_move=bool(self.constraints.indexes),
        )
        return self._inserted(frame, row, made)

    def _inserted(self, frame: Frame, row: Row, made: Any) -> Row:
        if made[0] == "duplicate":
            index = self.constraints.indexes[made[1]]
            raise self.constraints.duplicate(index, frame, row)
        self.constraints.refer(frame, made[1], None)
        frame.touched.add((self.table.name, made[1][KEY]))
        new: Row = made[1]
        return new

    def _insert(self, frame: Frame, row: Row, indexes: list[Index]) -> tuple[str, Any]:
        frame.step.transactions.note_write(frame.step.slot, self.table.name)
        found = self.constraints.conflict(frame, row, indexes)
        if found is not None:
            return "duplicate", self.constraints.indexes.index(found[0])
        step = frame.step
        key = frame.around.new_key(self.table, row)
        step.transactions.claim(step.slot, (self.table.name, key))
        made = frame.around.placed(frame, self.table, row, key)
        step.put(frame.tables[self.table.name], key, made)
        return "inserted", made

    def insert_or(
        self,
        frame: Frame,
        row: Row,
        arbiters: list[Index],
        others: list[Index],
        strength: Strength | None = None,
    ) -> Any:
        """Insert a row; on a conflict with an expected one, lock that or do nothing.

        Returns:
            The new row; `Existing` with the locked one; None: nothing was done.
        """
        step = frame.step
        name = self.table.name
        part = frame.tables[name]

        def act() -> tuple[str, Any]:
            found = self.constraints.conflict(frame, row, arbiters)
            if found is None:
                return self._insert(frame, row, others)
            key = found[1]
            is_own = self._is_made_now(frame, key)
            if strength is None:
                step.transactions.refuse_unseen(step.slot, part, key)
                return "nothing", None
            if is_own:
                return "twice", None
            got = step.transactions.acquire(step.slot, (name, key), strength)
            if got.is_newer:
                return "existing", got.row
            return "existing", step.transactions.seen(step.slot, part, key)

        made = step.do(act)
        if made[0] == "nothing":
            return None
        if made[0] == "twice":
            raise SQLError(
                "21000",
                "ON CONFLICT DO UPDATE command cannot affect row a second time",
            )
        if made[0] == "existing":
            return Existing(made[1])
        return self._inserted(frame, row, made)

    def _is_made_now(self, frame: Frame, key: Any) -> bool:
        """Return whether the statement under way has made a row."""
        lock = frame.step.transactions.locks.find((self.table.name, key))
        return (
            lock is not None
            and lock.changer == frame.step.slot
            and bool(lock.versions[-1].command)
        )

    def change(
        self, frame: Frame, source: From, assign: list[tuple[int, Evaluate]] | None
    ) -> Row | None:
        """Update or delete the row in the frame; return it, or None if it is let be."""
        row = frame[self._place]
        name, key = self.table.name, row[KEY]
        if (name, key) in frame.touched:
            return None
        part = frame.tables[name]
        while True:
            values = None if assign is None else assigned_row(row, assign, frame)
            strength = Strength.UPDATE
            if values is not None:
                # PostgreSQL looks at NOT NULL and CHECK before it waits for the row.
                self.constraints.check(frame, frame.around.make_row(self.table, values))
                if not self.constraints.is_key_changed(row, tuple(values)):
                    strength = Strength.NO_KEY_UPDATE
            got = frame.step.lock(part, key, strength, Policy.WAIT)
            if not got.is_newer or got.row == row:
                break
            if got.row is None:
                return None
            row = frame[self._place] = got.row
            if source.has_outer:
                raise NotModelled(
                    "a row beside an outer join that changes while it is locked"
                )
            if not source.holds(frame):
                return None
        if values is None:
            self.delete(frame, row)
            return row  # type: ignore[no-any-return]  # a row
        return self.update(frame, row, values)

    def delete(self, frame: Frame, row: Row) -> None:
        """Delete a row that is locked."""
        frame.touched.add((self.table.name, row[KEY]))
        frame.step.put(frame.tables[self.table.name], row[KEY], None)
        self.constraints.leave(frame, row, None)

    def update(self, frame: Frame, row: Row, values: list[Any]) -> Row:
        """Put other values into a row that is locked."""
        key = row[KEY]
        new = frame.around.make_row(self.table, values)
        self.constraints.check(frame, new)
        indexes = self.constraints.changed_indexes(frame, row, new)
        if indexes:
            found = frame.step.do(lambda: self._conflicting(frame, new, indexes, key))
            if found is not None:
                index = self.constraints.indexes[found]
                raise self.constraints.duplicate(index, frame, new)
        made: Row = frame.step.do(
            lambda: frame.around.placed(frame, self.table, new, key), is_move=False
        )
        frame.touched.add((self.table.name, key))
        frame.step.put(frame.tables[self.table.name], key, made)
        self.constraints.refer(frame, made, row)
        self.constraints.leave(frame, row, made)
        return made

    def _conflicting(
        self, frame: Frame, new: Row, indexes: list[Index], key: Any
    ) -> int | None:
        found = self.constraints.conflict(frame, new, indexes, key)
        return None if found is None else self.constraints.indexes.index(found[0])


class Cascade:
    """What becomes of the rows that refer to a row that goes."""

    def __init__(self, compiler: "Compiler", table: TableSchema) -> None:
        place = compiler.place()
        columns = [(one.name, one.kind) for one in table.columns]
        scope = Scope(None, sources=[Source(table.name, place, columns)])
        self._writer = Writer(table, place, Constraints(compiler, table, place, scope))
        self._defaults = [
            compiler.modifications.default_of(one) for one in table.columns
        ]
        self._table = table

    def act(
        self, frame: Frame, key: ForeignKey, old: Row, new: Row | None, action: str
    ) -> None:
        """Delete or change the rows that refer to a key."""
        is_delete = action == "cascade" and new is None
        found_first: list[Row] = frame.step.do(
            lambda: tuple(matching(frame, self._table, key.columns, old, newest=True)),
            is_move=False,
        )
        for row in found_first:
            strength = Strength.UPDATE if is_delete else Strength.NO_KEY_UPDATE
            found = lock_newest(frame, self._table.name, row, strength)
            if found is None or tuple([found[one] for one in key.columns]) != old:
                continue
            if is_delete:
                self._writer.delete(frame, found)
                continue
            values = list(found[:KEY])
            for index, column in enumerate(key.columns):
                if new is not None:
                    values[column] = new[index]
                elif action == "set default":
                    values[column] = self._defaults[column](frame)
                else:
                    values[column] = None
            self._writer.update(frame, found, values)

"""Constraints of tables, as statements meet them: NOT NULL, CHECK, keys, foreign keys.

Theory of operation. Whoever inserts a key that an open transaction has inserted,
changed or deleted waits for its end, whatever the level of isolation. A row that refers
to another locks that FOR KEY SHARE, at the end of its statement and by a snapshot of
that moment; under REPEATABLE READ and SERIALIZABLE by that of the transaction. A row
that is referred to and goes is looked for in the tables that refer, by the newest rows.

Source: PostgreSQL, src/backend/access/nbtree/nbtinsert.c (`_bt_check_unique`),
src/backend/utils/adt/ri_triggers.c.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.sql.frame import Deferred, Frame
from wavecheck.scenarios.sql.schema import (
    ForeignKey,
    TableSchema,
    Unique,
    referenced_columns,
)
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.terms import Evaluate, Scope, truth
from wavecheck.scenarios.sql.values import to_text
from wavecheck.sim.transactions.level import Fails, Failure, Level, Strength, Waits

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.compiling import Compiler

Row = tuple[Any, ...]
KEY: Final = -3
"""Position of a row's own key: the columns after those that are declared are this, its
place in the heap, and the number of the transaction that made it."""


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """A unique index, compiled.

    Attributes:
        unique: as declared.
        values: of a row; None: it is not in the index.
    """

    unique: Unique
    values: Callable[[Frame, Row], Row | None]

    @property
    def name(self) -> str:
        """Return its name."""
        return self.unique.name


class Constraints:
    """The constraints of one table, compiled for one statement.

    Args:
        compiler: of the statement.
        table: which.
        place: in the frame, for conditions on a row.
        scope: in which the columns of the row have their names.
    """

    def __init__(
        self, compiler: "Compiler", table: TableSchema, place: int, scope: Scope
    ) -> None:
        self.table = table
        self._schema = compiler.schema
        self._place = place
        expressions = compiler.expressions
        self._checks: list[tuple[str, Evaluate]] = [
            (name, truth(expressions.compile(node, scope), "CHECK").evaluate)
            for name, node in table.checks
        ]
        self.indexes = [self._index(compiler, one, scope) for one in table.uniques]
        self._children = [
            (child, key)
            for child in self._schema.tables.values()
            for key in child.foreign_keys
            if key.table == table.name
        ]

    def _index(self, compiler: "Compiler", unique: Unique, scope: Scope) -> Index:
        where: Evaluate | None = None
        if unique.where is not None:
            where = truth(
                compiler.expressions.compile(unique.where, scope), "WHERE"
            ).evaluate
        place, columns = self._place, unique.columns
        elements = [
            compiler.expressions.compile(one, scope).evaluate for one in unique.elements
        ]

        def values(frame: Frame, row: Row) -> Row | None:
            if where is not None or elements:
                kept, frame[place] = frame[place], row
                try:
                    if where is not None and where(frame) is not True:
                        return None
                    if elements:
                        return _present(tuple([one(frame) for one in elements]), unique)
                finally:
                    frame[place] = kept
            return _present(tuple([row[one] for one in columns]), unique)

        return Index(unique, values)

    # A row by itself ------------------------------------------------------------------

    def check(self, frame: Frame, row: Row) -> None:
        """Make sure that a row is allowed by itself.

        Raises:
            SQLError: it is not.
        """
        table = self.table
        for position, column in enumerate(table.columns):
            if column.is_not_null and row[position] is None:
                raise SQLError(
                    "23502",
                    f'null value in column "{column.name}" of relation'
                    f' "{table.name}" violates not-null constraint',
                )
        if not self._checks:
            return
        kept, frame[self._place] = frame[self._place], row
        for name, condition in self._checks:
            if condition(frame) is False:
                raise SQLError(
                    "23514",
                    f'new row for relation "{table.name}" violates check constraint'
                    f' "{name}"',
                    constraint=name,
                )
        frame[self._place] = kept

    def is_key_changed(self, before: Row, after: Row) -> bool:
        """Return whether an update changes what a foreign key could refer to."""
        return any(before[one] != after[one] for one in self.table.key_columns)

    # Unique keys ----------------------------------------------------------------------

    def conflict(
        self, frame: Frame, row: Row, indexes: list[Index], own: Any = None
    ) -> tuple[Index, Any] | None:
        """Return the index in which a row has the values of another, and its key.

        Args:
            frame: of the statement.
            row: to be put into the table.
            indexes: that are asked.
            own: key of the row that it takes the place of.

        Raises:
            Waits: somebody must end first.
        """
        for index in indexes:
            values = index.values(frame, row)
            if values is None:
                continue
            found = self._same(frame, index, values, own)
            if found is not None:
                return index, found
        return None

    def _same(self, frame: Frame, index: Index, values: Row, own: Any) -> Any:
        step = frame.step
        transactions, slot = step.transactions, step.slot
        table = frame.tables[self.table.name]
        name = ("unique", self.table.name, index.name, values)

        def has_values(row: Any) -> bool:
            return row is not None and index.values(frame, row) == values

        keys = {row[KEY]: None for row in table.where(name, has_values)}
        open_ones = transactions.locks.rows.where(
            name,
            lambda lock: (
                lock.table == table.name
                and any(has_values(one.row) for one in lock.versions)
            ),
        )
        keys.update(dict.fromkeys([lock.key for lock in open_ones]))
        for key in sorted(keys):
            if key == own:
                continue
            lock = transactions.locks.find((table.name, key))
            changer = 0 if lock is None else lock.changer
            if changer not in (0, slot):
                raise Waits((table.name, key), is_insert=True)
            newest = lock.row if changer and lock is not None else table.find(key)
            if has_values(newest):
                return key
        return None

    def duplicate(self, index: Index, frame: Frame, row: Row) -> SQLError:
        """Return the error for a key that is there already."""
        detail = ""
        if index.unique.columns:
            columns = [self.table.columns[one] for one in index.unique.columns]
            names = ", ".join(one.name for one in columns)
            shown = ", ".join(
                to_text(one.kind, row[at])
                for one, at in zip(columns, index.unique.columns, strict=True)
            )
            detail = f"Key ({names})=({shown}) already exists."
        return SQLError(
            "23505",
            f'duplicate key value violates unique constraint "{index.name}"',
            detail=detail,
            constraint=index.name,
        )

    def changed_indexes(self, frame: Frame, before: Row, after: Row) -> list[Index]:
        """Return the indexes in which an update gives a row other values."""
        return [
            one
            for one in self.indexes
            if one.values(frame, before) != one.values(frame, after)
        ]

    # Foreign keys ---------------------------------------------------------------------

    def refer(self, frame: Frame, row: Row, before: Row | None) -> None:
        """Let a new or changed row be checked at the end of its statement."""
        for key in self.table.foreign_keys:
            values = tuple([row[one] for one in key.columns])
            if None in values:
                continue
            if before is not None and values == tuple(
                [before[one] for one in key.columns]
            ):
                continue
            if key.is_deferred:
                late = Deferred(self.table.name, key.name, values, is_left=False)
                frame.deferred.append(late)
                continue
            frame.checks.append(partial(self._check_parent, frame, key, values))

    def _check_parent(self, frame: Frame, key: ForeignKey, values: Row) -> None:
        """Lock the row that is referred to: RI_FKey_check."""
        parent = self._schema.table(key.table)
        columns = referenced_columns(self._schema, key)

        def lock() -> bool:
            level = frame.step.transactions.look(frame.step.slot).level
            rows = matching(
                frame, parent, columns, values, newest=level is Level.READ_COMMITTED
            )
            for row in rows:
                got = frame.step.transactions.acquire(
                    frame.step.slot, (parent.name, row[KEY]), Strength.KEY_SHARE
                )
                if not got.is_newer or got.row is not None:
                    return True
            return False

        if not frame.step.do(lock, is_move=False):
            shown = ", ".join(str(one) for one in values)
            names = ", ".join(self.table.columns[one].name for one in key.columns)
            raise SQLError(
                "23503",
                f'insert or update on table "{self.table.name}" violates foreign key'
                f' constraint "{key.name}"',
                detail=f"Key ({names})=({shown}) is not present in table"
                f' "{parent.name}".',
                constraint=key.name,
            )

    def leave(self, frame: Frame, before: Row, after: Row | None) -> None:
        """Let the rows that refer to one that goes be looked for."""
        for child, key in self._children:
            columns = referenced_columns(self._schema, key)
            old = tuple([before[one] for one in columns])
            if None in old:
                continue
            new = None if after is None else tuple([after[one] for one in columns])
            action = key.on_delete if new is None else key.on_update
            if old != new and key.is_deferred and action == "no action":
                late = Deferred(child.name, key.name, old, is_left=True)
                frame.deferred.append(late)
            elif old != new:
                frame.checks.append(partial(self._let_go, frame, child, key, old, new))

    def _let_go(
        self,
        frame: Frame,
        child: TableSchema,
        key: ForeignKey,
        old: Row,
        new: Row | None,
    ) -> None:
        action = key.on_delete if new is None else key.on_update
        if action in ("no action", "restrict"):
            parent = referenced_columns(self._schema, key)

            def refers() -> bool:
                is_back = action == "no action" and matching(
                    frame, self.table, parent, old, newest=True
                )
                return not is_back and self._is_referred_to(frame, child, key, old)

            if frame.step.do(refers, is_move=False):
                raise SQLError(
                    "23503",
                    f'update or delete on table "{self.table.name}" violates foreign'
                    f' key constraint "{key.name}" on table "{child.name}"',
                    constraint=key.name,
                )
            return
        frame.cascade(
            child.name, key, old, new if action == "cascade" else None, action
        )

    def _is_referred_to(
        self, frame: Frame, child: TableSchema, key: ForeignKey, old: Row
    ) -> bool:
        transactions, slot = frame.step.transactions, frame.step.slot
        transactions.refuse_gone(slot, frame.tables[child.name])
        for row in matching(frame, child, key.columns, old, newest=True):
            transactions.hold_newest(slot, (child.name, row[KEY]))
            return True
        return False


def _present(values: Row, unique: Unique) -> Row | None:
    """Return the values of a row in an index; None if NULL makes it equal to none."""
    if not unique.is_nulls_equal and None in values:
        return None
    return values


def matching(
    frame: Frame,
    table: TableSchema,
    columns: tuple[int, ...],
    values: Row,
    *,
    newest: bool,
) -> list[Row]:
    """Return the rows with some values: the newest ones, or those of the snapshot."""
    step = frame.step
    part = frame.tables[table.name]
    name = ("refers", table.name, columns, values)

    def has_values(row: Any) -> bool:
        return row is not None and tuple([row[one] for one in columns]) == values

    if not newest:
        return step.where(part, name, has_values)
    transactions, slot = step.transactions, step.slot
    transactions.note_read(slot, table.name, is_newest=True)
    rows = {row[KEY]: row for row in part.where(name, has_values)}
    for lock in transactions.locks.changed(slot, table.name):
        rows.pop(lock.key, None)
        if has_values(lock.row):
            rows[lock.key] = lock.row
    return [rows[key] for key in sorted(rows)]


def lock_newest(frame: Frame, table: str, row: Row, strength: Strength) -> Row | None:
    """Lock a row that was found among the newest; return it, or None if it is gone."""
    part = frame.tables[table]

    def lock() -> Any:
        transactions, slot = frame.step.transactions, frame.step.slot
        got = transactions.acquire(slot, (table, row[KEY]), strength)
        mine = transactions.locks.find((table, row[KEY]))
        if mine is not None and mine.changer == slot:
            return mine.row
        return got.row if got.is_newer else part.find(row[KEY])

    found: Row | None = frame.step.do(lock)
    return found


__all__ = ["KEY", "Constraints", "Fails", "Failure", "Index", "lock_newest", "matching"]

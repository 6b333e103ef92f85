"""General statements on tables, as plain values: select, count, update, insert, delete.

What an ordinary program asks of a database, without a domain: so that small worlds can
be written down, drawn, recorded and run on a real database as well. A statement that
changes or locks rows takes them in the order of the scan, one by one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from wavecheck.sim.transactions.view import TableView


class Condition(NamedTuple):
    """A comparison of a column with a value; `operator` is =, <>, < or >=."""

    column: str
    operator: str
    value: int

    def holds(self, row: Any) -> bool:
        """Return whether it holds for a row."""
        found: int = getattr(row, self.column)
        if self.operator == "=":
            return found == self.value
        if self.operator == "<>":
            return found != self.value
        return found < self.value if self.operator == "<" else found >= self.value


Where = tuple[Condition, ...]
"""Conditions that must all hold."""


class Assignment(NamedTuple):
    """What an update sets: column = value, or column = column + value."""

    column: str
    value: int
    is_added: bool


class Select(NamedTuple):
    """SELECT key and value WHERE ... ORDER BY key."""

    table: str
    where: Where


class Count(NamedTuple):
    """SELECT count(*) WHERE ..."""

    table: str
    where: Where


class SelectForUpdate(NamedTuple):
    """SELECT ... ORDER BY key [LIMIT n] FOR UPDATE [SKIP LOCKED]; limit 0: none."""

    table: str
    where: Where
    limit: int
    skips_locked: bool


class Update(NamedTuple):
    """UPDATE ... SET one column WHERE ..."""

    table: str
    set: Assignment
    where: Where


class Insert(NamedTuple):
    """INSERT one row: key and value."""

    table: str
    key: int
    value: int


class Delete(NamedTuple):
    """DELETE WHERE ..."""

    table: str
    where: Where


GeneralStatement = Select | Count | SelectForUpdate | Update | Insert | Delete


class Cell(NamedTuple):
    """A row of a general table.

    Attributes:
        key: primary key.
        value: any number.
        position: numbers the versions of rows in order of their creation.
    """

    key: int
    value: int
    position: int


Result = int | tuple[tuple[int, int], ...]
"""How many rows were counted, changed, inserted or deleted; or (key, value) of rows."""


def act(statement: GeneralStatement, tables: Mapping[str, TableView[Cell]]) -> Result:
    """Do what a statement says; called while it is attempted.

    Args:
        statement: which.
        tables: as the transaction sees them, by name.
    """
    table = tables[statement.table]
    if isinstance(statement, Update | Insert | Delete):
        table.intend_write()
    if isinstance(statement, Insert):
        table.insert(Cell(statement.key, statement.value, 0))
        return 1
    if isinstance(statement, Update):
        return _update(statement, table)
    if isinstance(statement, SelectForUpdate):
        return _select_for_update(statement, table)
    rows = _matching(table, statement.where)
    if isinstance(statement, Delete):
        for row in rows:
            _refuse_ghost(table, row)
            table.delete(row.key)
        return len(rows)
    if isinstance(statement, Count):
        return len(rows)
    return tuple(sorted((row.key, row.value) for row in rows))


def _matching(table: TableView[Cell], where: Where) -> list[Cell]:
    """Return the rows that a scan finds, in its order."""
    rows = [*table.select(), *table.ghosts()]
    rows.sort(key=lambda row: row.position)
    return [row for row in rows if all(one.holds(row) for one in where)]


def _refuse_ghost(table: TableView[Cell], row: Cell) -> None:
    if row in table.ghosts():
        table.refuse_ghost()


def _update(statement: Update, table: TableView[Cell]) -> int:
    column, value, is_added = statement.set

    def alter(row: Cell) -> Cell:
        base = getattr(row, column) if is_added else 0
        return row._replace(**{column: base + value})

    rows = _matching(table, statement.where)
    for row in rows:
        _refuse_ghost(table, row)
        table.change(row.key, alter)
    return len(rows)


def _select_for_update(statement: SelectForUpdate, table: TableView[Cell]) -> Result:
    found: list[tuple[int, int]] = []
    rows = sorted(_matching(table, statement.where), key=lambda row: row.key)
    for row in rows:
        if statement.limit and len(found) == statement.limit:
            break
        _refuse_ghost(table, row)
        if statement.skips_locked and table.is_locked(row.key):
            continue
        table.lock(row.key)
        found.append((row.key, row.value))
    return tuple(found)

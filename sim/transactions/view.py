"""A table as one statement of a transaction sees and changes it.

Offers what `sim.parts.Table` offers, so a statement that is written against a table
runs in a transaction unchanged. Used while a statement is attempted, and only then.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from wavecheck.sim.parts import Table
from wavecheck.sim.transactions.level import Fails, Failure

if TYPE_CHECKING:
    from wavecheck.sim.transactions.manager import Transactions

R = TypeVar("R", bound=tuple[Any, ...])


class TableView(Generic[R]):
    """One table in one transaction.

    Args:
        transactions: of the database.
        slot: of the transaction.
        table: which.
        position: column that numbers the versions of rows in order of their creation;
            rows come in its order then, as in a sequential scan, and else in the order
            of their keys.
    """

    def __init__(
        self,
        transactions: "Transactions",
        slot: int,
        table: Table[R],
        position: str = "",
    ) -> None:
        self._transactions = transactions
        self._slot = slot
        self._table = table
        self._position = position

    def __iter__(self) -> Iterator[R]:
        return iter(self.select())

    def __len__(self) -> int:
        return len(self.select())

    def __contains__(self, key: Hashable) -> bool:
        return self.find(key) is not None

    def find(self, key: Hashable) -> R | None:
        """Return the row with this key, or None."""
        self._transactions.note_read(self._slot, self._table.name)
        row: R | None = self._transactions.seen(self._slot, self._table, key)
        return row

    def key_of(self, row: R) -> Any:
        """Return the key of a row."""
        return self._table.key_of(row)

    def get(self, key: Hashable) -> R:
        """Return the row with this key.

        Raises:
            KeyError: there is none.
        """
        row = self.find(key)
        if row is None:
            raise KeyError(f"{self._table.name} has no row with key {key!r}")
        return row

    def select(self, **equal: Any) -> list[R]:
        """Return the rows whose columns have these values."""
        transactions, table = self._transactions, self._table
        transactions.note_read(self._slot, table.name)
        rows: dict[Hashable, R] = {
            table.key_of(row): row for row in table.select(**equal)
        }
        for key in transactions.differing(self._slot, table.name):
            rows.pop(key, None)
            row = transactions.seen(self._slot, table, key)
            if row is not None and self._matches(row, equal):
                rows[key] = row
        if self._position:
            return sorted(rows.values(), key=self._place)
        return [rows[key] for key in sorted(rows)]  # type: ignore[type-var]  # keys sort

    def ghosts(self) -> list[R]:
        """Return rows that are seen beside an own row that has the same key."""
        return self._transactions.ghosts(self._slot, self._table.name)

    def _matches(self, row: R, equal: dict[str, Any]) -> bool:
        return all(getattr(row, name) == value for name, value in equal.items())

    def _place(self, row: R) -> Any:
        return getattr(row, self._position)

    def count(self, **equal: Any) -> int:
        """Count the rows whose columns have these values."""
        return len(self.select(**equal))

    def lock(self, key: Hashable) -> None:
        """Lock a row to the end of the transaction (FOR UPDATE)."""
        self._transactions.lock(self._slot, (self._table.name, key), changes=False)

    def is_locked(self, key: Hashable) -> bool:
        """Return whether another transaction has locked a row (SKIP LOCKED)."""
        return self._transactions.is_held_by_other(self._slot, (self._table.name, key))

    def intend_write(self) -> None:
        """Say that the statement writes, whether or not it finds a row (SQLite)."""
        self._transactions.intend_write(self._slot)

    def update(self, key: Hashable, /, **columns: Any) -> None:
        """Set columns of one row.

        Raises:
            KeyError: the statement sees no such row.
        """
        self.change(key, lambda row: row._replace(**columns))  # type: ignore[attr-defined]  # a named tuple

    def change(self, key: Hashable, alter: Callable[[R], R]) -> None:
        """Put another row in the place of one.

        Raises:
            KeyError: the statement sees no such row.
        """
        row: R | None = self._transactions.seen(self._slot, self._table, key)
        if row is None:
            raise KeyError(f"{self._table.name} has no row with key {key!r}")
        place = (self._table.name, key)
        self._transactions.lock(self._slot, place, changes=True)
        self._transactions.write(self._slot, place, self._numbered(alter(row)))

    def delete(self, key: Hashable) -> None:
        """Delete one row."""
        place = (self._table.name, key)
        self._transactions.lock(self._slot, place, changes=True)
        self._transactions.write(self._slot, place, None)

    def insert(self, row: R) -> None:
        """Insert a row.

        Ends the statement if there is a row of its key.
        """
        self._transactions.insert(
            self._slot, self._table, self._table.key_of(row), self._numbered(row)
        )

    def refuse_ghost(self) -> None:
        """End the statement: it would change a row that is gone already."""
        raise Fails(Failure.SERIALIZATION)

    def _numbered(self, row: R) -> R:
        if not self._position:
            return row
        number = self._transactions.next_position(self._table.name)
        return row._replace(**{self._position: number})  # type: ignore[attr-defined, no-any-return]  # a named tuple

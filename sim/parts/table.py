"""Rows under a primary key, with hash indexes and unique indexes."""

from collections.abc import (
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Sized,
)
from functools import partial
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

from wavecheck.sim.parts.part import Part, PartOwner

Row = TypeVar("Row", bound=tuple[Any, ...])

UniqueRule = Callable[[Any], Hashable]
"""From a row to the value that only one row may have; None: it has no such value."""


class UniqueViolation(Exception):
    """A statement would give two rows the same value in a unique index."""


class Gate(Protocol):
    """What a change of a table must pass first; see `wavecheck.sim.transactions`."""

    @property
    def open(self) -> Sized:
        """Whoever might mind; while it is empty, nobody is asked."""
        ...

    def admit(self, table: "Table[Any]", key: Hashable, *, is_gone: bool) -> None:
        """Take note of a change of one row before it is made; raise to refuse it."""
        ...


class Table(Part, Generic[Row]):
    """Rows of one named-tuple type under a primary key, with hash indexes.

    Complexity: `get`, `insert`, `update` and indexed `count` take constant time;
    indexed `select` sorts the keys it returns; without an index both read every row,
    and so does every write where there is a unique index.
    Determinism: rows come in ascending order of their key.

    Attributes:
        columns: names, in order.
        free_columns: names of those that are no part of the key.
        is_constrained: it has a unique index.
        gate: asked before each change, if there is one.
        hidden: names of columns that people are not told of.
    """

    gate: Gate | None = None
    hidden: tuple[str, ...] = ()

    def __init__(
        self,
        kernel: PartOwner,
        name: str,
        row_type: type[Row],
        *,
        key: tuple[str, ...],
        indexes: tuple[tuple[str, ...], ...] = (),
        unique: Mapping[str, UniqueRule] | None = None,
    ) -> None:
        super().__init__(kernel, name)
        self._unique = dict(unique or {})
        self.is_constrained = bool(self._unique)
        columns: tuple[str, ...] = row_type._fields  # type: ignore[attr-defined]  # a NamedTuple
        self.columns = columns
        self._values_of: dict[tuple[str, ...], Callable[[Row], tuple[Any, ...]]] = {}
        self._make: Callable[[Iterable[Any]], Row] = partial(tuple.__new__, row_type)
        self._key = itemgetter(*(columns.index(column) for column in key))
        self._key_columns = frozenset(key)
        self.free_columns = tuple([one for one in columns if one not in key])
        self._rows: dict[Any, Row] = {}
        self._marked_rows: dict[Any, Row] = {}
        self._indexes = [_Index(on, self._columns_of(on)) for on in indexes]
        self._index_on = {index.on: index for index in self._indexes}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in ascending order of their key."""
        return (self._rows[key] for key in sorted(self._rows))

    def __contains__(self, key: Hashable) -> bool:
        return key in self._rows

    def get(self, key: Hashable) -> Row:
        """Return the row with this key.

        Raises:
            KeyError: there is none.
        """
        try:
            return self._rows[key]
        except KeyError:
            raise KeyError(self._no_row(key)) from None

    def key_of(self, row: Row) -> Any:
        """Return the key of a row; it need not be in the table."""
        return self._key(row)

    def find(self, key: Hashable) -> Row | None:
        """Return the row with this key, or None."""
        return self._rows.get(key)

    def insert(self, row: Row) -> None:
        """Add a row.

        Raises:
            KeyError: a row with its key exists.
            UniqueViolation: another row has a value that must be unique.
        """
        key = self._key(row)
        if key in self._rows:
            raise KeyError(f"{self.name} has a row with key {key!r} already")
        if self.is_constrained:
            self._check_unique(key, row)
        if self.gate is not None and len(self.gate.open):
            self.gate.admit(self, key, is_gone=False)
        self._rows[key] = row
        for index in self._indexes:
            index.add(key, row)
        self._journal.append((self, key, None, row))

    def update(self, key: Hashable, /, **columns: Any) -> None:
        """Set columns of one row; a value that is equal already is no change.

        Raises:
            KeyError: no such row.
            UniqueViolation: another row has a value that must be unique.
        """
        if not self._key_columns.isdisjoint(columns):
            raise KeyError(f"{self.name}: the key of a row cannot be updated")
        before = self._rows.get(key)
        if before is None:
            raise KeyError(self._no_row(key))
        after = self._make(map(columns.pop, self.columns, before))
        if columns:
            raise KeyError(f"{self.name} has no column {next(iter(columns))!r}")
        if self.is_constrained and after != before:
            self._check_unique(key, after)
        if self.gate is not None and len(self.gate.open):
            self.gate.admit(self, key, is_gone=False)
        if after == before:
            return
        self._rows[key] = after
        for index in self._indexes:
            index.move(key, before, after)
        self._journal.append((self, key, before, after))

    def update_all(self, keys: Iterable[Hashable], /, **columns: Any) -> None:
        """Set columns of several rows in one statement, which fails as a whole.

        Raises:
            KeyError: no such row; none is changed.
            UniqueViolation: one of them must not get these values; none is changed.
        """
        began = len(self._journal)
        try:
            for key in keys:
                self.update(key, **columns)
        except (KeyError, UniqueViolation):
            self._undo(began)
            raise

    def replace_all(self, rows: Sequence[Row]) -> None:
        """Put rows in the place of those with their keys; fails as a whole.

        Raises:
            KeyError: there is no row with some key; none is changed.
            UniqueViolation: one of them must not be; none is changed.
        """
        began = len(self._journal)
        try:
            for row in rows:
                values = dict(zip(self.columns, row, strict=True))
                free = {name: values[name] for name in self.free_columns}
                self.update(self._key(row), **free)
        except (KeyError, UniqueViolation):
            self._undo(began)
            raise

    def _undo(self, began: int) -> None:
        """Take back the updates since a place in the journal."""
        for _, key, before, after in reversed(self._journal[began:]):
            self._rows[key] = before
            for index in self._indexes:
                index.move(key, after, before)
        del self._journal[began:]

    def delete(self, key: Hashable) -> None:
        """Remove one row.

        Raises:
            KeyError: no such row.
        """
        before = self.get(key)
        if self.gate is not None and len(self.gate.open):
            self.gate.admit(self, key, is_gone=True)
        del self._rows[key]
        for index in self._indexes:
            index.remove(key, before)
        self._journal.append((self, key, before, None))

    def drop_unique(self, name: str) -> None:
        """Drop a unique index."""
        del self._unique[name]
        self.is_constrained = bool(self._unique)

    def become(self, rows: Iterable[Iterable[Any]]) -> None:
        """Hold these rows and no others, whatever its rules and its gate would say."""
        wanted = {self._key(row): row for row in map(self._make, rows)}
        gone = [key for key in self._rows if key not in wanted]
        changed = [(key, row) for key, row in wanted.items() if self.find(key) != row]
        entries = [(key, None) for key in gone] + changed
        for key, row in entries:
            before = self._rows.pop(key, None)
            for index in self._indexes if before is not None else ():
                index.remove(key, before)
            if row is not None:
                self._rows[key] = row
                for index in self._indexes:
                    index.add(key, row)
            self._journal.append((self, key, before, row))

    def count(self, /, **equal: Any) -> int:
        """Count the rows whose columns have these values."""
        on, values = tuple(equal), tuple(equal.values())
        index = self._index_on.get(on)
        if index is not None:
            return len(index.keys(values))
        return len(self._matching(on, values))

    def select(self, /, **equal: Any) -> list[Row]:
        """Return the rows whose columns have these values, ascending by key."""
        on, values = tuple(equal), tuple(equal.values())
        index = self._index_on.get(on)
        rows = self._rows
        if index is not None:
            return [rows[key] for key in sorted(index.keys(values))]
        return [rows[key] for key in sorted(self._matching(on, values))]

    def where(self, name: Hashable, holds: Callable[[Row], bool]) -> list[Row]:
        """Return the rows for which a predicate holds, ascending by key.

        Args:
            name: equal names mean equal predicates.
            holds: called with a row; asks nothing but the row.
        """
        rows = self._rows
        return [rows[key] for key in sorted(rows) if holds(rows[key])]

    def _check_unique(self, key: Hashable, row: Row) -> None:
        for name, rule in self._unique.items():
            value = rule(row)
            if value is None:
                continue
            for other_key, other in self._rows.items():
                if other_key != key and rule(other) == value:
                    raise UniqueViolation(
                        f"{name} of {self.name}: rows {other_key!r} and {key!r} would"
                        f" both have {value!r}"
                    )

    def _no_row(self, key: Hashable) -> str:
        return f"{self.name} has no row with key {key!r}"

    def _matching(self, on: tuple[str, ...], values: tuple[Any, ...]) -> list[Any]:
        values_of = self._values_of.get(on)
        if values_of is None:
            values_of = self._values_of[on] = self._columns_of(on)
        return [key for key, row in self._rows.items() if values_of(row) == values]

    def _columns_of(self, on: tuple[str, ...]) -> Callable[[Row], tuple[Any, ...]]:
        """Return the function from a row to the values of some of its columns."""
        for column in on:
            if column not in self.columns:
                raise KeyError(f"{self.name} has no column {column!r}")
        positions = [self.columns.index(column) for column in on]
        if not positions:
            return lambda row: ()
        if len(positions) == 1:
            # itemgetter of one column returns the bare value; a slice, a tuple of one.
            return itemgetter(slice(positions[0], positions[0] + 1))
        return itemgetter(*positions)

    def mark(self) -> None:
        """Remember the rows as they are, for `rewind`."""
        super().mark()
        self._marked_rows = dict(self._rows)

    def rewind(self) -> None:
        """Set the rows back to the mark; a copy, where there is no index to rebuild."""
        if self._indexes:
            super().rewind()
        else:
            self._rows = self._marked_rows.copy()

    def snapshot(self) -> Hashable:
        """Return the rows, ascending by key."""
        rows = self._rows
        return tuple([rows[key] for key in sorted(rows)])

    def restore(self, state: tuple[Row, ...]) -> None:
        """Set the rows."""
        key_of = self._key
        self._rows = {key_of(row): row for row in state}
        for index in self._indexes:
            index.clear()
            for key, row in self._rows.items():
                index.add(key, row)


class _Index:
    """Keys by the values of some columns, in insertion order (a dict used as a set)."""

    __slots__ = ("_buckets", "_values", "on")

    def __init__(self, on: tuple[str, ...], values: Callable[[Any], Any]) -> None:
        self.on = on
        self._values = values
        self._buckets: dict[Any, dict[Any, None]] = {}

    def keys(self, values: tuple[Any, ...]) -> dict[Any, None]:
        return self._buckets.get(values, _EMPTY)

    def add(self, key: Any, row: Any) -> None:
        values = self._values(row)
        bucket = self._buckets.get(values)
        if bucket is None:
            bucket = self._buckets[values] = {}
        bucket[key] = None

    def remove(self, key: Any, row: Any) -> None:
        del self._buckets[self._values(row)][key]

    def move(self, key: Any, before: Any, after: Any) -> None:
        old = self._values(before)
        if old != self._values(after):
            del self._buckets[old][key]
            self.add(key, after)

    def clear(self) -> None:
        self._buckets.clear()


_EMPTY: dict[Any, None] = {}

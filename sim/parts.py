"""The general parts that shared state is made of: table, queue, counter, flag.

A part knows nothing of a domain and nothing of tasks. Every mutation writes one change
(part, key, before, after) to the kernel's journal; whatever must react to a change (a
waiting task, a property, a monitor, the trace) reads it there after the step. Parts are
touched inside statements only, so their methods are plain and not atomic by themselves.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from sim.kernel import Kernel
    from sim.task import Task

Row = TypeVar("Row", bound=tuple[Any, ...])
Item = TypeVar("Item", bound=Hashable)


Change = tuple["Part", Hashable, Any, Any]
"""One mutation: the part; the row's key, the queue's item, or None for a single-valued
part; the row or value before, None if there was none; the row or value after."""

Watcher = Callable[[Hashable, Any, Any], None]
"""Called with key, before and after of each change of a part, after its step."""


class Part:
    """What all parts have in common.

    Attributes:
        name: unique in a kernel.
        waiters: tasks whose next step is guarded by this part, oldest first.
        watchers: called with each change, after the step that made it.
        wakes_one: a change enables at most one waiter (a queue); else all are asked.
    """

    wakes_one = False

    def __init__(self, kernel: "Kernel", name: str) -> None:
        self.name = name
        self.waiters: list[Task] = []
        self.watchers: list[Watcher] = []
        self._journal = kernel.journal
        self._marked: Any = None
        kernel.register(self)

    def mark(self) -> None:
        """Remember the state as it is, for `rewind`."""
        self._marked = self.snapshot()

    def rewind(self) -> None:
        """Set the part back to its mark; no change is recorded."""
        self.restore(self._marked)

    def snapshot(self) -> Hashable:
        """Return the part's whole state as an immutable, comparable value."""
        raise NotImplementedError

    def restore(self, state: Any) -> None:
        """Set the part to a state that `snapshot` returned; no change is recorded."""
        raise NotImplementedError


class Table(Part, Generic[Row]):
    """Rows of one named-tuple type under a primary key, with hash indexes.

    Complexity: `get`, `insert`, `update` and indexed `count` take constant time;
    indexed `select` sorts the keys it returns; without an index both read every row.
    Determinism: rows come in ascending order of their key.
    """

    def __init__(
        self,
        kernel: "Kernel",
        name: str,
        row_type: type[Row],
        *,
        key: tuple[str, ...],
        indexes: tuple[tuple[str, ...], ...] = (),
    ) -> None:
        super().__init__(kernel, name)
        columns: tuple[str, ...] = row_type._fields  # type: ignore[attr-defined]
        self.columns = columns
        self._values_of: dict[tuple[str, ...], Callable[[Row], tuple[Any, ...]]] = {}
        self._make: Callable[[Iterable[Any]], Row] = partial(tuple.__new__, row_type)
        self._key = itemgetter(*(columns.index(column) for column in key))
        self._key_columns = frozenset(key)
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

    def find(self, key: Hashable) -> Row | None:
        """Return the row with this key, or None."""
        return self._rows.get(key)

    def insert(self, row: Row) -> None:
        """Add a row.

        Raises:
            KeyError: a row with its key exists.
        """
        key = self._key(row)
        if key in self._rows:
            raise KeyError(f"{self.name} has a row with key {key!r} already")
        self._rows[key] = row
        for index in self._indexes:
            index.add(key, row)
        self._journal.append((self, key, None, row))

    def update(self, key: Hashable, **columns: Any) -> None:
        """Set columns of one row; a value that is equal already is no change.

        Raises:
            KeyError: no such row.
        """
        if not self._key_columns.isdisjoint(columns):
            raise KeyError(f"{self.name}: the key of a row cannot be updated")
        before = self._rows.get(key)
        if before is None:
            raise KeyError(self._no_row(key))
        after = self._make(map(columns.pop, self.columns, before))
        if columns:
            raise KeyError(f"{self.name} has no column {next(iter(columns))!r}")
        if after == before:
            return
        self._rows[key] = after
        for index in self._indexes:
            index.move(key, before, after)
        self._journal.append((self, key, before, after))

    def delete(self, key: Hashable) -> None:
        """Remove one row.

        Raises:
            KeyError: no such row.
        """
        before = self.get(key)
        del self._rows[key]
        for index in self._indexes:
            index.remove(key, before)
        self._journal.append((self, key, before, None))

    def count(self, **equal: Any) -> int:
        """Count the rows whose columns have these values."""
        on, values = tuple(equal), tuple(equal.values())
        index = self._index_on.get(on)
        if index is not None:
            return len(index.keys(values))
        return len(self._matching(on, values))

    def select(self, **equal: Any) -> list[Row]:
        """Return the rows whose columns have these values, ascending by key."""
        on, values = tuple(equal), tuple(equal.values())
        index = self._index_on.get(on)
        rows = self._rows
        if index is not None:
            return [rows[key] for key in sorted(index.keys(values))]
        return [rows[key] for key in sorted(self._matching(on, values))]

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


class Queue(Part, Generic[Item]):
    """A first-in-first-out queue of immutable items."""

    wakes_one = True

    def __init__(self, kernel: "Kernel", name: str) -> None:
        super().__init__(kernel, name)
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Append an item."""
        self._items.append(item)
        self._journal.append((self, item, None, item))

    def __iter__(self) -> Iterator[Item]:
        """Yield the items, oldest first."""
        return iter(tuple(self._items))

    def remove(self, item: Item) -> None:
        """Remove the oldest item that is equal to this one.

        Raises:
            ValueError: there is none.
        """
        self._items.remove(item)
        self._journal.append((self, item, item, None))

    def take(self) -> Item:
        """Remove and return the oldest item.

        Raises:
            IndexError: the queue is empty.
        """
        item = self._items.popleft()
        self._journal.append((self, item, item, None))
        return item

    def snapshot(self) -> Hashable:
        """Return the items, oldest first."""
        return tuple(self._items)

    def restore(self, state: tuple[Item, ...]) -> None:
        """Set the items."""
        self._items = deque(state)


class Counter(Part):
    """Whole numbers by key, zero where nothing was added."""

    def __init__(self, kernel: "Kernel", name: str) -> None:
        super().__init__(kernel, name)
        self._values: dict[Hashable, int] = {}

    def get(self, key: Hashable = None) -> int:
        """Return the value under a key."""
        return self._values.get(key, 0)

    def add(self, key: Hashable = None, amount: int = 1) -> int:
        """Add to the value under a key; return the new value."""
        before = self._values.get(key, 0)
        self._values[key] = after = before + amount
        self._journal.append((self, key, before, after))
        return after

    def items(self) -> list[tuple[Hashable, int]]:
        """Return the keys that were ever added to, with their values, in that order."""
        return list(self._values.items())

    def snapshot(self) -> Hashable:
        """Return the non-zero values by key, in order of the keys' text."""
        pairs = (pair for pair in self._values.items() if pair[1])
        return tuple(sorted(pairs, key=repr))

    def restore(self, state: tuple[tuple[Hashable, int], ...]) -> None:
        """Set the values."""
        self._values = dict(state)


class Flag(Part):
    """One switch."""

    def __init__(self, kernel: "Kernel", name: str) -> None:
        super().__init__(kernel, name)
        self._is_set = False

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self, value: bool = True) -> None:
        """Set it, or clear it."""
        if value is not self._is_set:
            self._journal.append((self, None, self._is_set, value))
            self._is_set = value

    def snapshot(self) -> Hashable:
        """Return whether it is set."""
        return self._is_set

    def restore(self, state: bool) -> None:
        """Set or clear it."""
        self._is_set = state

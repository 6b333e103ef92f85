"""A first-in-first-out queue."""

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from wavecheck.sim.parts.part import Part, PartOwner

Item = TypeVar("Item", bound=Hashable)


class Queue(Part, Generic[Item]):
    """A first-in-first-out queue of immutable items."""

    wakes_one = True

    def __init__(self, kernel: PartOwner, name: str) -> None:
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

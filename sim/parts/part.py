"""What all general parts have in common: a name, watchers, a journal, a mark."""

from collections.abc import Callable, Hashable
from typing import Any, Protocol

Change = tuple["Part", Hashable, Any, Any]
"""One mutation: the part; the row's key, the queue's item, or None for a single-valued
part; the row or value before, None if there was none; the row or value after."""

Watcher = Callable[[Hashable, Any, Any], None]
"""Called with key, before and after of each change of a part, after its step."""


class PartOwner(Protocol):
    """What a part needs of its kernel.

    Attributes:
        journal: where every change is noted.
    """

    journal: list[Change]

    def register(self, part: "Part") -> None:
        """Take a new part in."""


class Part:
    """What all parts have in common.

    Attributes:
        name: unique in a kernel.
        waiters: tasks whose next step is guarded by this part, oldest first.
        watchers: called with each change, after the step that made it.
        wakes_one: a change enables at most one waiter (a queue); else all are asked.
        is_bookkeeping: it keeps what the engine must know, such as who has locked what;
            an explanation speaks of other parts.
    """

    wakes_one = False
    is_bookkeeping = False

    def __init__(self, kernel: PartOwner, name: str) -> None:
        self.name = name
        self.waiters: list[Any] = []  # tasks, which know parts
        self.watchers: list[Watcher] = []
        self._journal = kernel.journal
        self._marked: Any = None
        kernel.register(self)

    def wake_with(self, other: "Part") -> None:
        """Let changes of another part ask this one's waiters, too, and the reverse."""
        self.waiters = other.waiters

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

"""Which fields of a state decide about an operation, and in which order to look.

Knows fields, nothing of their meaning. A *window* is a set of fields to look at at
once; what is seen there either decides, or says which window to look at next. An
operation begins with the fields that it reads in every state; a take from a queue, for
one, then looks at the row that the item names, and at no other.

Theory of operation: a radix tree over the sequences of fields that were read. Two
sequences that agreed on all values so far agree on the next field, because a step is
deterministic; so where they part, an earlier value must differ, and the window is cut
there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Window:
    """Fields to look at together.

    Attributes:
        fields: what is looked at here, in order of reading.
        so_far: these and all that was looked at before.
        next: by the numbers in all fields so far, where those do not decide.
    """

    fields: tuple[int, ...]
    so_far: tuple[int, ...]
    next: dict[tuple[int, ...], "Window"] = field(default_factory=dict)


class Windows:
    """The windows of one operation.

    Attributes:
        root: the first one.
        cuts_count: how often a window had to be cut; what was derived from older
            windows is void then.
    """

    def __init__(self) -> None:
        self.root: Window | None = None
        self.cuts_count = 0

    def path(self, reads: Sequence[int], state: Sequence[int]) -> list[Window]:
        """Return the windows that lead to what happens in a state.

        Args:
            reads: the fields that the operation read there, in order.
            state: number of every field.
        """
        fields = tuple(reads)
        if self.root is None:
            self.root = Window(fields=fields, so_far=fields)
        window = self.root
        found = []
        while True:
            end = len(window.so_far)
            if window.so_far != fields[:end]:
                self._cut(window, fields)
                end = len(window.so_far)
            found.append(window)
            if end == len(fields):
                return found
            values = tuple([state[one] for one in fields[:end]])
            following = window.next.get(values)
            if following is None:
                following = Window(fields=fields[end:], so_far=fields)
                window.next[values] = following
            window = following

    def _cut(self, window: Window, fields: tuple[int, ...]) -> None:
        """Shorten a window to what it has in common with a sequence of reads."""
        self.cuts_count += 1
        start = len(window.so_far) - len(window.fields)
        end = start
        while (
            end < min(len(fields), len(window.so_far))
            and fields[end] == window.so_far[end]
        ):
            end += 1
        window.fields = window.so_far[start:end]
        window.so_far = window.so_far[:end]
        window.next.clear()

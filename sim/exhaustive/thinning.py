"""A sample of a stream of unknown length: all of a short one, a share of a long one.

Knows nothing of what is in the stream.

Determinism: the same stream gives the same sample; no random number is drawn.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Thinning(Generic[T]):
    """Keeps every item, then every second one, every fourth one, and so on.

    Args:
        kept_max: how many items are held at most.
    """

    def __init__(self, kept_max: int) -> None:
        self._kept: list[T] = []
        self._kept_max = kept_max
        self._stride = 1
        self._offered = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[T]:
        return iter(self._kept)

    def offer(self, item: T) -> None:
        """Take the next item of the stream, or let it pass."""
        if self._offered % self._stride == 0:
            self._kept.append(item)
            if len(self._kept) > self._kept_max:
                del self._kept[1::2]
                self._stride *= 2
        self._offered += 1

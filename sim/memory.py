"""How much memory this process may take: looked at, as a deadline is.

Knows the system's account of this process and nothing of what is held. Linux tells
what is held now; elsewhere it is the most that was ever held.

Units: bytes.
"""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

LOOKS_EVERY: Final = 16
"""Between two looks at what is held."""

WORKING_SHARE: Final = 0.25
WORKING_BYTES: Final = 64 << 20
"""What a process may take beyond its limit, for copies that it is about to drop."""

_ALLOCATION_BYTES: Final = 512 << 20
_STATE: Final = "/proc/self/statm"
_PAGE: Final = resource.getpagesize()


def held_bytes() -> int:
    """Return what this process holds, without the files that it has mapped."""
    try:
        with open(_STATE, "rb") as file:
            _, resident, shared, *_ = file.read().split()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return (int(resident) - int(shared)) * _PAGE


@cache
def _held_at_first() -> int:
    return held_bytes()


def count_from_first() -> None:
    """Let all rooms of this process begin with what it holds at its first room.

    A process that does pieces of work keeps what code under test has left in earlier
    ones.
    """
    global _held_at_begin
    _held_at_begin = _held_at_first


_held_at_begin = held_bytes


class Room:
    """The memory that may be taken from now on, beyond what is held already.

    Args:
        limit: bytes.

    Attributes:
        is_full: a look has found that more is held; that stays so.
    """

    def __init__(self, limit: int) -> None:
        self.is_full = False
        self._limit = limit
        held = _held_at_begin()
        self._held_max = held + limit * (1 + WORKING_SHARE) + WORKING_BYTES
        self._looks = 0

    def __str__(self) -> str:
        return size_text(self._limit)

    def look(self) -> bool:
        """Return whether it is full; the system is asked now and then."""
        self._looks += 1
        if self._looks % LOOKS_EVERY == 0 and held_bytes() > self._held_max:
            self.is_full = True
        return self.is_full

    def is_overfull(self) -> bool:
        """Return whether so much is held that whoever holds it must have looked."""
        if held_bytes() > self._held_max + self._limit * WORKING_SHARE:
            self.is_full = True
            return True
        return False

    @contextmanager
    def walled(self) -> Iterator[None]:
        """Let an allocation that is far beyond the room fail with `MemoryError`.

        One call of the system's own code may take all memory before anybody looks.
        """
        if not sys.platform.startswith("linux"):
            yield
            return
        before, most = resource.getrlimit(resource.RLIMIT_DATA)
        wall = _mapped_bytes() + self._limit * 2 + _ALLOCATION_BYTES
        if most != resource.RLIM_INFINITY:
            wall = min(wall, most)
        resource.setrlimit(resource.RLIMIT_DATA, (wall, most))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def _mapped_bytes() -> int:
    with open(_STATE, "rb") as file:
        return int(file.read().split()[5]) * _PAGE


def size_text(count: int) -> str:
    """Return a number of bytes as people write it."""
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"

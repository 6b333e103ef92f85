"""A map from masked states to numbers, asked for many states at once.

Knows words only. Open addressing again, but small, and with keys in no order: it is
asked in the order of the states and should stay in the processor's caches.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from wavecheck.sim.exhaustive.layout import Words
from wavecheck.sim.exhaustive.mixing import FIRST, SECOND

Ints = npt.NDArray[np.int32]

MISSING: Final = -1
OCCUPIED: Final = np.uint64(1 << 63)
"""Set in the first word of every key, so that no key is an empty slot."""

_LOAD_MAX: Final = 0.3
_SLOTS_BITS_MIN: Final = 6


class Lookup:
    """Numbers, zero or more, by key.

    Args:
        words_count: words of a key.
    """

    def __init__(self, words_count: int) -> None:
        self._words_count = words_count
        self._bits = _SLOTS_BITS_MIN
        self._count = 0
        self._make_room()

    def _make_room(self) -> None:
        slots = 1 << self._bits
        self._keys = [np.zeros(slots, np.uint64) for _ in range(self._words_count)]
        self._values = np.full(slots, MISSING, np.int32)

    def _slots(self, keys: Words) -> npt.NDArray[np.int64]:
        hashed = keys[0] * FIRST
        for word in keys[1:]:
            hashed ^= hashed >> np.uint64(29)
            hashed += word
            hashed *= SECOND
        hashed >>= np.uint64(64 - self._bits)
        return hashed.view(np.int64)

    def find(self, keys: Words) -> Ints:
        """Return the numbers of some keys, `MISSING` where there is none."""
        slots = self._slots(keys)
        found: Ints = self._values.take(slots)
        is_other = self._keys[0].take(slots) != keys[0]
        for held, word in zip(self._keys[1:], keys[1:], strict=True):
            is_other |= held.take(slots) != word
        rest = np.flatnonzero(is_other)
        if not len(rest):
            return found
        # An empty slot has no number already; go on only where another key is.
        rest = rest[found[rest] != MISSING]
        end = len(self._values) - 1
        at = slots[rest]
        while len(rest):
            at = (at + 1) & end
            numbers = self._values.take(at)
            is_other = self._keys[0].take(at) != keys[0][rest]
            for held, word in zip(self._keys[1:], keys[1:], strict=True):
                is_other |= held.take(at) != word[rest]
            found[rest] = numbers
            goes_on = is_other & (numbers != MISSING)
            rest, at = rest[goes_on], at[goes_on]
        return found

    def entries(self) -> tuple[Words, Ints]:
        """Return all keys, and the number of each."""
        is_used = self._values != MISSING
        return [held[is_used] for held in self._keys], self._values[is_used]

    def add(self, keys: Words, numbers: Ints) -> None:
        """Add distinct keys that are not there yet."""
        wanted = self._count + len(numbers)
        if wanted > _LOAD_MAX * (1 << self._bits):
            words, held_numbers = self.entries()
            keys = [
                np.concatenate([held, word])
                for held, word in zip(words, keys, strict=True)
            ]
            numbers = np.concatenate([held_numbers, numbers])
            while wanted > _LOAD_MAX / 2 * (1 << self._bits):
                self._bits += 1
            self._make_room()
        self._count = wanted
        end = len(self._values) - 1
        at = self._slots(keys)
        rest = np.arange(len(numbers))
        while len(rest):
            free = self._values.take(at) == MISSING
            claimed, places = rest[free], at[free]
            self._values[places] = numbers[claimed]
            for held, word in zip(self._keys, keys, strict=True):
                held[places] = word[claimed]
            has_lost = ~free
            is_mine = np.ones(len(claimed), np.bool_)
            for held, word in zip(self._keys, keys, strict=True):
                is_mine &= held[places] == word[claimed]
            has_lost[np.flatnonzero(free)[~is_mine]] = True
            rest = rest[has_lost]
            at = (at[has_lost] + 1) & end

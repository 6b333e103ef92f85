"""Bit fields: how local states and components are packed into machine words.

Knows widths and words, nothing of what a field means. A field never straddles two
words. Number 0 of every field is its value in the initial state, so the initial state
is all zero bits in every layout, and so is a field that did not exist before.

The top bit of the first word is kept free: the seen set needs a word that is no state.
Spare bits are given to the fields, so that a field that grows seldom moves the others.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Words = list[npt.NDArray[np.uint64]]
"""One array per word; a state is one element of each."""

FIRST_WORD_BITS: Final = 63
WORD_BITS: Final = 64
_SPARE_PER_FIELD: Final = 4
_SPARE_MIN: Final = 8
_FRAGMENTS: Final = 4  # bits that may stay unused at the end of a word


class Layout:
    """Where each field lies.

    Args:
        counts: how many numbers each field has now; 0 for one that is left out.

    Attributes:
        counts: as given.
        widths: bits of each field.
        words_count: words of a state.
        word: index of the word of each field.
        shift: of each field in its word.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = tuple(counts)
        needed = [max(1, (count - 1).bit_length()) if count else 0 for count in counts]
        self.widths = _with_spare_bits(needed)
        self.word: list[int] = []
        self.shift: list[int] = []
        used: list[int] = []
        for width in self.widths:
            for word, bits in enumerate(used):
                if bits + width <= (WORD_BITS if word else FIRST_WORD_BITS):
                    break
            else:
                word = len(used)
                used.append(0)
            self.word.append(word)
            self.shift.append(used[word])
            used[word] += width
        self.words_count = max(1, len(used))
        self.bits_count = sum(used)

    def fits(self, counts: Sequence[int]) -> bool:
        """Return whether the fields have room for so many numbers each."""
        return len(counts) == len(self.widths) and all(
            count <= 1 << width
            for count, width in zip(counts, self.widths, strict=True)
        )

    def mask(self, field: int) -> int:
        """Return the bits of a field in its word."""
        return ((1 << self.widths[field]) - 1) << self.shift[field]

    def get(self, words: Words, field: int) -> npt.NDArray[np.uint64]:
        """Return the numbers of one field of many states."""
        shifted = words[self.word[field]] >> np.uint64(self.shift[field])
        shifted &= np.uint64((1 << self.widths[field]) - 1)
        return shifted

    def unpack(self, state: Sequence[int]) -> list[int]:
        """Return the number of every field of one state."""
        return [
            state[word] >> shift & (1 << width) - 1
            for word, shift, width in zip(
                self.word, self.shift, self.widths, strict=True
            )
        ]

    def delta(self, changes: Sequence[tuple[int, int, int]]) -> tuple[int, ...]:
        """Return the words to XOR a state with.

        Args:
            changes: (field, number before, number after).
        """
        words = [0] * self.words_count
        for field, before, after in changes:
            words[self.word[field]] ^= (before ^ after) << self.shift[field]
        return tuple(words)

    def masks(self, fields: Sequence[int]) -> tuple[int, ...]:
        """Return the words that have the bits of some fields set."""
        words = [0] * self.words_count
        for field in fields:
            words[self.word[field]] |= self.mask(field)
        return tuple(words)

    def converted(self, words: Words, old: "Layout") -> Words:
        """Return states of an older layout in this one."""
        count = len(words[0])
        found: Words = [np.zeros(count, np.uint64) for _ in range(self.words_count)]
        for field in range(len(old.widths)):
            numbers = old.get(words, field)
            numbers <<= np.uint64(self.shift[field])
            found[self.word[field]] |= numbers
        return found


def _with_spare_bits(needed: list[int]) -> list[int]:
    """Give each field some bits more, as long as no further word is needed."""
    widths = list(needed)
    total = sum(widths)
    if total > FIRST_WORD_BITS:
        # At most one more bit each, while the last word stays as narrow an integer;
        # the fields that hold most grow most.
        growing = [field for field in range(len(widths)) if widths[field] > 1]
        growing.sort(key=lambda field: -needed[field])
        for field in growing[: max(_SPARE_MIN, _narrow_room(total))]:
            widths[field] += 1
        return widths
    present = [field for field in range(len(widths)) if needed[field]]
    spare = min(FIRST_WORD_BITS - total, _SPARE_PER_FIELD * len(present))
    order = sorted(present, key=lambda field: -needed[field])
    while spare and order:
        for field in order[:spare]:
            widths[field] += 1
            spare -= 1
    return widths


def _narrow_room(total: int) -> int:
    """Return how many more bits fit before the last word needs a wider integer."""
    used = (total - FIRST_WORD_BITS) % WORD_BITS
    last = next(bits for bits in (8, 16, 32, WORD_BITS) if used <= bits)
    return last - used - _FRAGMENTS


def empty(words_count: int, count: int = 0) -> Words:
    """Return room for some states."""
    return [np.zeros(count, np.uint64) for _ in range(words_count)]


def joined(parts: Sequence[Words]) -> Words:
    """Return the states of several lists in one."""
    return [
        np.concatenate([part[word] for part in parts]) for word in range(len(parts[0]))
    ]


def taken(words: Words, which: Any) -> Words:
    """Return some of the states."""
    return [word[which] for word in words]

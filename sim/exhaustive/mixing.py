"""Mixing: a bijection of 64-bit words that spreads any set of states evenly.

Knows words only. Being a bijection it loses nothing: the seen set stores mixed words
and is exact. Zero stays zero, and every other word becomes another non-zero word.

Source: the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom
number generators", 2014), reduced to one round; constants from there.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.uint64]

_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB
_SHIFT: Final = np.uint64(32)
FIRST: Final = np.uint64(_FIRST)
SECOND: Final = np.uint64(_SECOND)
_FIRST_INVERSE: Final = np.uint64(pow(_FIRST, -1, 1 << 64))
_SECOND_INVERSE: Final = np.uint64(pow(_SECOND, -1, 1 << 64))


def mix(words: Array) -> Array:
    """Return the mixed words, in a new array."""
    mixed = words * FIRST
    mixed ^= mixed >> _SHIFT
    mixed *= SECOND
    return mixed


def mix_in_place(words: Array) -> None:
    """Mix words where they are."""
    words *= FIRST
    words ^= words >> _SHIFT
    words *= SECOND


def unmix(mixed: Array) -> Array:
    """Return what was mixed, in a new array."""
    words = mixed * _SECOND_INVERSE
    words ^= words >> _SHIFT
    words *= _FIRST_INVERSE
    return words

"""One stable random source: whole numbers from NumPy's PCG64, seeded per purpose.

Only the raw 64-bit stream is used, because NumPy promises it stable across versions and
machines and does not promise the distributions drawn from it.
"""

import zlib
from typing import Final

_BLOCK: Final = 1024


class Stream:
    """An endless stream of whole numbers.

    Args:
        seed: the user's seed, zero or more.
        purpose: what the numbers are for; two purposes never share a stream.
    """

    __slots__ = ("_bits", "_buffer")

    def __init__(self, seed: int, purpose: str) -> None:
        import numpy as np  # a replay draws nothing and need not load it

        entropy = np.random.SeedSequence([seed, zlib.crc32(purpose.encode())])
        self._bits = np.random.PCG64(entropy)
        self._buffer: list[int] = []

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit` - 1, each equally likely.

        The bias of the multiplication is below limit / 2**64.
        """
        if not self._buffer:
            self._buffer = self._bits.random_raw(_BLOCK).tolist()
        return (self._buffer.pop() * limit) >> 64

    def between(self, low: int, high: int) -> int:
        """Return a number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

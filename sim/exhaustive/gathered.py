"""Successors that wait to be sorted, in arrays that grow."""

import numpy as np
import numpy.typing as npt

from wavecheck.sim.exhaustive.layout import Layout, Words
from wavecheck.sim.exhaustive.seen import restored, store_in_place


class Gathered:
    """Successors that wait to be sorted, in the form in which the set stores them.

    Attributes:
        count: how many there are.
    """

    def __init__(self, words_count: int) -> None:
        self.count = 0
        self._words = [np.empty(1 << 12, np.uint64) for _ in range(words_count)]

    @property
    def bytes_used(self) -> int:
        """What the arrays take, full or not."""
        return sum(word.nbytes for word in self._words)

    def _reserve(self, count: int) -> None:
        if self.count + count > len(self._words[0]):
            size = max(len(self._words[0]) * 5 // 4, self.count + count)
            for index, word in enumerate(self._words):
                larger = np.empty(size, np.uint64)
                larger[: self.count] = word[: self.count]
                self._words[index] = larger

    def add(self, words: Words) -> None:
        """Add states of any number of words."""
        self._reserve(len(words[0]))
        end = self.count + len(words[0])
        for held, word in zip(self._words, words, strict=True):
            held[self.count : end] = word
        store_in_place([held[self.count : end] for held in self._words])
        self.count = end

    def add_where(
        self, condition: npt.NDArray[np.bool_], words: npt.NDArray[np.uint64]
    ) -> int:
        """Add those of one word that fulfil a condition; return how many."""
        count = int(np.count_nonzero(condition))
        self._reserve(count)
        end = self.count + count
        added = self._words[0][self.count : end]
        np.compress(condition, words, out=added)
        store_in_place([added])
        self.count = end
        return count

    def take(self) -> Words:
        """Return all and hold none; what is returned lasts until more is added."""
        words = [word[: self.count] for word in self._words]
        self.count = 0
        return words

    def converted(self, new: Layout, old: Layout) -> "Gathered":
        """Return the same states in another layout."""
        gathered = Gathered(new.words_count)
        held = restored([word[: self.count] for word in self._words])
        gathered.add(new.converted(held, old))
        return gathered

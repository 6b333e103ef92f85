"""The set of states seen so far: exact, compact, and fast for sorted batches.

Knows words, nothing of fields. States are stored mixed (see `mixing`), in open
addressing tables whose slots are in the order of the mixed words. A batch is sorted by
mixed word first; so equal states are neighbours, its look-ups walk the table from one
end to the other instead of jumping about, and NumPy's sort (12 to 16 ns a word) costs
less than the cache misses that it saves.

Of states wider than a word, the words after the first are held in the narrowest
integers that hold them so far.

The table is cut into segments by the top bits, each of which grows by itself, so that
growing never needs the whole set twice.

Complexity: about 30 ns a batch element; 11 to 18 bytes a state per word.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from wavecheck.sim.exhaustive.layout import Words
from wavecheck.sim.exhaustive.mixing import mix, mix_in_place, unmix

Array = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_LOAD_MAX: Final = 0.62
_LOAD_MAX_WIDE: Final = 0.74
_GROWTH: Final = 2.0
_GROWTH_WIDE: Final = 1.5
_SLOTS_MIN: Final = 1 << 12
_SEGMENTS: Final = 8
_SEGMENTED_FROM: Final = 1 << 21
_HALF: Final = np.uint64(32)
_ONE: Final = np.uint64(1)
_STRAGGLERS: Final = 4096
_BLOCK: Final = np.arange(16)
_NO_INTS: Final = np.zeros(0, np.int64)


def store_in_place(words: Words) -> None:
    """Turn states into what the set stores: the first word mixed, and never zero."""
    first = words[0]
    first <<= _ONE
    first |= _ONE
    mix_in_place(first)


def order_of(kept: Words) -> Array:
    """Return the words that order stored states: the only one, or a mix of all."""
    order = kept[0]
    for word in kept[1:]:
        order = order ^ mix(word)
        mix_in_place(order)
    return order


def restored(kept: Words) -> Words:
    """Return stored states as they were."""
    first = unmix(kept[0])
    first >>= _ONE
    return [first, *kept[1:]]


def sorted_unique(kept: Words) -> tuple[Words, Array]:
    """Return stored states in order, each once, with their ordering words.

    A single word is sorted in place.
    """
    order = order_of(kept)
    if len(kept) == 1:
        order.sort()
        is_first = np.empty(len(order), np.bool_)
        is_first[:1] = True
        np.not_equal(order[1:], order[:-1], out=is_first[1:])
        order = np.compress(is_first, order)
        return [order], order
    places = np.argsort(order)
    order = order[places]
    kept = [word[places] for word in kept]
    is_tied = order[1:] == order[:-1]
    is_same = is_tied.copy()
    for word in kept:
        is_same &= word[1:] == word[:-1]
    if (is_tied & ~is_same).any():
        # Two states share their ordering word: put equal ones side by side.
        places = np.lexsort([*kept, order])
        order = order[places]
        kept = [word[places] for word in kept]
        is_same = order[1:] == order[:-1]
        for word in kept:
            is_same &= word[1:] == word[:-1]
    is_first = np.concatenate([np.ones(min(1, len(order)), np.bool_), ~is_same])
    return [word[is_first] for word in kept], order[is_first]


class _Segment:
    """One open addressing table; slots ascend with the ordering words."""

    __slots__ = (
        "bits",
        "count",
        "growth",
        "kinds",
        "load_max",
        "slots_count",
        "tables",
    )

    def __init__(self, words_count: int, bits: int) -> None:
        self.bits = np.uint64(bits)  # top bits of the order that all members share
        self.count = 0
        self.slots_count = _SLOTS_MIN
        narrowest = np.dtype(np.uint8)
        self.kinds: list[np.dtype[Any]] = [np.dtype(np.uint64)]
        self.kinds += [narrowest] * (words_count - 1)
        is_wide = words_count > 1  # then memory is what is short, not time
        self.load_max = _LOAD_MAX_WIDE if is_wide else _LOAD_MAX
        self.growth = _GROWTH_WIDE if is_wide else _GROWTH
        self.tables = self._room()

    def _room(self) -> list[npt.NDArray[Any]]:
        padding = 512 + self.slots_count // 64
        return [np.zeros(self.slots_count + padding, kind) for kind in self.kinds]

    def _widen(self, kept: Words) -> None:
        """Make the tables hold the words of some states."""
        for index in range(1, len(kept)):
            kind = np.min_scalar_type(int(kept[index].max(initial=0)))
            if kind.itemsize > self.kinds[index].itemsize:
                self.kinds[index] = kind
                self.tables[index] = self.tables[index].astype(kind)

    def clear(self) -> None:
        """Let go of all states."""
        self.tables = self._room()
        self.count = 0

    def members(self) -> Words:
        is_used = self.tables[0] != 0
        return [table[is_used].astype(np.uint64, copy=False) for table in self.tables]

    def add(self, kept: Words, order: Array) -> Bools:
        """Add distinct states, ascending by order; return which of them were new."""
        is_new = np.zeros(len(order), np.bool_)
        absent, slots = self._absent(kept, order)
        is_new[absent] = True
        if len(absent):
            kept = [word[absent] for word in kept]
            self._widen(kept)
            if self.count + len(absent) > self.slots_count * self.load_max:
                self._grow(self.count + len(absent))
                slots = self._homes(order[absent])
            self._insert(kept, slots)
        return is_new

    def _homes(self, order: Array) -> Ints:
        """Return the slot at which the search for each state begins."""
        places = order << self.bits
        places >>= _HALF
        places *= np.uint64(self.slots_count)
        places >>= _HALF
        return places.view(np.int64)

    def _absent(self, kept: Words, order: Array) -> tuple[Ints, Ints]:
        """Return the indexes of the states that are not there, and their free slots."""
        slots = self._homes(order)
        which: Ints | None = None
        absent: list[Ints] = []
        free_slots: list[Ints] = []
        while len(slots):
            found = self.tables[0].take(slots)
            is_other = found != kept[0]
            for table, word in zip(self.tables[1:], kept[1:], strict=True):
                is_other |= table.take(slots) != word
            free = np.flatnonzero(found == 0)
            absent.append(free if which is None else which[free])
            free_slots.append(slots[free])
            is_other[free] = False
            rest = np.flatnonzero(is_other)
            slots = slots[rest] + 1
            kept = [word[rest] for word in kept]
            which = rest if which is None else which[rest]
            if len(rest) < _STRAGGLERS:
                slots = self._skip(kept, slots)
        return np.concatenate([_NO_INTS, *absent]), np.concatenate(
            [_NO_INTS, *free_slots]
        )

    def _skip(self, kept: Words, slots: Ints) -> Ints:
        """Return for each state the next slot that is free or may hold it.

        The few states in long runs of used slots would take a round for each slot; a
        block of slots at once takes a round for each block.
        """
        table, first = self.tables[0], kept[0]
        slots = slots.copy()
        rest = np.arange(len(slots))
        while len(rest):
            block = slots[rest, None] + _BLOCK
            found = table.take(block, mode="clip")
            stops = (found == 0) | (found == first[rest, None])
            ahead = stops.argmax(axis=1)
            has_stop = stops[np.arange(len(rest)), ahead]
            slots[rest] += np.where(has_stop, ahead, len(_BLOCK))
            rest = rest[~has_stop]
        return slots

    def _insert(self, kept: Words, slots: Ints) -> None:
        """Put states that are not there into the first free slots from some on."""
        tables = self.tables
        self.count += len(slots)
        while len(slots):
            if int(slots.max()) >= len(tables[0]) - 1:
                # The last slot stays free: it ends every search.
                self.count -= len(slots)
                self._grow(self.count + len(slots))
                self._insert(kept, self._homes(order_of(kept)))
                return
            free = np.flatnonzero(tables[0].take(slots) == 0)
            at = slots[free]
            for table, word in zip(tables, kept, strict=True):
                table[at] = word[free]
            has_lost = np.ones(len(slots), np.bool_)
            lost = np.zeros(len(free), np.bool_)
            for table, word in zip(tables, kept, strict=True):
                lost |= table.take(at) != word[free]
            has_lost[free] = lost
            rest = np.flatnonzero(has_lost)
            slots = slots[rest] + 1
            kept = [word[rest] for word in kept]
            if len(rest) < _STRAGGLERS:
                slots = self._skip(kept, slots)

    def _grow(self, wanted: int) -> None:
        """Make a larger table for at least so many states."""
        members = self.members()
        self.tables = []
        larger = int(self.slots_count * self.growth)
        self.slots_count = max(larger, int(wanted / self.load_max * 1.1) + 1)
        self.tables = self._room()
        self.fill(members)

    def fill(self, members: Words) -> None:
        """Put distinct states into an empty table, without looking for free slots.

        In ascending order each state goes to its home, or right behind the one before
        it if that is further; which is a running maximum.
        """
        self._widen(members)
        order = order_of(members)
        if len(members) == 1:
            # They come out of a table nearly in order, which a merge sort makes use of.
            order.sort(kind="stable")
        else:
            places = np.argsort(order)
            order = order[places]
            members = [word[places] for word in members]
        slots = self._homes(order)
        steps = np.arange(len(slots))
        slots -= steps
        np.maximum.accumulate(slots, out=slots)
        slots += steps
        self.count = len(slots)
        if len(slots) and int(slots[-1]) >= len(self.tables[0]) - 1:
            self.slots_count = int(self.slots_count * self.growth) + 1
            self.tables = self._room()
            self.fill(members)
            return
        for table, word in zip(self.tables, members, strict=True):
            table[slots] = word


class SeenStates:
    """A growing set of states.

    Args:
        words_count: words of a state.
        threads: to add to several segments at once; None: in this thread.

    Attributes:
        count: how many states there are.
    """

    def __init__(
        self, words_count: int, threads: ThreadPoolExecutor | None = None
    ) -> None:
        self._words_count = words_count
        self._threads = threads
        self._segments = [_Segment(words_count, 0)]

    @property
    def count(self) -> int:
        """How many states there are."""
        return sum(one.count for one in self._segments)

    @property
    def bytes_used(self) -> int:
        """Bytes of the tables."""
        return sum(table.nbytes for one in self._segments for table in one.tables)

    def add(self, kept: Words) -> Words:
        """Add stored states; return those that were new, each once, as they were.

        Args:
            kept: as `store_in_place` leaves them; may be sorted in place.
        """
        kept, order = sorted_unique(kept)
        if len(self._segments) == 1:
            segment = self._segments[0]
            if segment.count + len(order) > _SEGMENTED_FROM:
                self._split()
            else:
                is_new = segment.add(kept, order)
                return restored([np.compress(is_new, word) for word in kept])
        return self._add_by_segment(kept, order)

    def _add_by_segment(self, kept: Words, order: Array) -> Words:
        is_new = np.empty(len(order), np.bool_)
        width = _SEGMENTS.bit_length() - 1
        starts = np.arange(1, _SEGMENTS, dtype=np.uint64) << np.uint64(64 - width)
        cuts = [0, *np.searchsorted(order, starts).tolist(), len(order)]

        def add(index: int) -> None:
            segment = self._segments[index]
            span = slice(cuts[index], cuts[index + 1])
            is_new[span] = segment.add([word[span] for word in kept], order[span])

        # Segments are independent, and NumPy lets go of the interpreter's lock.
        if self._threads is None:
            for index in range(_SEGMENTS):
                add(index)
        else:
            list(self._threads.map(add, range(_SEGMENTS)))
        return restored([np.compress(is_new, word) for word in kept])

    def _split(self) -> None:
        members = self._segments[0].members()
        width = _SEGMENTS.bit_length() - 1
        belongs = order_of(members) >> np.uint64(64 - width)
        self._segments = []
        for index in range(_SEGMENTS):
            segment = _Segment(self._words_count, width)
            part = [word[belongs == index] for word in members]
            room = segment.growth / segment.load_max
            segment.slots_count = int(len(part[0]) * room) + _SLOTS_MIN
            segment.clear()
            segment.fill(part)
            self._segments.append(segment)

    @staticmethod
    def nothing(words_count: int) -> Words:
        """Return no state."""
        return [np.zeros(0, np.uint64) for _ in range(words_count)]

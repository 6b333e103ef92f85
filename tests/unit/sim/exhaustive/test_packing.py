import numpy as np
import pytest

from wavecheck.sim.exhaustive.layout import Layout
from wavecheck.sim.exhaustive.levels import Levels
from wavecheck.sim.exhaustive.lookup import MISSING, OCCUPIED, Lookup
from wavecheck.sim.exhaustive.mixing import mix, unmix
from wavecheck.sim.exhaustive.seen import SeenStates, store_in_place
from wavecheck.sim.exhaustive.windows import Windows


@pytest.mark.parametrize("words_count", [1, 2, 3])
def test_the_seen_set_is_a_set(words_count):
    """It answers like a set of tuples, over batches with repeats, while it grows."""
    rng = np.random.default_rng(5)
    seen, expected = SeenStates(words_count), set()
    for size in (1, 0, 1000, 50_000, 200_000, 200_000):
        words = [
            rng.integers(0, 600, size, dtype=np.uint64) for _ in range(words_count)
        ]
        batch = set(zip(*(word.tolist() for word in words), strict=True))
        store_in_place(words)
        new = seen.add(words)
        found = list(zip(*(word.tolist() for word in new), strict=True))
        assert len(found) == len(set(found))
        assert set(found) == batch - expected
        expected |= batch
        assert seen.count == len(expected)


def test_the_seen_set_stays_exact_when_it_is_cut_into_segments():
    """Three million consecutive states, added twice, are three million."""
    seen = SeenStates(1)
    for _ in range(2):
        for start in range(0, 3_000_000, 500_000):
            words = [np.arange(start, start + 500_000, dtype=np.uint64)]
            store_in_place(words)
            seen.add(words)
    assert seen.count == 3_000_000


def test_words_that_outgrow_narrow_integers_stay_exact():
    """The second word needs one byte, then two, four, eight; nothing is cut off."""
    rng = np.random.default_rng(7)
    seen, expected = SeenStates(2), set()
    for bits in (3, 8, 9, 16, 17, 32, 33, 64):
        words = [
            rng.integers(0, 50, 20_000, dtype=np.uint64),
            rng.integers(0, 2**bits - 1, 20_000, dtype=np.uint64, endpoint=True),
        ]
        words[1][:200] &= np.uint64(7)
        batch = set(zip(*(word.tolist() for word in words), strict=True))
        store_in_place(words)
        new = seen.add(words)
        assert new[1].dtype == np.uint64
        found = set(zip(*(word.tolist() for word in new), strict=True))
        assert found == batch - expected
        expected |= batch


def test_levels_are_held_narrow_and_given_back_whole():
    """A level comes back as it was, in words of 64 bits."""
    levels = Levels(2)
    words = [
        np.arange(5, dtype=np.uint64) << np.uint64(60),
        np.arange(5).view(np.uint64),
    ]
    levels.append(words)
    assert levels.bytes_used == 5 * (8 + 1)
    for given, kept in zip(words, levels.get(0), strict=True):
        assert kept.dtype == np.uint64
        assert kept.tolist() == given.tolist()


def test_mixing_is_a_bijection():
    """Unmixing gives back what was mixed, and zero stays zero."""
    words = np.random.default_rng(2).integers(0, 2**64, 10_000, dtype=np.uint64)
    assert (unmix(mix(words)) == words).all()
    assert mix(np.zeros(1, np.uint64))[0] == 0


@pytest.mark.parametrize("fields", [3, 40, 90])
def test_a_layout_packs_and_unpacks(fields):
    """Every field comes back, in one word or several, and after a change of layout."""
    rng = np.random.default_rng(fields)
    counts = rng.integers(1, 30, fields).tolist()
    numbers = [rng.integers(0, count, 50, dtype=np.uint64) for count in counts]
    old = Layout(counts)
    words = [np.zeros(50, np.uint64) for _ in range(old.words_count)]
    for field, values in enumerate(numbers):
        words[old.word[field]] |= values << np.uint64(old.shift[field])
    new = Layout([count * 9 for count in [*counts, 2]])
    for layout, held in ((old, words), (new, new.converted(words, old))):
        for field, values in enumerate(numbers):
            assert (layout.get(held, field) == values).all()
        state = [int(word[7]) for word in held]
        assert layout.unpack(state)[:fields] == [int(one[7]) for one in numbers]
        assert int(held[0].max()) < 1 << 63


def test_a_lookup_finds_what_was_added_and_nothing_else():
    """Keys added in several batches are found; others are missing."""
    rng = np.random.default_rng(3)
    keys = np.unique(rng.integers(0, 2**62, 20_000, dtype=np.uint64)) | OCCUPIED
    lookup = Lookup(1)
    for start in range(0, len(keys), 3000):
        part = keys[start : start + 3000]
        lookup.add([part], np.arange(start, start + len(part), dtype=np.int32))
    assert (lookup.find([keys]) == np.arange(len(keys))).all()
    others = np.setdiff1d(keys + np.uint64(1), keys)
    assert (lookup.find([others]) == MISSING).all()


def test_windows_are_cut_where_reads_part():
    """A queue decides which row is looked at; the queue alone is looked at first."""
    windows = Windows()
    first = windows.path([0, 1], [5, 1, 1])
    assert [window.so_far for window in first] == [(0, 1)]
    second = windows.path([0, 2], [6, 1, 1])
    assert [window.so_far for window in second] == [(0,), (0, 2)]
    assert windows.cuts_count == 1
    again = windows.path([0, 1], [5, 1, 1])
    assert [window.so_far for window in again] == [(0,), (0, 1)]

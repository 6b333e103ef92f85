"""The learned steps of one task as tables that are asked for many states at once.

Knows packed states, and asks the learner for whatever no table holds yet. Of a state,
the bits of the task's local state and of what its next operation reads decide what its
next step does; so the key is the state under a mask that the local state names. The
answer is an *outcome*: nothing, or one XOR of the packed state per alternative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from wavecheck.sim.exhaustive.layout import Layout, Words
from wavecheck.sim.exhaustive.lookup import MISSING, OCCUPIED, Ints, Lookup
from wavecheck.sim.exhaustive.windows import Windows

ENDS_NOWHERE: Final = 0
"""The outcome of a task that has ended or is not enabled."""

_NEXT_WINDOW: Final = 1 << 30
"""A number in a look-up from which it names a window instead of an outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One successor.

    Attributes:
        choices: what the kernel's rule answers inside the step.
        delta: words to XOR the state with.
        cleared: bits to clear before that, because they are set whatever they were.
        violated: bit set of the properties that the step violates.
        one_in: one over the odds of these choices, each being uniform.
    """

    choices: tuple[int, ...]
    delta: tuple[int, ...]
    violated: int
    cleared: tuple[int, ...]
    one_in: int


Resolve = Callable[[list[int]], tuple[Windows, Sequence[int], tuple[Alternative, ...]]]
"""From a state's fields to the operation's windows, the fields it reads, in order, and
the alternatives; it raises `Relaid` where the layout must change first."""

_Fresh = tuple[int, list[tuple[int, ...]], tuple[int, ...], int]
"""A local state, the fields of the windows there, a state of it, and its outcome."""


class Relaid(Exception):
    """The layout has changed; whatever was derived from it is void."""


class Outcomes:
    """The distinct outcomes of one task.

    Attributes:
        count: alternatives of each; those after the first follow it.
        delta: words to XOR with, one array per word; zero if there is no alternative.
        violated: bit sets of properties.
        one_in: one over the odds of each alternative, given its outcome.
        is_uneven: some outcome has alternatives of different odds.
        has_several: some outcome has more than one alternative.
        kept: words to AND with first, where `has_cleared`.
        has_idle: some alternative leaves the state as it is.
        has_cleared: some alternative sets bits whatever they were.
        violates: any alternative violates any of these properties.
    """

    def __init__(self, words_count: int) -> None:
        self.alternatives: list[Alternative | None] = [None]
        self.count = np.zeros(1, np.uint16)
        self.one_in = np.ones(1, np.uint32)
        self.is_uneven = False
        self.delta: Words = [np.zeros(1, np.uint64) for _ in range(words_count)]
        self.violated = np.zeros(1, np.uint32)
        self.has_several = False
        self.has_idle = False
        self.has_cleared = False
        self.kept: Words = []
        self.violates = 0
        self._numbers: dict[tuple[Alternative, ...], int] = {(): ENDS_NOWHERE}
        self._counts = [0]

    @property
    def is_mixed(self) -> bool:
        """Whether an outcome may be more than one XOR that changes something."""
        return self.has_several or self.has_idle or self.has_cleared

    def number(self, alternatives: tuple[Alternative, ...]) -> int:
        """Return the number of an outcome."""
        number = self._numbers.get(alternatives)
        if number is None:
            number = self._numbers[alternatives] = len(self.alternatives)
            for index, one in enumerate(alternatives):
                self.alternatives.append(one)
                self._counts.append(len(alternatives) - index)
                self.violates |= one.violated
                self.has_idle |= not any(one.delta) and not any(one.cleared)
                self.has_cleared |= any(one.cleared)
            self.has_several |= len(alternatives) > 1
            self.is_uneven |= any(
                one.one_in != len(alternatives) for one in alternatives
            )
        return number

    def refresh(self) -> None:
        """Bring the arrays up to date."""
        if len(self.count) == len(self.alternatives):
            return
        held = self.alternatives
        self.count = np.array(self._counts, np.uint16)
        self.one_in = np.array([one.one_in if one else 1 for one in held], np.uint32)
        self.delta = [
            np.array([one.delta[word] if one else 0 for one in held], np.uint64)
            for word in range(len(self.delta))
        ]
        self.violated = np.array(
            [one.violated if one else 0 for one in held], np.uint32
        )
        if self.has_cleared:
            self.kept = [
                ~np.array([one.cleared[word] if one else 0 for one in held], np.uint64)
                for word in range(len(self.delta))
            ]

    def applied(self, words: Words, where: Any, alternatives: Ints) -> Words:
        """Return what alternatives make of some of the states."""
        found = []
        for index, (word, delta) in enumerate(zip(words, self.delta, strict=True)):
            after = word[where]
            if self.has_cleared:
                after &= self.kept[index].take(alternatives)
            after ^= delta.take(alternatives)
            found.append(after)
        return found


class TaskTable:
    """What one task does, by packed state.

    Args:
        field: of the task's local state.
        layout: of the states.
        resolve: asks the learner.
    """

    def __init__(self, field: int, layout: Layout, resolve: Resolve) -> None:
        self.outcomes = Outcomes(layout.words_count)
        self._field = field
        self._layout = layout
        self._resolve = resolve
        self._word = layout.word[field]
        self._shift = np.uint64(layout.shift[field])
        self._field_mask = np.uint64((1 << layout.widths[field]) - 1)
        self._rounds = [Lookup(layout.words_count)]
        # The masks of the first round, by local state: nothing but itself at first.
        self._masks: dict[tuple[int, ...], list[int]] = {}
        own = np.array(self._mask(()), np.uint64)
        self._first = np.repeat(own[:, None], 1 << layout.widths[field], axis=1)
        self._windows: dict[int, Windows] = {}
        self._later: list[tuple[int, ...]] = []
        self._later_numbers: dict[tuple[int, ...], int] = {}
        self._later_masks: Words = [np.zeros(0, np.uint64) for _ in own]

    def _mask(self, fields: tuple[int, ...]) -> list[int]:
        masks = self._masks.get(fields)
        if masks is None:
            masks = list(self._layout.masks([self._field, *fields]))
            masks[0] |= int(OCCUPIED)
            self._masks[fields] = masks
        return masks

    def find(self, tagged: Words) -> Ints:
        """Return the outcome of this task's next step in each of some states.

        Args:
            tagged: the states, with `OCCUPIED` set in the first word.

        Raises:
            Relaid: nothing was done; the states must be packed anew.
        """
        while True:
            found, asked = self._find(tagged)
            missing = np.flatnonzero(found == MISSING)
            if not len(missing):
                return found
            keys = [word[missing] for word in asked]
            self._learn([word[missing] for word in tagged], keys)

    def _find(self, tagged: Words) -> tuple[Ints, Words]:
        """Return outcomes, or `MISSING`, and the keys that were asked for last."""
        local = tagged[self._word] >> self._shift
        local &= self._field_mask
        places = local.view(np.int64)
        keys = [
            word & mask.take(places)
            for word, mask in zip(tagged, self._first, strict=True)
        ]
        found = self._rounds[0].find(keys)
        depth = 1
        if not self._later:
            return found, keys
        asked = keys
        rest = np.flatnonzero(found >= _NEXT_WINDOW)
        while len(rest):
            window = found[rest] - _NEXT_WINDOW
            keys = [
                word[rest] & mask.take(window)
                for word, mask in zip(tagged, self._later_masks, strict=True)
            ]
            numbers = self._rounds[depth].find(keys)
            found[rest] = numbers
            for word, key in zip(asked, keys, strict=True):
                word[rest] = key
            rest = rest[numbers >= _NEXT_WINDOW]
            depth += 1
        return found, asked

    def _learn(self, tagged: Words, keys: Words) -> None:
        """Learn what happens in some states, once for each distinct key."""
        untag = (1 << 63) - 1
        pending = _distinct(tagged, keys)
        fresh: list[_Fresh] = []
        for state in pending:
            fields = self._layout.unpack([state[0] & untag, *state[1:]])
            windows, reads, alternatives = self._resolve(fields)
            cuts_count = windows.cuts_count
            path = windows.path(reads, fields)
            if windows.cuts_count != cuts_count:
                gone = self._forget(windows)
                fresh = [one for one in fresh if one[0] not in gone]
            local = fields[self._field]
            if local not in self._windows:
                self._windows[local] = windows
                self._first[:, local] = self._mask(path[0].so_far)
            fresh.append(
                (
                    local,
                    [window.so_far for window in path],
                    state,
                    self.outcomes.number(alternatives),
                )
            )
        self._add(fresh)
        self.outcomes.refresh()

    def _forget(self, windows: Windows) -> frozenset[int]:
        """Forget the local states whose windows were cut, and return them."""
        gone = [local for local, one in self._windows.items() if one is windows]
        for local in gone:
            del self._windows[local]
            self._first[:, local] = self._mask(())
        for depth, lookup in enumerate(self._rounds):
            words, numbers = lookup.entries()
            locals_ = words[self._word] >> self._shift & self._field_mask
            kept = ~np.isin(locals_, np.array(gone, np.uint64))
            if not kept.all():
                self._rounds[depth] = Lookup(self._layout.words_count)
                self._rounds[depth].add([word[kept] for word in words], numbers[kept])
        return frozenset(gone)

    def _add(self, fresh: list[_Fresh]) -> None:
        rounds: list[dict[tuple[int, ...], int]] = []
        for _, path, state, outcome in fresh:
            for depth, so_far in enumerate(path):
                masks = self._mask(so_far)
                key = tuple(
                    [word & mask for word, mask in zip(state, masks, strict=True)]
                )
                is_last = depth == len(path) - 1
                number = outcome
                if not is_last:
                    number = _NEXT_WINDOW + self._later_number(path[depth + 1])
                while len(rounds) <= depth:
                    rounds.append({})
                rounds[depth][key] = number
        if len(self._later) != len(self._later_masks[0]):
            laid = np.array([self._mask(one) for one in self._later], np.uint64)
            self._later_masks = [np.ascontiguousarray(one) for one in laid.T]
        while len(self._rounds) < len(rounds):
            self._rounds.append(Lookup(self._layout.words_count))
        for lookup, added in zip(self._rounds, rounds, strict=False):
            keys = np.array(list(added), np.uint64).reshape(len(added), -1)
            words = [np.ascontiguousarray(column) for column in keys.T]
            numbers = np.array(list(added.values()), np.int32)
            is_new = lookup.find(words) == MISSING
            lookup.add([word[is_new] for word in words], numbers[is_new])

    def _later_number(self, so_far: tuple[int, ...]) -> int:
        number = self._later_numbers.get(so_far)
        if number is None:
            number = self._later_numbers[so_far] = len(self._later)
            self._later.append(so_far)
        return number


def _distinct(tagged: Words, keys: Words) -> list[tuple[int, ...]]:
    """Return one state for each distinct key, in order of the keys."""
    order = np.lexsort(keys)
    is_first = np.zeros(len(order), np.bool_)
    is_first[0] = True
    for key in keys:
        is_first[1:] |= key[order][1:] != key[order][:-1]
    rows = np.stack([word[order[is_first]] for word in tagged]).T.tolist()
    return [tuple(row) for row in rows]

"""Whole numbers by key."""

from collections.abc import Hashable

from wavecheck.sim.parts.part import Part, PartOwner


class Counter(Part):
    """Whole numbers by key, zero where nothing was added."""

    def __init__(self, kernel: PartOwner, name: str) -> None:
        super().__init__(kernel, name)
        self._values: dict[Hashable, int] = {}

    def get(self, key: Hashable = None) -> int:
        """Return the value under a key."""
        return self._values.get(key, 0)

    def add(self, key: Hashable = None, amount: int = 1) -> int:
        """Add to the value under a key; return the new value."""
        before = self._values.get(key, 0)
        self._values[key] = after = before + amount
        self._journal.append((self, key, before, after))
        return after

    def set(self, value: int, key: Hashable = None) -> int:
        """Set the value under a key, whatever it was; return what it was."""
        before = self._values.get(key, 0)
        if value != before:
            self._values[key] = value
            self._journal.append((self, key, before, value))
        return before

    def items(self) -> list[tuple[Hashable, int]]:
        """Return the keys that were ever added to, with their values, in that order."""
        return list(self._values.items())

    def snapshot(self) -> Hashable:
        """Return the non-zero values by key, in order of the keys' text."""
        pairs = (pair for pair in self._values.items() if pair[1])
        return tuple(sorted(pairs, key=repr))

    def restore(self, state: tuple[tuple[Hashable, int], ...]) -> None:
        """Set the values."""
        self._values = dict(state)

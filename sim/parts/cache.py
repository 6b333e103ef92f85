"""Copies that somebody keeps, and that nobody keeps up to date."""

from collections.abc import Hashable

from wavecheck.sim.parts.part import Part, PartOwner


class Cache(Part):
    """One copied value for each key; it is stale as soon as the original changes."""

    def __init__(self, kernel: PartOwner, name: str) -> None:
        super().__init__(kernel, name)
        self._copies: dict[Hashable, Hashable] = {}

    def __contains__(self, key: Hashable) -> bool:
        return key in self._copies

    def get(self, key: Hashable = None) -> Hashable:
        """Return the copy under a key; None: there is none."""
        return self._copies.get(key)

    def put(self, value: Hashable, key: Hashable = None) -> None:
        """Keep a copy; one that is equal already is no change."""
        before = self._copies.get(key)
        if key not in self._copies or before != value:
            self._copies[key] = value
            self._journal.append((self, key, before, value))

    def evict(self, key: Hashable = None) -> bool:
        """Forget the copy under a key; return whether there was one."""
        if key not in self._copies:
            return False
        self._journal.append((self, key, self._copies.pop(key), None))
        return True

    def snapshot(self) -> Hashable:
        """Return the keys with their copies, in order of the keys' text."""
        return tuple(sorted(self._copies.items(), key=lambda pair: repr(pair[0])))

    def restore(self, state: tuple[tuple[Hashable, Hashable], ...]) -> None:
        """Set the copies."""
        self._copies = dict(state)

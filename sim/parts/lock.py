"""Mutual exclusion by key."""

from collections.abc import Hashable

from wavecheck.sim.parts.part import Part, PartOwner


class Lock(Part):
    """At most one holder for each key.

    A part does not know tasks, so who acquires is an argument. A step that waits for a
    lock is a statement guarded by `is_free`.
    """

    def __init__(self, kernel: PartOwner, name: str) -> None:
        super().__init__(kernel, name)
        self._holders: dict[Hashable, Hashable] = {}

    def holder(self, key: Hashable = None) -> Hashable:
        """Return who holds the lock of a key; None: it is free."""
        return self._holders.get(key)

    def is_free(self, key: Hashable = None) -> bool:
        """Return whether nobody holds the lock of a key."""
        return key not in self._holders

    def try_acquire(self, owner: Hashable, key: Hashable = None) -> bool:
        """Take the lock of a key for an owner unless it is held; say which."""
        if key in self._holders:
            return False
        self._holders[key] = owner
        self._journal.append((self, key, None, owner))
        return True

    def release(self, key: Hashable = None) -> Hashable:
        """Free the lock of a key, whoever holds it; return who did.

        Raises:
            KeyError: nobody does.
        """
        if key not in self._holders:
            raise KeyError(f"{self.name}: nobody holds the lock of {key!r}")
        owner = self._holders.pop(key)
        self._journal.append((self, key, owner, None))
        return owner

    def snapshot(self) -> Hashable:
        """Return the keys that are held with their holders, in order of their text."""
        return tuple(sorted(self._holders.items(), key=repr))

    def restore(self, state: tuple[tuple[Hashable, Hashable], ...]) -> None:
        """Set who holds what."""
        self._holders = dict(state)

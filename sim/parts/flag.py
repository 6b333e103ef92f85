"""One switch."""

from collections.abc import Hashable

from wavecheck.sim.parts.part import Part, PartOwner


class Flag(Part):
    """One switch."""

    def __init__(self, kernel: PartOwner, name: str) -> None:
        super().__init__(kernel, name)
        self._is_set = False

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self, value: bool = True) -> None:
        """Set it, or clear it."""
        if value is not self._is_set:
            self._journal.append((self, None, self._is_set, value))
            self._is_set = value

    def snapshot(self) -> Hashable:
        """Return whether it is set."""
        return self._is_set

    def restore(self, state: bool) -> None:
        """Set or clear it."""
        self._is_set = state

"""Locks that end by themselves: each grant has a token, and may expire."""

from collections.abc import Hashable
from typing import NamedTuple

from wavecheck.sim.parts.part import Part, PartOwner


class Lease(NamedTuple):
    """One grant.

    Attributes:
        owner: whom it was granted to.
        token: grows by one with each grant of a key; a fencing token.
        is_live: neither expired nor given back.
    """

    owner: Hashable
    token: int
    is_live: bool


class Leases(Part):
    """The latest lease of each key.

    Without time a lease may expire at any moment while it is live: whoever plays the
    clock calls `expire` in a step of its own. The owner is not told.

    Source of the fencing token: Gray, Cheriton, "Leases: An Efficient Fault-Tolerant
    Mechanism for Distributed File Cache Consistency", SOSP 1989, for the lease; the
    token is folklore.
    """

    def __init__(self, kernel: PartOwner, name: str) -> None:
        super().__init__(kernel, name)
        self._leases: dict[Hashable, Lease] = {}

    def grant(self, key: Hashable, owner: Hashable) -> int | None:
        """Grant a key unless its lease is live; return the token, or None."""
        before = self._leases.get(key)
        if before is not None and before.is_live:
            return None
        after = Lease(owner, 1 if before is None else before.token + 1, True)
        self._set(key, after)
        return after.token

    def expire(self, key: Hashable) -> bool:
        """Let a key's lease run out; return whether there was a live one."""
        return self._end(key)

    def give_back(self, key: Hashable, token: int) -> bool:
        """End the lease with this token; return whether it was live still."""
        return self.is_live(key, token) and self._end(key)

    def is_live(self, key: Hashable, token: int) -> bool:
        """Return whether the lease with this token is the key's latest, and live."""
        lease = self._leases.get(key)
        return lease is not None and lease.is_live and lease.token == token

    def holder(self, key: Hashable) -> Hashable:
        """Return whose lease of a key is live; None: nobody's."""
        lease = self._leases.get(key)
        return lease.owner if lease is not None and lease.is_live else None

    def live_keys(self) -> list[Hashable]:
        """Return the keys whose lease is live, in order of their text."""
        return sorted((key for key, one in self._leases.items() if one[2]), key=repr)

    def _end(self, key: Hashable) -> bool:
        lease = self._leases.get(key)
        if lease is None or not lease.is_live:
            return False
        self._set(key, lease._replace(is_live=False))
        return True

    def _set(self, key: Hashable, lease: Lease) -> None:
        before = self._leases.get(key)
        self._leases[key] = lease
        self._journal.append((self, key, before, lease))

    def snapshot(self) -> Hashable:
        """Return the keys with their latest leases, in order of the keys' text."""
        return tuple(sorted(self._leases.items(), key=lambda pair: repr(pair[0])))

    def restore(self, state: tuple[tuple[Hashable, Lease], ...]) -> None:
        """Set the leases."""
        self._leases = dict(state)

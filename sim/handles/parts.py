"""Queues, counters, flags, locks, leases, caches, timers and calls, as steps."""

from collections.abc import Hashable, Mapping
from typing import Any

from wavecheck.sim.handles.handle import Act, Handle
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Cache, Counter, Flag, Leases, Lock, Queue, Timers


def _put(handle: "QueueHandle", item: Any) -> None:
    """Append an item."""
    handle._part.put(item)


def _take(handle: "QueueHandle") -> Any:
    """Take the oldest item; waits until there is one."""
    return handle._part.take()


def _has_items(handle: "QueueHandle") -> bool:
    return len(handle._part) > 0


def _take_now(handle: "QueueHandle") -> Any:
    """Take the oldest item; none if there is none."""
    return handle._part.take() if len(handle._part) else None


def _length(handle: "QueueHandle") -> int:
    """Read how many items there are."""
    return len(handle._part)


class QueueHandle(Handle[Queue[Any]]):
    """A queue as code in a world sees it."""

    acts: Mapping[str, Act] = {
        "put": Act(_put),
        "take": Act(_take, _has_items),
        "take_now": Act(_take_now),
        "length": Act(_length),
    }

    def put(self, item: Hashable) -> Operation[None]:
        """Append an item."""
        return self.perform("put", item)

    def take(self) -> Operation[Any]:
        """Take the oldest item; wait until there is one."""
        return self.perform("take")

    def take_now(self) -> Operation[Any]:
        """Take the oldest item; None if there is none."""
        return self.perform("take_now")

    def length(self) -> Operation[int]:
        """Read how many items there are."""
        return self.perform("length")


def _get_value(handle: "CounterHandle", key: Hashable) -> int:
    """Read the value under a key."""
    return handle._part.get(key)


def _add(handle: "CounterHandle", key: Hashable, amount: int) -> int:
    """Add to the value under a key; the new value."""
    return handle._part.add(key, amount)


def _set_value(handle: "CounterHandle", value: int, key: Hashable) -> int:
    """Set the value under a key; what it was."""
    return handle._part.set(value, key)


class CounterHandle(Handle[Counter]):
    """Whole numbers by key, as code in a world sees them."""

    acts: Mapping[str, Act] = {
        "get": Act(_get_value),
        "add": Act(_add),
        "set": Act(_set_value),
    }

    def get(self, key: Hashable = None) -> Operation[int]:
        """Read the value under a key; 0 where nothing was added."""
        return self.perform("get", key)

    def add(self, key: Hashable = None, amount: int = 1) -> Operation[int]:
        """Add to the value under a key; return the new one."""
        return self.perform("add", key, amount)

    def set(self, value: int, key: Hashable = None) -> Operation[int]:
        """Set the value under a key; return what it was."""
        return self.perform("set", value, key)


def _call(handle: "CallsHandle", *args: Any) -> None:
    """Call what is outside of the world."""
    handle._part.add(args[0] if len(args) == 1 else args)


class CallsHandle(Handle[Counter]):
    """Calls of something outside of the world, such as a mail or a carrier.

    `now` counts them by their argument, or by the tuple of them.
    """

    acts: Mapping[str, Act] = {"call": Act(_call)}

    def __call__(self, *args: Hashable) -> Operation[None]:
        """Make a call."""
        return self.perform("call", *args)


def _set(handle: "FlagHandle", value: bool) -> None:
    """Set the switch, or clear it."""
    handle._part.set(value)


def _is_set(handle: "FlagHandle") -> bool:
    """Read the switch."""
    return handle._part.is_set()


def _wait(handle: "FlagHandle") -> None:
    """Wait until the switch is set."""


class FlagHandle(Handle[Flag]):
    """One switch, as code in a world sees it."""

    acts: Mapping[str, Act] = {
        "set": Act(_set),
        "is_set": Act(_is_set),
        "wait": Act(_wait, _is_set),
    }

    def set(self, value: bool = True) -> Operation[None]:
        """Set it, or clear it."""
        return self.perform("set", value)

    def is_set(self) -> Operation[bool]:
        """Read it."""
        return self.perform("is_set")

    def wait(self) -> Operation[None]:
        """Wait until it is set."""
        return self.perform("wait")


def _acquire(handle: "LockHandle", owner: Hashable, key: Hashable) -> None:
    """Take the lock; waits until it is free."""
    handle._part.try_acquire(owner, key)


def _is_free(handle: "LockHandle", owner: Hashable, key: Hashable) -> bool:
    return handle._part.is_free(key)


def _try_acquire(handle: "LockHandle", owner: Hashable, key: Hashable) -> bool:
    """Take the lock if it is free; say whether."""
    return handle._part.try_acquire(owner, key)


def _release(handle: "LockHandle", owner: Hashable, key: Hashable) -> bool:
    """Free the lock if its owner is still this one; say whether it was."""
    if handle._part.holder(key) != owner:
        return False
    handle._part.release(key)
    return True


class LockHandle(Handle[Lock]):
    """Mutual exclusion by key, as code in a world sees it.

    Who acquires says who it is: a lock with a time to live may be another's by the time
    it is released.
    """

    acts: Mapping[str, Act] = {
        "acquire": Act(_acquire, _is_free),
        "try_acquire": Act(_try_acquire),
        "release": Act(_release),
    }

    def acquire(self, owner: Hashable, key: Hashable = None) -> Operation[None]:
        """Take the lock; wait until it is free."""
        return self.perform("acquire", owner, key)

    def try_acquire(self, owner: Hashable, key: Hashable = None) -> Operation[bool]:
        """Take the lock if it is free; return whether it was."""
        return self.perform("try_acquire", owner, key)

    def release(self, owner: Hashable, key: Hashable = None) -> Operation[bool]:
        """Free the lock; return False where the owner has lost it already."""
        return self.perform("release", owner, key)


def _grant(handle: "LeaseHandle", key: Hashable, owner: Hashable) -> int | None:
    """Grant a lease unless one is live; its token, or none."""
    return handle._part.grant(key, owner)


def _give_back(handle: "LeaseHandle", key: Hashable, token: int) -> bool:
    """End the lease with this token; say whether it was live still."""
    return handle._part.give_back(key, token)


def _is_live(handle: "LeaseHandle", key: Hashable, token: int) -> bool:
    """Read whether the lease with this token is live."""
    return handle._part.is_live(key, token)


class LeaseHandle(Handle[Leases]):
    """Locks that end by themselves, as code in a world sees them."""

    acts: Mapping[str, Act] = {
        "grant": Act(_grant),
        "give_back": Act(_give_back),
        "is_live": Act(_is_live),
    }

    def grant(self, key: Hashable, owner: Hashable) -> Operation[int | None]:
        """Take the lease of a key unless one is live; return its token, or None."""
        return self.perform("grant", key, owner)

    def give_back(self, key: Hashable, token: int) -> Operation[bool]:
        """End the lease with this token; return whether it was live still."""
        return self.perform("give_back", key, token)

    def is_live(self, key: Hashable, token: int) -> Operation[bool]:
        """Read whether the lease with this token is live."""
        return self.perform("is_live", key, token)


def _get_copy(handle: "CacheHandle", key: Hashable) -> Hashable:
    """Read the copy under a key; none if there is none."""
    return handle._part.get(key)


def _keep(handle: "CacheHandle", value: Hashable, key: Hashable) -> None:
    """Keep a copy under a key."""
    handle._part.put(value, key)


def _evict(handle: "CacheHandle", key: Hashable) -> bool:
    """Forget the copy under a key; say whether there was one."""
    return handle._part.evict(key)


class CacheHandle(Handle[Cache]):
    """Copies that nobody keeps up to date, as code in a world sees them."""

    acts: Mapping[str, Act] = {
        "get": Act(_get_copy),
        "put": Act(_keep),
        "evict": Act(_evict),
    }

    def get(self, key: Hashable = None) -> Operation[Any]:
        """Read the copy under a key; None if there is none."""
        return self.perform("get", key)

    def put(self, value: Hashable, key: Hashable = None) -> Operation[None]:
        """Keep a copy under a key."""
        return self.perform("put", value, key)

    def evict(self, key: Hashable = None) -> Operation[bool]:
        """Forget the copy under a key; return whether there was one."""
        return self.perform("evict", key)


def _arm(handle: "TimerHandle", owner: str, name: Hashable, ticks: int) -> None:
    """Set an alarm."""
    handle._part.arm(owner, name, ticks)


def _cancel(handle: "TimerHandle", owner: str, name: Hashable) -> bool:
    """Take an alarm back; say whether it was set."""
    return handle._part.cancel(owner, name)


class TimerHandle(Handle[Timers]):
    """Alarms of several owners, as code in a world sees them."""

    acts: Mapping[str, Act] = {"arm": Act(_arm), "cancel": Act(_cancel)}

    def arm(self, owner: str, name: Hashable, ticks: int) -> Operation[None]:
        """Set an alarm, so many ticks after the owner's last one that went off."""
        return self.perform("arm", owner, name, ticks)

    def cancel(self, owner: str, name: Hashable) -> Operation[bool]:
        """Take an alarm back; return whether it was set."""
        return self.perform("cancel", owner, name)

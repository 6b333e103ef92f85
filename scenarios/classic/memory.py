"""What the classic programs share: variables, locks, and verdicts of assertions."""

from typing import Any

from wavecheck.scenarios.exhibit import always, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Lock
from wavecheck.sim.property import Property


class Memory:
    """Shared variables, all zero at first, and locks; every access is a step."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.variables = Counter(kernel, "variables")
        self.locks = Lock(kernel, "locks")
        self.verdicts = Counter(kernel, "verdicts")
        self.ended = Counter(kernel, "ended")

    @statement
    def read(self, name: str) -> int:
        """Read a variable."""
        return self.variables.get(name)

    @statement
    def write(self, name: str, value: int) -> None:
        """Write a variable."""
        self.variables.set(value, name)

    @statement
    def add(self, name: str, amount: int) -> int:
        """Add to a variable, atomically; return what it is then."""
        return self.variables.add(name, amount)

    @statement(
        enabled=lambda self, name, thread: self.locks.is_free(name),
        wakes_on=lambda self, name, thread: self.locks,
    )
    def lock(self, name: str, thread: str) -> None:
        """Wait for a lock and take it."""
        self.locks.try_acquire(thread, name)

    @statement
    def unlock(self, name: str) -> None:
        """Give a lock back."""
        if not self.locks.is_free(name):
            self.locks.release(name)

    @statement
    def judge(self, is_right: bool) -> None:
        """Note whether an assertion holds."""
        self.verdicts.add("right" if is_right else "wrong")

    @statement
    def end(self, thread: str) -> None:
        """Note that a thread has ended."""
        self.ended.add(thread)


def assertion(meaning: str) -> Property:
    """Return the property that no assertion of the program fails.

    Args:
        meaning: what is asserted, in one sentence.
    """
    return always(
        "assertion_holds",
        meaning,
        "verdicts",
        lambda store, key, before, after: (
            "the assertion fails" if key == "wrong" else None
        ),
        at_risk=lambda store: len(store.verdicts.snapshot()) > 0,
    )


def every_thread_ends(count: int) -> Property:
    """Return the property that so many threads end.

    Args:
        count: threads that say when they end.
    """
    return finally_(
        "every_thread_ends",
        "no thread waits for ever",
        lambda store: (
            None
            if len(store.ended.snapshot()) == count
            else f"{count - len(store.ended.snapshot())} threads wait for ever"
        ),
        at_risk=lambda store: True,
    )


NO_LOCK = Mutant(
    name="takes no lock", statement="lock", weaker=lambda store, name, thread: None
)

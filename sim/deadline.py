"""When the work of one command ends: one value, handed down through every phase.

Reads no clock: who makes a deadline gives it one. Search, shrinking, explaining and
whatever follows ask the same deadline, and end with what they have by then.

Units: seconds of the clock that it was given, bytes.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from wavecheck.sim.kernel import PROGRESS_EVERY, Kernel

STEPS_EVERY: Final = 64
"""Between two looks at the clock within one execution."""


class OutOfTime(BaseException):
    """The deadline came in the middle of an execution, which is abandoned.

    Like an interrupt it is no `Exception`: whoever handles failures of the code under
    test must not take it for one.
    """


class Deadline:
    """When to end.

    Args:
        seconds: from now on; None: there is no end.
        clock: seconds from some fixed moment.
    """

    def __init__(
        self, seconds: float | None = None, clock: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._clock = clock
        self._ends_at = math.inf if seconds is None else clock() + seconds

    def seconds_left(self) -> float:
        """Return how long there is left, infinite without an end; never below zero."""
        return max(0.0, self._ends_at - self._clock())

    def is_over(self) -> bool:
        """Return whether it has come."""
        return self._clock() >= self._ends_at

    def share(self, part: float) -> "Deadline":
        """Return a deadline after a part of what is left, by the same clock."""
        left = self.seconds_left()
        return Deadline(None if left == math.inf else left * part, self._clock)

    @contextmanager
    def watching(self, kernel: Kernel) -> Iterator[None]:
        """End executions of a kernel in their midst when the deadline comes.

        Raises:
            OutOfTime: from within the block.
        """
        if self._ends_at == math.inf:
            yield
            return
        tell = kernel.progress

        def look(steps_count: int) -> None:
            if self.is_over():
                raise OutOfTime
            if tell is not None and steps_count % PROGRESS_EVERY < STEPS_EVERY:
                tell(steps_count)

        kernel.progress, kernel.pause_every = look, STEPS_EVERY
        try:
            yield
        finally:
            kernel.progress, kernel.pause_every = tell, PROGRESS_EVERY


NO_DEADLINE: Final = Deadline()

"""When the work of one command ends: one value, handed down through every phase.

Reads no clock: who makes a deadline gives it one. Search, shrinking, explaining and
whatever follows ask the same deadline, and end with what they have by then: when the
time is over, or when the process holds more memory than it may.

Units: seconds of the clock that it was given, bytes.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import clear_frames
from typing import Final

from wavecheck.sim.errors import OutOfTime, Overdue
from wavecheck.sim.kernel import PROGRESS_EVERY, Kernel
from wavecheck.sim.memory import Room
from wavecheck.sim.watchdog import WATCHDOG

STEPS_EVERY: Final = 64
"""Between two looks at the clock within one execution."""

INTERRUPTED_SECONDS: Final = 2.0
"""What follows an interruption may take so long: the answer that is known is told."""

LATE_SHARE: Final = 0.1
LATE_SECONDS: Final = 0.75
"""How long after it has come whatever does not look at the deadline is ended."""


class Deadline:
    """When to end.

    Args:
        seconds: from now on; None: there is no end.
        clock: seconds from some fixed moment.
        room: how much memory the process may take; None: any.
    """

    def __init__(
        self,
        seconds: float | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        room: Room | None = None,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._ends_at = math.inf if seconds is None else clock() + seconds
        self._room = room
        self._is_cut_short = False

    def cut_short(self) -> None:
        """Let it come soon: somebody has pressed Ctrl-C, and waits."""
        self._ends_at = min(self._ends_at, self._clock() + INTERRUPTED_SECONDS)
        self._is_cut_short = True

    def seconds_left(self) -> float:
        """Return how long there is left, infinite without an end; never below zero."""
        if self.is_full():
            return 0.0
        return max(0.0, self._ends_at - self._clock())

    def is_over(self) -> bool:
        """Return whether it has come."""
        if self._room is not None and self._room.look():
            return True
        return self._clock() >= self._ends_at

    def is_full(self) -> bool:
        """Return whether it has come because of the memory that is held."""
        return self._room is not None and self._room.is_full

    def reason(self) -> str:
        """Return what is over, in words; empty: nothing is."""
        if not self.is_over():
            return ""
        if self.is_full():
            return f"the memory limit of {self._room}"
        if self._is_cut_short:
            return "the interruption"
        return f"the budget of {self._seconds or 0.0:.3g} s"

    def share(self, part: float) -> "Deadline":
        """Return a deadline after a part of what is left, by the same clock."""
        left = self.seconds_left()
        seconds = None if left == math.inf else left * part
        return Deadline(seconds, self._clock, self._room)

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """End what does not look at the deadline, a moment after it has come.

        Raises:
            Overdue: from wherever the code in the block is.
        """
        late = LATE_SECONDS + LATE_SHARE * (self._seconds or 0.0)

        def tick() -> None:
            is_late = self._clock() >= self._ends_at + late
            if is_late or (self._room is not None and self._room.is_overfull()):
                raise Overdue(self.reason())

        try:
            with WATCHDOG.calling(tick):
                yield
        except Overdue as limit:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of tasks that had not begun yet
                clear_frames(limit.__traceback__)
            raise

    @contextmanager
    def watching(self, kernel: Kernel) -> Iterator[None]:
        """End executions of a kernel in their midst when the deadline comes.

        Raises:
            OutOfTime: from within the block.
        """
        if self._ends_at == math.inf and self._room is None:
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

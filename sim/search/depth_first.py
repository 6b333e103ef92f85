"""Every schedule, in the order of how many preemptions it has.

A switch away from a task that could have gone on is a preemption; a switch from one
that is blocked or has ended is free. Counting from run-to-block (and not from
first-in-first-out) means that faults which need no preemption at all come first. Each
schedule is run once: an execution follows a prefix of choices and then never preempts;
every other answer that it could have given on its way is a prefix of its own, kept
until all prefixes with fewer preemptions are done.

Source: Musuvathi, Qadeer, "Iterative Context Bounding for Systematic Testing of
Multithreaded Programs", PLDI 2007, section 3 (the work queues). Within one number of
preemptions prefixes are taken oldest first, so that early preemptions are not starved
by late ones. No partial-order reduction: the exhaustive engine is the better way to
cover all states.

Complexity: a prefix is kept for each answer not tried yet, `PREFIXES_MAX` at most, as
one answer and the prefix before it; what does not fit is dropped, and then, as where an
execution does not end, nothing is proved.
Determinism: answers are tried with the running task first, then oldest first.
"""

from collections import deque
from typing import Any, Final

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.task import Task

PREFIXES_MAX: Final = 1_000_000

_Prefix = tuple[Any, int] | None
"""The prefix before the last answer, and that answer; None: no answer."""


class DepthFirst:
    """Enumerates schedules by number of preemptions.

    Args:
        preemptions_max: how many a schedule may have; None: as many as it likes.

    Attributes:
        bound: preemptions of the schedules that are being run.
    """

    name = "dfs"
    is_random = False

    def __init__(self, preemptions_max: int | None = None) -> None:
        self.bound = 0
        self._preemptions_max = preemptions_max
        self._pending: list[deque[_Prefix]] = [deque([None])]
        self._pending_count = 1
        self._was_cut = False
        self._is_under_way = False  # stays so where an execution is broken off
        self._kernel: Kernel | None = None
        self._prefix: list[int] = []  # still to be followed, the next one last
        self._path: _Prefix = None
        self._preemptions = 0

    def begin(self, kernel: Kernel) -> bool:
        """Take the next prefix, with as few preemptions as there are."""
        while self.bound < len(self._pending) and not self._pending[self.bound]:
            self.bound += 1
        if self.bound == len(self._pending):
            return False
        prefix = self._pending[self.bound].popleft()
        self._pending_count -= 1
        self._is_under_way = True
        self._kernel = kernel
        self._path, self._prefix = None, []
        while prefix is not None:
            prefix, answer = prefix
            self._prefix.append(answer)
        self._preemptions = 0
        return True

    def pick(self, enabled: list[Task]) -> int:
        """Follow the prefix; after it, let the running task go on."""
        stays = self._running(enabled)
        if self._prefix:
            index = self._prefix.pop()
        else:
            index = 0 if stays is None else stays
            cost = self._preemptions + (stays is not None)
            others = (other for other in range(len(enabled)) if other != index)
            for other in others:
                self._keep(other, cost)
        if stays is not None and index != stays:
            self._preemptions += 1
        self._path = (self._path, index)
        return index

    def choose(self, options_count: int) -> int:
        """Follow the prefix; after it, take the first option."""
        option = 0
        if self._prefix:
            option = self._prefix.pop()
        else:
            for other in range(1, options_count):
                self._keep(other, self._preemptions)
        self._path = (self._path, option)
        return option

    def _keep(self, answer: int, preemptions: int) -> None:
        """Keep the prefix that gives another answer here."""
        is_over = (
            self._preemptions_max is not None and preemptions > self._preemptions_max
        )
        if is_over or self._pending_count >= PREFIXES_MAX:
            self._was_cut = True
            return
        while len(self._pending) <= preemptions:
            self._pending.append(deque())
        self._pending[preemptions].append((self._path, answer))
        self._pending_count += 1

    def _running(self, enabled: list[Task]) -> int | None:
        """Return the index of the task that took the last step, if it is enabled."""
        kernel = self._kernel
        assert kernel is not None
        if kernel.steps_count == 0 or kernel.current not in enabled:
            return None
        return enabled.index(kernel.current)

    def end(self, kernel: Kernel) -> None:
        """Learn whether it came to an end by itself: what is left to try is known."""
        self._is_under_way = False
        self._was_cut |= kernel.is_fair or kernel.was_cut

    def proved(self) -> bool:
        """Return whether every schedule has been run."""
        is_left = self._pending_count > 0 or self._is_under_way
        return not is_left and not self._was_cut

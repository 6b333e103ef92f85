"""Tasks, and the rule that decides which of the enabled ones is next."""

from collections.abc import Coroutine
from typing import Any, Protocol

from wavecheck.sim.operation import Operation


class Task:
    """One sequential flow: a coroutine with a name and a place in the schedule.

    Attributes:
        name: unique in a kernel; shown in traces and schedules.
        index: order of spawning.
        operation: what it does next; None before its start and after its end.
        process: its flows, once it uses asyncio; see `event_loop`.
        is_enabled: its next step could be taken now.
        is_daemon: serves others, and need not end for an execution to be complete.
        statements_count: statements performed so far (no messages, no sleeps).
        ticks_slept: by calls of `time.sleep` in an untimed run.
        draws_count: random values that its code has drawn.
        locals: what libraries keep for each thread, kept for this task instead.
        was_cut: it was killed, or ended by an error.
    """

    __slots__ = (
        "coroutine",
        "draws_count",
        "index",
        "is_daemon",
        "is_enabled",
        "is_finished",
        "locals",
        "name",
        "operation",
        "process",
        "send",
        "statements_count",
        "ticks_slept",
        "was_cut",
    )

    def __init__(
        self,
        name: str,
        index: int,
        coroutine: Coroutine[Any, Any, Any],
        *,
        is_daemon: bool,
    ) -> None:
        self.name = name
        self.index = index
        self.coroutine = coroutine
        self.send = coroutine.send
        self.operation: Operation[Any] | None = None
        self.process: Any = None
        self.is_enabled = False
        self.is_finished = False
        self.is_daemon = is_daemon
        self.statements_count = 0
        self.ticks_slept = 0
        self.draws_count = 0
        self.locals: dict[Any, Any] = {}
        self.was_cut = False

    def __repr__(self) -> str:
        return f"Task({self.name!r})"

    def end(self) -> None:
        """Note that it will take no further step."""
        self.operation = None
        self.is_enabled = False
        self.is_finished = True


class Rule(Protocol):
    """Decides whatever is left open: the only source of nondeterminism."""

    def pick(self, enabled: list[Task]) -> int:
        """Return the index of the task that takes the next step; there are >= 2."""
        ...

    def choose(self, options_count: int) -> int:
        """Return which of the options, 0 to `options_count` - 1, a step takes."""
        ...


class FirstInFirstOut:
    """The default rule: the task that has waited longest; the first option."""

    def pick(self, enabled: list[Task]) -> int:
        """Return 0."""
        return 0

    def choose(self, options_count: int) -> int:
        """Return 0."""
        return 0


class InTurn:
    """A fair rule: the task that has waited longest; each option in its turn."""

    def __init__(self) -> None:
        self._asked = 0

    def pick(self, enabled: list[Task]) -> int:
        """Return 0."""
        return 0

    def choose(self, options_count: int) -> int:
        """Return the next option."""
        self._asked += 1
        return self._asked % options_count

"""Ends code under test that does not come back, such as `while True: pass`.

While a kernel runs, a timer of the operating system ticks now and then, and a tick that
finds the kernel at the step of many ticks before raises in the code that runs: no step
is slowed down, and nothing that the code sees depends on the timer. An error that the
code swallows is raised again at the next tick. The timer stops by itself a moment after
the last run.

Ticks are counted, not seconds, so a process that was stopped for a while is not blamed,
nor is code that a debugger has halted. Where another handler owns `SIGALRM`, the timer
counts the process's own time instead, and blocking calls do not end. Signals reach the
main thread only: elsewhere `why_not` says that nothing is ended.

Rejected: a thread that raises in another one (it would run beside the code under test,
and cannot interrupt a lock), and tracing (it slows down every line).
"""

import asyncio
import atexit
import gc
import os
import signal
import threading  # noqa: TID251 - to see whether this is the main thread
from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, Final

from wavecheck.sim.blame import Place, calling_at
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.event_loop import LOOP
from wavecheck.sim.surroundings import RUNNING

TICK_SECONDS: Final = 0.25
SECONDS_MIN: Final = 2.0
SECONDS_MAX: Final = 10.0
_IDLE_TICKS_MAX: Final = 4
_NOT_ENDED: Final = "code that never comes back is not ended"
_TIMERS: Final = (
    {
        signal.SIGALRM: signal.ITIMER_REAL,
        signal.SIGVTALRM: signal.ITIMER_VIRTUAL,
    }
    if hasattr(signal, "setitimer")
    else {}
)
_DEBUGGERS: Final = ("bdb.py", "pydevd.py", "pydevd_frame.py")


class Stuck(BaseException):
    """Raised in code that does not come back; no `except Exception` catches it.

    Attributes:
        place: the line that was running.
    """

    def __init__(self, place: Place | None) -> None:
        super().__init__("the code under test does not come back")
        self.place = place


class Watchdog:
    """Watches the kernel that runs in this process.

    Attributes:
        seconds: how long one step may take.
        why_not: why nothing is ended here; empty: it is.
    """

    def __init__(self) -> None:
        self.seconds = SECONDS_MAX
        self.why_not = ""
        self.kernel: object | None = None
        self.entered_count = 0
        self._before: tuple[signal.Signals, Any] | None = None  # and its handler
        self._last: tuple[int, int] = (0, 0)
        self._unchanged_ticks = 0
        self._idle_ticks = 0
        self._at_tick: Callable[[], None] | None = None

    @contextmanager
    def calling(self, at_tick: Callable[[], None]) -> Iterator[None]:
        """Call a function at every tick; what it raises comes from the code that runs.

        Within another such block, that one's function is called as well. Where a timer
        is not to be had, nothing is called.
        """
        if not _is_main_thread():
            yield
            return
        outer = self._at_tick

        def both() -> None:
            at_tick()
            if outer is not None:
                outer()

        self._at_tick = both
        self.arm()
        try:
            yield
        finally:
            self._at_tick = outer

    @property
    def is_unarmed(self) -> bool:
        """Whether no timer runs."""
        return self._before is None

    def allow(self, budget_seconds: float | None) -> None:
        """Let one step take as long as a whole command may, within reason."""
        wanted = SECONDS_MAX if budget_seconds is None else budget_seconds
        self.seconds = min(max(SECONDS_MIN, wanted), SECONDS_MAX)

    def arm(self) -> None:
        """Start the timer, if it does not run."""
        if self._before is not None and _is_main_thread():
            return
        if not hasattr(signal, "setitimer"):
            self.why_not = f"no timers of the system here: {_NOT_ENDED}"
            return
        if not _is_main_thread():
            self.why_not = f"outside of the main thread {_NOT_ENDED}"
            return
        is_free = signal.getsignal(signal.SIGALRM) is signal.SIG_DFL and not any(
            signal.getitimer(signal.ITIMER_REAL)
        )
        number = signal.SIGALRM if is_free else signal.SIGVTALRM
        before = signal.signal(number, self._tick)
        self.why_not, self._idle_ticks = "", 0
        self._before = number, before
        signal.setitimer(_TIMERS[number], TICK_SECONDS, TICK_SECONDS)

    def disarm(self) -> None:
        """Stop the timer and put the handler back that was there."""
        if self._before is not None:
            number, before = self._before
            signal.setitimer(_TIMERS[number], 0)
            signal.signal(number, before)
            self._before = None

    def forget(self) -> None:
        """Take it that no timer runs: this process was forked from one that had one."""
        if self._before is not None:
            with suppress(ValueError):
                signal.signal(*self._before)
            self._before = self.kernel = self._at_tick = None

    def _tick(self, number: int, frame: FrameType | None) -> None:
        if _is_collecting(frame):
            return  # what is raised there is ignored: the next tick sees to it
        if self._at_tick is not None:
            self._idle_ticks = 0
            if not _is_debugged(frame):
                self._at_tick()
        kernel = self.kernel
        if kernel is None:
            self._idle_ticks += 1
            if self._idle_ticks > _IDLE_TICKS_MAX:
                self.disarm()
            return
        now = self.entered_count, vars(kernel)["steps_count"]
        self._idle_ticks = 0
        if now != self._last:
            self._last, self._unchanged_ticks = now, 0
            return
        self._unchanged_ticks += 1
        is_over = self._unchanged_ticks * TICK_SECONDS >= self.seconds
        if is_over and not _is_debugged(frame):
            raise Stuck(calling_at(frame))


def _is_main_thread() -> bool:
    return get_ident() == threading.main_thread().ident


def _is_collecting(frame: FrameType | None) -> bool:
    """Return whether Python collects garbage, and calls whoever wants to know."""
    codes = [getattr(one, "__code__", None) for one in gc.callbacks]
    while frame is not None:
        if frame.f_code in codes or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _is_debugged(frame: FrameType | None) -> bool:
    while frame is not None:
        if os.path.basename(frame.f_code.co_filename) in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False


WATCHDOG: Final = Watchdog()
atexit.register(WATCHDOG.disarm)  # the handler is gone before the process is
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WATCHDOG.forget)


class watched:
    """Watches a kernel, whose tasks find an event loop, while it is entered.

    Raises:
        CoordinatorError: its code did not come back; file and line are named.
    """

    __slots__ = ("_before", "_is_watched", "_kernel")

    def __init__(self, kernel: object) -> None:
        self._kernel = kernel
        self._is_watched = _is_main_thread()  # whose runs end in the order they nest

    def __enter__(self) -> None:
        """Begin to watch; within another one of the same kernel that goes on."""
        if self._is_watched and WATCHDOG.kernel is self._kernel:
            self._before = None
            return
        if WATCHDOG.is_unarmed or not self._is_watched:
            WATCHDOG.arm()
        self._before = WATCHDOG.kernel, asyncio._get_running_loop()
        if self._is_watched:
            WATCHDOG.entered_count += 1
            WATCHDOG.kernel = self._kernel
        asyncio._set_running_loop(LOOP)  # type: ignore[arg-type]  # it stands in for one

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop watching."""
        if self._before is None:
            return
        before, loop = self._before
        if self._is_watched:
            WATCHDOG.kernel = before
        asyncio._set_running_loop(loop)
        if isinstance(error, Stuck):
            state = vars(self._kernel)
            task, step = state["current"], state["steps_count"]
            RUNNING.kernel = None
            raise CoordinatorError(
                f"task {task.name if task else '(none)'} does not come back after step"
                f" {step}: it was ended after {WATCHDOG.seconds:g} s in one step\n"
                f"  at  {error.place}\n"
                "likely: a loop with no statement in it, or a lock that nobody releases"
            ) from None

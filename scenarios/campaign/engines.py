"""Where pieces run: in this process, on all cores, or on a cluster.

One seam: an `Executor` of `concurrent.futures`. What an engine adds is how to open one
and what its failures mean. Which engine runs a piece, how many processes there are and
in which order they finish changes no result, because a piece is a pure function of
itself.

A process that dies costs the pieces it was running: they are run again. A piece during
which a process died three times is given up with a word about which one it was.

A local process lives as long as its pool: it waits for the end of a pipe that only the
parent can write to, and that end comes when the pool is shut down, when the user ends
the work, and also when the parent is killed. So nobody computes for nobody.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final, Generic, TypeVar

from wavecheck.sim.errors import InvalidScenario, WavecheckError
from wavecheck.sim.memory import count_from_first

DEATHS_MAX: Final = 3
PROCESSES_MAX: Final = 1024
AHEAD: Final = 2
"""Pieces handed over for each process, so that none waits for this one."""

IDLE_SECONDS: Final = 1.0
"""Between two calls of `idle`, while no piece ends."""

_GRACE_SECONDS: Final = 0.5
"""For a result that is on its way while its process is to end."""

P = TypeVar("P")
R = TypeVar("R")


class EngineLost(WavecheckError):
    """What ran the pieces is gone; what was finished is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Something that runs pieces.

    Attributes:
        name: for people.
        processes: how many pieces run at once.
        open: makes the executor.
        deaths: what a future raises when its process died.
        losses: what a future raises when the engine itself is gone.
        close: called when no more pieces will come.
        shares_memory: its processes are on this machine.
    """

    name: str
    processes: int
    open: Callable[[], Executor]
    deaths: tuple[type[BaseException], ...] = ()
    losses: tuple[type[BaseException], ...] = ()
    close: Callable[[], None] = lambda: None
    shares_memory: bool = True

    def memory_of_each(self, limit: int) -> int:
        """Return the bytes that a piece may hold, of what all may hold together."""
        return limit // self.processes if self.shares_memory else limit


class _Inline(Executor):
    """Runs what is submitted at once, here."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


IN_PROCESS: Final = Engine(name="this process", processes=1, open=_Inline)
"""Runs one piece after another, here."""


def local_engine(processes: int | None = None) -> Engine:
    """Return the engine that runs pieces in processes of this machine.

    Args:
        processes: how many; one for each core if not given. One: this process.

    Raises:
        InvalidScenario: fewer than one, or absurdly many.
    """
    count = processes if processes is not None else (os.cpu_count() or 1)
    if not 1 <= count <= PROCESSES_MAX:
        raise InvalidScenario(
            f"{count} processes\n  expected  1 to {PROCESSES_MAX:,}, as in --jobs 4"
        )
    if count == 1:
        return IN_PROCESS
    return Engine(
        name=f"{count} processes",
        processes=count,
        open=lambda: _Pool(count),
        deaths=(BrokenProcessPool,),
    )


class _Pool(ProcessPoolExecutor):
    """Processes that end with the pool, even in the middle of a piece."""

    def __init__(self, count: int) -> None:
        # Not forked: a fork copies whatever threads and files the caller happens to
        # have.
        context = multiprocessing.get_context("spawn")
        end, self._pipe = context.Pipe(duplex=False)
        super().__init__(
            max_workers=count,
            mp_context=context,
            initializer=_live_until,
            initargs=(end,),
        )

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        with _interrupts_held():  # a process inherits that, and so never sees Ctrl-C
            return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        self._pipe.close()
        super().shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait until the end of the block, and never reach what starts there.

    A started process inherits which signals are blocked. That does not hold Ctrl-C back
    here, because any other thread may still receive it: so it is noted.
    """
    is_main = threading.current_thread() is threading.main_thread()
    seen: list[int] = []
    if is_main:
        before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with _blocked(signal.SIGINT):
            yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before or signal.SIG_DFL)
    for number in seen[:1]:
        signal.raise_signal(number)


@contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Block a signal for this thread and what it starts, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_AT_WORK: Final = threading.Event()
"""Set while this process runs a piece."""


def _live_until(end: Connection) -> None:
    """Leave Ctrl-C to the process that hands out the pieces, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    count_from_first()
    threading.Thread(target=_end_at, args=(end,), daemon=True).start()


def _end_at(end: Connection) -> None:
    end.poll(None)
    if not _AT_WORK.is_set():
        time.sleep(_GRACE_SECONDS)
    os._exit(0)


def _timed(function: Callable[[P], R], piece: P) -> tuple[R, float]:
    began = time.perf_counter()
    _AT_WORK.set()
    try:
        result = function(piece)
    finally:
        _AT_WORK.clear()
    return result, time.perf_counter() - began


def run_pieces(
    engine: Engine,
    function: Callable[[P], R],
    pieces: Iterable[P],
    *,
    ahead: int = AHEAD,
    idle: Callable[[], None] = lambda: None,
) -> Iterator[tuple[P, R, float]]:
    """Yield (piece, result, seconds it took) as pieces finish, in any order.

    Args:
        engine: where.
        function: of a module, so that other processes find it.
        pieces: read only as fast as they are run.
        ahead: pieces handed over for each process; 1 where a piece must not wait, as
            one that knows how much time is left.
        idle: called once a second while no piece ends.

    Raises:
        EngineLost: the engine is gone, or a piece kills every process that runs it.
        Exception: whatever the function raised; other pieces are not waited for.
    """
    work = _Work(engine, function, pieces, ahead)
    try:
        while work.hand_out():
            yield from work.collect(idle)
    finally:
        work.stop()


class _Work(Generic[P, R]):
    """Pieces on their way through an engine."""

    def __init__(
        self,
        engine: Engine,
        function: Callable[[P], R],
        pieces: Iterable[P],
        ahead: int,
    ) -> None:
        self._engine = engine
        self._function = function
        self._todo = iter(pieces)
        # Alone, nothing is handed over ahead: it would be done on the spot.
        self._most = engine.processes * ahead if engine.processes > 1 else 1
        self._suspects: list[P] = []
        self._is_trial = False
        self._deaths: list[tuple[P, int]] = []
        self._waiting: dict[Future[tuple[R, float]], P] = {}
        self._executor = engine.open()

    def hand_out(self) -> bool:
        """Keep every process busy; return whether anything is under way.

        What was under way when a process died is run alone, one after another: then a
        further death has one possible cause.
        """
        if self._is_trial and self._waiting:
            return True
        self._is_trial = bool(self._suspects)
        if self._is_trial:
            self._submit(self._suspects.pop(0))
            return True
        while len(self._waiting) < self._most:
            piece = next(self._todo, None)
            if piece is None:
                break
            self._submit(piece)
        return bool(self._waiting)

    def _submit(self, piece: P) -> None:
        try:
            future = self._executor.submit(_timed, self._function, piece)
        except self._engine.deaths as error:  # while this process was busy elsewhere
            future = Future()
            future.set_exception(error)
        except self._engine.losses as error:
            raise self._lost(error) from error
        self._waiting[future] = piece

    def collect(self, idle: Callable[[], None]) -> Iterator[tuple[P, R, float]]:
        """Yield what has finished, as soon as something has."""
        done, _ = wait(self._waiting, IDLE_SECONDS, FIRST_COMPLETED)
        if not done:
            idle()
        has_died = False
        for future in [one for one in self._waiting if one in done]:
            piece = self._waiting.pop(future)
            try:
                result, seconds = future.result()
            except self._engine.deaths as error:
                has_died = True
                self._suspect(piece, error)
                continue
            except self._engine.losses as error:
                raise self._lost(error) from error
            yield piece, result, seconds
        if has_died:
            # The pool is broken as a whole: what it had is run again in a new one.
            self._suspects.extend(self._waiting.values())
            self._waiting.clear()
            self._executor.shutdown(wait=False)
            self._executor = self._engine.open()

    def stop(self) -> None:
        """Ask for nothing any more."""
        # It cancels what waits; from here that would confuse a pool as it breaks.
        self._executor.shutdown(wait=False)

    def _suspect(self, piece: P, error: BaseException) -> None:
        count = 1 + next((n for one, n in self._deaths if one is piece), 0)
        if count >= DEATHS_MAX:
            raise EngineLost(
                f"a process died {count} times while it ran {piece}\n"
                "likely: it needs more memory than there is, or its code ends the"
                " process\n"
                "what was finished is kept"
            ) from error
        self._deaths = [pair for pair in self._deaths if pair[0] is not piece]
        self._deaths.append((piece, count))
        self._suspects.append(piece)

    def _lost(self, error: BaseException) -> EngineLost:
        return EngineLost(
            f"{self._engine.name}: gone in the middle of the work"
            f" ({type(error).__name__})\n"
            "what was finished is kept\n"
            "next: start it again, and go on with --resume"
        )

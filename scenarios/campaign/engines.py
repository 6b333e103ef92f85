"""Where pieces run: in this process, on all cores, or on a cluster.

One seam: an `Executor` of `concurrent.futures`. What an engine adds is how to open one
and what its failures mean. Which engine runs a piece, how many processes there are and
in which order they finish changes no result, because a piece is a pure function of
itself.

A process that dies costs the pieces it was running: they are run again. A piece during
which a process died three times is given up with a word about which one it was.
"""

import multiprocessing
import signal
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
from dataclasses import dataclass
from os import cpu_count
from typing import Any, Final, TypeVar

from sim.errors import InvalidScenario, WavecheckError

DEATHS_MAX: Final = 3
PROCESSES_MAX: Final = 1024
_AHEAD: Final = 2
"""Pieces handed over for each process, so that none waits for this one."""

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
    """

    name: str
    processes: int
    open: Callable[[], Executor]
    deaths: tuple[type[BaseException], ...] = ()
    losses: tuple[type[BaseException], ...] = ()
    close: Callable[[], None] = lambda: None


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
    count = processes if processes is not None else (cpu_count() or 1)
    if not 1 <= count <= PROCESSES_MAX:
        raise InvalidScenario(
            f"{count} processes\n  expected  1 to {PROCESSES_MAX:,}, as in --jobs 4"
        )
    if count == 1:
        return IN_PROCESS
    return Engine(
        name=f"{count} processes",
        processes=count,
        open=lambda: _pool(count),
        deaths=(BrokenProcessPool,),
    )


def _pool(count: int) -> ProcessPoolExecutor:
    # Not forked: a fork copies whatever threads and files the caller happens to have.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        max_workers=count, mp_context=context, initializer=_ignore_interrupts
    )


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that hands out the pieces."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _timed(function: Callable[[P], R], piece: P) -> tuple[R, float]:
    began = time.perf_counter()
    result = function(piece)
    return result, time.perf_counter() - began


def run_pieces(
    engine: Engine, function: Callable[[P], R], pieces: Iterable[P]
) -> Iterator[tuple[P, R, float]]:
    """Yield (piece, result, seconds it took) as pieces finish, in any order.

    Args:
        engine: where.
        function: of a module, so that other processes find it.
        pieces: read only as fast as they are run.

    Raises:
        EngineLost: the engine is gone, or a piece kills every process that runs it.
        Exception: whatever the function raised; other pieces are not waited for.
    """
    todo = iter(pieces)
    again: list[P] = []
    deaths: list[tuple[P, int]] = []
    waiting: dict[Future[tuple[R, float]], P] = {}
    executor = engine.open()
    try:
        while True:
            while len(waiting) < engine.processes * _AHEAD:
                piece = again.pop() if again else next(todo, None)
                if piece is None:
                    break
                waiting[executor.submit(_timed, function, piece)] = piece
                if engine.processes == 1:
                    break
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            died = False
            for future in [one for one in waiting if one in done]:
                piece = waiting.pop(future)
                try:
                    result, seconds = future.result()
                except engine.deaths as error:
                    died = True
                    again.append(piece)
                    deaths = _counted(deaths, piece, error)
                    continue
                except engine.losses as error:
                    raise EngineLost(
                        f"{engine.name}: gone in the middle of the work"
                        f" ({type(error).__name__})\n"
                        "what was finished is kept\n"
                        "next: start it again, and go on with --resume"
                    ) from error
                yield piece, result, seconds
            if died:
                # The pool is broken as a whole: what it had is run again in a new one.
                again.extend(waiting.values())
                waiting.clear()
                executor.shutdown(wait=False)
                executor = engine.open()
    finally:
        for future in waiting:
            future.cancel()
        executor.shutdown(wait=False)


def _counted(
    deaths: list[tuple[P, int]], piece: P, error: BaseException
) -> list[tuple[P, int]]:
    count = 1 + next((n for one, n in deaths if one is piece), 0)
    if count >= DEATHS_MAX:
        raise EngineLost(
            f"a process died {count} times while it ran {piece}\n"
            "likely: it needs more memory than there is, or its code ends the process\n"
            "what was finished is kept"
        ) from error
    return [(one, n) for one, n in deaths if one is not piece] + [(piece, count)]

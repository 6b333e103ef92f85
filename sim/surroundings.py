"""Clock, chance and process of the code under test: the world's, while a task runs.

`time.time`, `datetime.now`, `time.sleep`, `random`, `uuid4`, `secrets`, `os.getpid` and
the like are replaced once in this process by functions that ask whether a task is
running. If none is, they call the real ones: nothing outside of a world changes. In a
task they give

- the world's time: virtual time in a timed run; else `EPOCH`, moved on by what this
  task itself has slept, because in an untimed run no other time passes;
- drawn values that are fixed by the seed, the task's name and how many it has drawn.

Code that builds a world or makes what is under test sees values of the same kind, and
so does a user's file while it is loaded, so that an id that a module makes at once is
the same in every process. It may start threads and connect: that is no part of a world.

So what a task sees is a function of its own past, and its past is all that the engine
keeps of it: `past_of` is part of a task's local state. What escapes (C code that asks
the system itself) is found like any other nondeterminism.

`datetime.now` is exchanged in the type itself, not by another type: instances,
subclasses and names that were imported before stay what they are. Rejected: a stand-in
class for `datetime` (a lookup by exact type, as adapters of drivers make, fails then);
replacing and restoring at each question (names imported in between keep stand-ins).
"""

import asyncio
import ctypes
import datetime as datetimes
import gc
import os
import random
import socket
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from types import BuiltinFunctionType
from typing import Any, Final, NoReturn, Protocol, TypeVar

from wavecheck.sim.blame import calling_at
from wavecheck.sim.blocking import current_blocking, wait_for
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.task import Task

Made = TypeVar("Made")


class TaskClock(Protocol):
    """What is asked of the kernel whose task runs.

    Attributes:
        is_timed: virtual time passes.
        seed: of everything that is drawn.
    """

    is_timed: bool
    seed: int

    @property
    def now(self) -> float:
        """Ticks since the world's begin."""

    def sleep(self, ticks: int) -> Any:
        """Return what a task awaits to let time pass."""


EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""The moment at which each world begins."""

_EPOCH_TICKS: Final = int(EPOCH.timestamp()) * 1_000_000
_FIRST_PID: Final = 1_000


class Running(threading.local):
    """Whose code runs now, in each thread: a cluster runs worlds in several.

    Attributes:
        kernel: of the task that is running; None between two tasks.
        outside: where a user's code runs in no task.
        guard_reads: the parts that the guard has read which is asked now.
    """

    kernel: "TaskClock | None" = None
    outside: "Outside | None" = None

    def __init__(self) -> None:
        self.guard_reads: list[object] = []


RUNNING: Final = Running()


class Outside:
    """Stands for the kernel where a user's code runs in no task.

    Attributes:
        current: counts what is drawn, as a task does.
        of_user: the code that asks must be a user's own; libraries get real values.
    """

    is_timed = False
    now = 0.0

    def __init__(self, seed: int, *, of_user: bool = False) -> None:
        self.seed = seed
        self.current = _Counts()
        self.of_user = of_user

    def sleep(self, ticks: int) -> NoReturn:
        """Never asked: no virtual time passes."""
        raise AssertionError(ticks)


class _Counts:
    """What is asked of a task, where there is none."""

    name: Final = ""
    index: Final = -1

    def __init__(self) -> None:
        self.ticks_slept = 0
        self.draws_count = 0


def made_outside(one: Outside, make: Callable[..., Made], *args: Any) -> Made:
    """Return what a user's code makes in no task; it sees the values of a world."""
    before, RUNNING.outside = RUNNING.outside, one
    try:
        return make(*args)
    finally:
        RUNNING.outside = before


def values_of() -> "TaskClock | None":
    """Return whose clock and chance the code that asks sees; None: the system's."""
    if RUNNING.kernel is not None or RUNNING.outside is None:
        return RUNNING.kernel
    return None if RUNNING.outside.of_user and not _asked_by_user() else RUNNING.outside


def _asked_by_user() -> bool:
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") in _GO_BETWEENS:
        frame = frame.f_back
    file = frame.f_code.co_filename
    return not file.startswith((*_LIBRARIES, "<"))


_GO_BETWEENS: Final = (__name__, "uuid", "random", "secrets", "os", "datetime")
_LIBRARIES: Final = tuple(
    sysconfig.get_path(one) for one in ("stdlib", "platstdlib", "purelib", "platlib")
)


def machine_seconds() -> float:
    """Return the machine's own time, whosever code runs: deadlines are kept by it."""
    seconds: float = _ORIGINALS.get("monotonic", time.monotonic)()
    return seconds


def running_task(kernel: TaskClock) -> Task:
    """Return the running task, unseen by whoever records what a step looks at."""
    task: Task = vars(kernel)["current"]
    return task


def refuse_here(what: str, instead: str) -> NoReturn:
    """Refuse what the code under test does, with its line.

    Raises:
        CoordinatorError: in the engine; code that catches everything does not see it.
    """
    error = CoordinatorError(f"{what}\n  at    {calling_at()}\nnext: {instead}")
    if current_blocking() is not None:
        wait_for(_raising(error))
    raise error


async def _raising(error: Exception) -> None:
    raise error


def task_locals() -> dict[Any, Any]:
    """Return what is kept for the running task, as `threading.local` for a thread."""
    assert RUNNING.kernel is not None
    return running_task(RUNNING.kernel).locals


def past_of(task: Task) -> tuple[int, int]:
    """Return what decides about the clock and the chance that a task will see."""
    return task.ticks_slept, task.draws_count


def ticks_now(kernel: TaskClock) -> int:
    """Return the time that the running task reads, in ticks since the world's begin."""
    if kernel.is_timed:
        return int(kernel.now)
    return running_task(kernel).ticks_slept


def moment_now(kernel: TaskClock) -> datetime:
    """Return the moment that the running task reads."""
    return EPOCH + timedelta(microseconds=ticks_now(kernel))


def drawn_bytes(kernel: TaskClock, count: int) -> bytes:
    """Return random bytes for the running task."""
    task = running_task(kernel)
    task.draws_count += 1
    key = f"{kernel.seed}/{task.name}/{task.draws_count}".encode()
    found = blake2b(key, digest_size=64).digest()
    while len(found) < count:
        found += blake2b(found[-64:] + key, digest_size=64).digest()
    return found[:count]


def _slept(kernel: TaskClock, seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    ticks = round(seconds * 1_000_000)
    if not kernel.is_timed:  # whoever may go next could go next anyway
        running_task(kernel).ticks_slept += ticks
    elif current_blocking() is not None:
        wait_for(kernel.sleep(ticks))
    else:
        refuse_here("time.sleep stops a whole event loop", "await asyncio.sleep")


# What replaces what: each is called with the kernel and the original's arguments ------


def _local_time(kernel: TaskClock, seconds: float | None = None) -> time.struct_time:
    if seconds is None:
        seconds = (_EPOCH_TICKS + ticks_now(kernel)) // 1_000_000
    return _ORIGINALS["gmtime"](seconds)  # type: ignore[no-any-return]  # time's own


def _drawn_float(kernel: TaskClock) -> float:
    return (int.from_bytes(drawn_bytes(kernel, 8)) >> 11) / (1 << 53)


def _drawn_bits(kernel: TaskClock, count: int) -> int:
    if count < 0:
        raise ValueError("number of bits must be non-negative")
    size = (count + 7) // 8
    return int.from_bytes(drawn_bytes(kernel, size)) >> (size * 8 - count)


def _seeded(kernel: TaskClock, *seed: object) -> None:
    refuse_here(
        "random.seed sets one source that all tasks share",
        "draw from a random.Random(seed) that the task owns",
    )


def _seeded_own(
    kernel: TaskClock, source: random.Random, seed: Any = None, version: int = 2
) -> None:
    """Seed a source that code makes for itself; without a seed, by a drawn value."""
    if seed is None:
        seed = drawn_bytes(kernel, 32)
    _ORIGINALS["Random.seed"](source, seed, version)


def _pid(kernel: TaskClock) -> int:
    return _FIRST_PID + running_task(kernel).index


def _started(kernel: TaskClock, thread: threading.Thread) -> None:
    refuse_here(
        f"the code under test starts a thread, {thread.name}",
        "make what the thread does a task of the world",
    )


def _looped(kernel: TaskClock) -> None:
    refuse_here(
        "the code under test starts an event loop of its own",
        "give the world the coroutine function; the world's tasks may be coroutines",
    )


def _connected(kernel: TaskClock, connecting: socket.socket, address: object) -> None:
    refuse_here(
        f"the code under test opens a connection to {address!r}",
        "hand it a stand-in from the world: a database, or recorded calls",
    )


_TIMES: Final[dict[str, Callable[..., Any]]] = {
    "time": lambda kernel: (_EPOCH_TICKS + ticks_now(kernel)) / 1_000_000,
    "time_ns": lambda kernel: (_EPOCH_TICKS + ticks_now(kernel)) * 1_000,
    "localtime": _local_time,
    "gmtime": _local_time,
    "sleep": _slept,
    **dict.fromkeys(
        ("monotonic", "perf_counter", "process_time", "thread_time"),
        lambda kernel: ticks_now(kernel) / 1_000_000,
    ),
    **dict.fromkeys(
        ("monotonic_ns", "perf_counter_ns", "process_time_ns", "thread_time_ns"),
        lambda kernel: ticks_now(kernel) * 1_000,
    ),
}
_ORIGINALS: Final[dict[str, Callable[..., Any]]] = {}


def _replacements() -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Yield (owner, name, what is called in a task)."""
    for name, replacement in _TIMES.items():
        yield time, name, replacement
    yield os, "urandom", drawn_bytes
    yield os, "getpid", _pid
    yield random, "_urandom", drawn_bytes
    yield random, "random", _drawn_float
    yield random, "getrandbits", _drawn_bits
    yield random.Random, "seed", _seeded_own
    yield socket, "gethostname", lambda kernel: "world"


def _refusals() -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Yield (owner, name, what refuses it in a task); nobody refuses it elsewhere."""
    yield asyncio, "new_event_loop", _looped
    yield asyncio.events, "new_event_loop", _looped
    yield random, "seed", _seeded
    yield socket.socket, "connect", _connected
    yield threading.Thread, "start", _started


def _running_kernel() -> TaskClock | None:
    return RUNNING.kernel


def _replacing(
    original: Callable[..., Any],
    replacement: Callable[..., Any],
    asked: Callable[[], TaskClock | None],
) -> Callable[..., Any]:
    """Return a function that calls one of two, for want of a kernel the original."""

    def either(*args: Any, **named: Any) -> Any:
        kernel = asked()
        if kernel is None:
            return original(*args, **named)
        return replacement(kernel, *args, **named)

    either.__name__ = getattr(original, "__name__", replacement.__name__)
    either.__doc__ = original.__doc__
    return either


def _fields(moment: datetime) -> tuple[Any, ...]:
    return (*moment.timetuple()[:6], moment.microsecond, moment.tzinfo)


def _now(kind: type[datetime], tz: datetimes.tzinfo | None = None) -> datetime:
    kernel = values_of()
    if kernel is None:
        return _ORIGINALS["now"].__get__(None, kind)(tz)  # type: ignore[no-any-return]  # a method
    moment = moment_now(kernel).astimezone(tz or UTC)
    return kind(*_fields(moment if tz else moment.replace(tzinfo=None)))


def _utc_now(kind: type[datetime]) -> datetime:
    kernel = values_of()
    if kernel is None:
        return _ORIGINALS["utcnow"].__get__(None, kind)()  # type: ignore[no-any-return]  # a method
    return kind(*_fields(moment_now(kernel).replace(tzinfo=None)))


def _today(kind: type[datetimes.date]) -> datetimes.date:
    kernel = values_of()
    if kernel is None:
        return _ORIGINALS["today"].__get__(None, kind)()  # type: ignore[no-any-return]  # a method
    moment = moment_now(kernel).replace(tzinfo=None)
    if issubclass(kind, datetime):
        return kind(*_fields(moment))
    return kind(moment.year, moment.month, moment.day)


def _exchange_methods() -> None:
    """Put other class methods into the types of `datetime`, which C has closed."""
    changed = ctypes.pythonapi.PyType_Modified
    changed.argtypes = [ctypes.py_object]
    changed.restype = None
    for kind, name, function in (
        (datetime, "now", _now),
        (datetime, "utcnow", _utc_now),
        (datetimes.date, "today", _today),
    ):
        (held,) = gc.get_referents(kind.__dict__)
        _ORIGINALS[name] = held[name]
        held[name] = classmethod(function)
        changed(kind)


def install() -> None:
    """Put the replacements in place, once in a process.

    A module that has imported one of the originals by name gets the replacement too.
    """
    if _ORIGINALS:
        return
    exchanged: dict[Callable[..., Any], Callable[..., Any]] = {}
    refused = [(*one, _running_kernel) for one in _refusals()]
    replaced = [(*one, values_of) for one in _replacements()]
    for owner, name, replacement, asked in refused + replaced:
        original = getattr(owner, name)
        _ORIGINALS[getattr(original, "__qualname__", name)] = original
        either = _replacing(original, replacement, asked)
        setattr(owner, name, either)
        exchanged[original] = either
    shared: Any = random._inst  # of random.random
    shared.random, shared.getrandbits = random.random, random.getrandbits
    uuid._generate_time_safe = None  # type: ignore[attr-defined]  # uuid1 asks `time`
    _exchange_methods()
    for module in list(sys.modules.values()):
        held = getattr(module, "__dict__", None)
        if type(held) is not dict or module in (time, os, random, socket):
            continue
        for name, value in list(held.items()):
            if type(value) is BuiltinFunctionType and value in exchanged:
                held[name] = exchanged[value]

"""What code under test does to the system, where no part and no object shows it.

A file that is written, a variable of the environment, a process, a socket, a database
on disk: each can carry state from one task to another, and no proof would see it. While
code under test runs in a proof, Python's audit events tell of these, and the proof is
refused with the line of the code. Reading a file is let pass, since nothing that runs
may write one; so is what Python's imports and the handlers of `logging` do.

Python cannot remove an audit hook. There is one for the process, from the first proof
on, and it does nothing while no code under test runs in one.
"""

import os
import sys
import threading  # noqa: TID251 - what is seen belongs to one thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from wavecheck.sim.blame import calling_at
from wavecheck.sim.exhaustive.refusal import CannotLearn
from wavecheck.sim.surroundings import RUNNING

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_ALLOWED: Final = ("importlib._bootstrap", "importlib._bootstrap_external", "logging")

Describe = Callable[[tuple[Any, ...]], str | None]


class _Escapes(threading.local):
    """What was seen in this thread.

    Attributes:
        is_on: a proof runs in it.
        found: the first refusal that code under test may have caught.
    """

    is_on = False
    found: CannotLearn | None = None


_ESCAPES: Final = _Escapes()
_INSTALLED: Final[list[bool]] = []


@contextmanager
def watching_escapes() -> Iterator[None]:
    """Refuse what code under test does to the system meanwhile."""
    if not _INSTALLED:
        sys.addaudithook(_note)
        _INSTALLED.append(True)
    before, _ESCAPES.is_on = _ESCAPES.is_on, True
    try:
        yield
    finally:
        _ESCAPES.is_on, _ESCAPES.found = before, None


def check_escapes() -> None:
    """See that nothing has escaped.

    Raises:
        CannotLearn: something has, and code under test may have caught the refusal.
    """
    if _ESCAPES.found is not None:
        found, _ESCAPES.found = _ESCAPES.found, None
        raise found


def _opened(args: tuple[Any, ...]) -> str | None:
    path, mode, flags = args
    is_written = any(one in mode for one in "wax+") if mode else flags & _WRITES
    return f"opens {_shown(path)} to write" if is_written else None


def _shown(value: object) -> str:
    return repr(os.fspath(value)) if isinstance(value, os.PathLike) else repr(value)


def _saying(what: str, *shown: int) -> Describe:
    """Return what describes an event, with some of its arguments."""

    def describe(args: tuple[Any, ...]) -> str:
        return " ".join(
            [what, *[_shown(args[one]) for one in shown if one < len(args)]]
        )

    return describe


_EVENTS: Final[dict[str, Describe]] = {
    "open": _opened,
    **{
        f"os.{name}": _saying(f"calls os.{name} on", 0)
        for name in (
            *("remove", "rename", "mkdir", "rmdir", "link", "symlink", "truncate"),
            *("chmod", "chown", "utime", "setxattr", "removexattr", "lockf", "chdir"),
        )
    },
    **{
        f"shutil.{name}": _saying(f"calls shutil.{name} on", 0)
        for name in ("copyfile", "copytree", "move", "rmtree", "make_archive")
    },
    "os.putenv": _saying("sets the environment's", 0),
    "os.unsetenv": _saying("removes the environment's", 0),
    **{
        name: _saying("starts a program", 0)
        for name in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
    },
    "os.fork": _saying("forks"),
    "os.forkpty": _saying("forks"),
    "os.kill": _saying("sends a signal to process", 0),
    "_thread.start_new_thread": _saying("starts a thread"),
    "sqlite3.connect": _saying("opens the database", 0),
    "dbm.open": _saying("opens the database", 0),
    "tempfile.mkstemp": _saying("makes the file", 0),
    "tempfile.mkdtemp": _saying("makes the folder", 0),
    "mmap.__new__": _saying("maps memory"),
    "fcntl.flock": _saying("locks a file"),
    "fcntl.lockf": _saying("locks a file"),
    "socket.bind": _saying("listens at", 1),
    "socket.connect": _saying("opens a connection to", 1),
    "socket.sendto": _saying("sends to", 1),
    "socket.getaddrinfo": _saying("looks up the host", 0),
    "socket.gethostbyname": _saying("looks up the host", 0),
}


def _note(event: str, args: tuple[Any, ...]) -> None:
    """Refuse an event that is caused by code under test."""
    if event not in _EVENTS or not _ESCAPES.is_on or RUNNING.kernel is None:
        return
    what = _EVENTS[event](args)
    if what is None or _is_allowed():
        return
    error = CannotLearn(
        f"cannot be proved: the code under test {what}\n"
        f"  at  {calling_at(sys._getframe(1))}\n"
        "likely: state outside of the process, which another task may see\n"
        "next: hand it a stand-in from the world, or search with --strategy random"
        " instead"
    )
    if _ESCAPES.found is None:
        _ESCAPES.found = error
    raise error


def _is_allowed() -> bool:
    """Return whether an import, a log's handler, or the engine itself does it."""
    frame: FrameType | None = sys._getframe(2)
    name = sys._getframe(2).f_globals.get("__name__") or ""
    if name.startswith(_ENGINE):
        return True
    while frame is not None:
        if frame.f_globals.get("__name__") in _ALLOWED:
            return True
        frame = frame.f_back
    return False


_ENGINE: Final = tuple(
    f"{__name__.partition('.')[0]}.{one}." for one in ("sim", "scenarios", "reports")
)

"""Where code under test stands or failed: file, line, function, last statement.

Knows coroutines, greenlets and tracebacks only. Of several frames the innermost one of
the user's own code is told: neither the standard library's, nor another package's, nor
ours, as long as there is such a frame.
"""

import linecache
import re
import sys
import sysconfig
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any, Final

from wavecheck.sim.operation import Operation, Statement

_ENGINE: Final = Path(__file__).parent
_PACKAGE: Final = _ENGINE.parent
_STDLIB: Final = Path(sysconfig.get_paths()["stdlib"])
_INSTALLED: Final = Path(sysconfig.get_paths()["purelib"])


@dataclass(frozen=True, slots=True)
class Place:
    """A line of code.

    Attributes:
        file: as Python names it, usually an absolute path.
        line: 1-based.
        function: qualified name.
    """

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        """Return it as people read it: the file from the working folder."""
        return f"{_short(self.file)}:{self.line} in {self.function.rpartition('.')[2]}"


def raised_at(error: BaseException, task_name: str) -> tuple[str, Place | None]:
    """Say in one line which task raised what, and where; return the place as well."""
    place = _raised_at(error)
    where = "" if place is None else f" at {place}: {_line(place)}"
    return f"{task_name} raised {_error_text(error)}{where}", place


def describe_users_error(error: BaseException) -> str | None:
    """Say where a user's code that is no task raised; None: none of it did."""
    place = _raised_at(error)
    if place is None or _distance(place.file) > 0:
        return None
    return (
        f"{_error_text(error)}\n"
        f"  at  {place}: {_line(place)}\n"
        "likely: a property, a guard or a condition of the world that does not fit its"
        " parts\n"
        "next: correct that line, and give the same command again"
    )


def describe_failure(
    error: BaseException,
    task_name: str,
    operation: Operation[Any] | None,
    step: int,
) -> str:
    """Say which task raised what, where, and after which statement."""
    at = _raised_at(error)
    place = "(no frame of the coordinator)" if at is None else f"{at}: {_line(at)}"
    after = "its start"
    if operation is not None:
        after = call_text(operation.statement, operation.args)
    if is_about_a_loop(error):
        return (
            f"task {task_name} runs an event loop of its own after step {step}\n"
            f"  at   {place}\n"
            f"  got  {_error_text(error)}\n"
            "next: await in its place; asyncio works as it is inside of a task"
        )
    return (
        f"task {task_name} raised {_error_text(error)} after step {step}\n"
        f"  at     {place}\n"
        f"  after  {after}\n"
        "likely: a fault in the code under test; nothing after this step was run"
    )


def is_about_a_loop(error: BaseException) -> bool:
    """Return whether an error says that a real event loop cannot run here."""
    return isinstance(error, RuntimeError) and "running event loop" in str(error)


def describe_foreign_await(
    awaited: object, task_name: str, coroutine: Coroutine[Any, Any, Any], step: int
) -> str:
    """Say where a task awaited something that is no statement of the protocol."""
    return (
        f"task {task_name} awaited something foreign after step {step}\n"
        f"  at        {standing_at(coroutine)}\n"
        "  expected  a statement of the database protocol\n"
        f"  got       {type(awaited).__module__}.{type(awaited).__qualname__}\n"
        "likely: asyncio, a real driver or a bare generator in the code under test;\n"
        "time and input must come through the protocol"
    )


def describe_endless(
    steps_max: int,
    task_name: str,
    statements_count: int,
    coroutine: Coroutine[Any, Any, Any],
    *,
    is_timed: bool,
) -> str:
    """Say that the step limit was reached, and where the last task stands."""
    more = "raise the limit with --steps if the run is really that long"
    if not is_timed:
        more = "smaller sizes, with --set, if an execution is really that long"
    return (
        f"step limit reached: {steps_max} steps, the last by task {task_name}"
        f" ({statements_count} statements)\n"
        f"  at  {standing_at(coroutine)}\n"
        "likely: a loop in the coordinator that never ends\n"
        f"next: {more}"
    )


def call_text(statement: Statement, args: tuple[Any, ...]) -> str:
    """Write a statement with its arguments, like `claim_batch('b-1')`."""
    arguments = ", ".join(repr_of(argument) for argument in args)
    return f"{statement.name}({arguments})"


def repr_of(value: object) -> str:
    """Write a value for people: enum members by their value."""
    return repr(str(value)) if isinstance(value, str) else repr(value)


def standing_at(coroutine: Coroutine[Any, Any, Any]) -> Place | None:
    """Return where a suspended task stands; None: it has ended."""
    return _place(
        Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)
        for frame in frames_of(coroutine)
    )


def calling_at(frame: FrameType | None = None) -> Place | None:
    """Return the line of the user's code that the engine runs now.

    Args:
        frame: the innermost one; the caller's if not given.
    """
    places: list[Place] = []
    frame = frame or sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        is_engine = _distance(code.co_filename) == _OF_THE_ENGINE
        if is_engine and places and _distance(places[-1].file) < _OF_THE_ENGINE:
            break  # whoever called the engine is not meant
        places.append(Place(code.co_filename, frame.f_lineno, code.co_qualname))
        frame = frame.f_back
    return _place(reversed(places))


def frames_of(coroutine: Coroutine[Any, Any, Any]) -> Iterator[Any]:
    """Yield the frames of a suspended task, outermost first.

    Blocking code that a coroutine runs in a greenlet comes behind that coroutine.
    """
    waiting: Any = coroutine
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is None:
            return
        yield frame
        for value in frame.f_locals.values():
            yield from _greenlet_frames(value)
        waiting = getattr(waiting, "cr_await", None) or getattr(
            waiting, "gi_yieldfrom", None
        )


def _greenlet_frames(value: object) -> list[Any]:
    """Return the frames of a suspended greenlet, outermost first; else nothing."""
    found = []
    frame = getattr(value, "gr_frame", None) if hasattr(value, "gr_context") else None
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


def _raised_at(error: BaseException) -> Place | None:
    return _place(
        Place(frame.f_code.co_filename, line, frame.f_code.co_qualname)
        for frame, line in walk_tb(error.__traceback__)
    )


def _place(places: Iterable[Place]) -> Place | None:
    """Return the innermost place that is the user's own, as far as there is one."""
    found = list(places)
    if not found:
        return None
    least = min(_distance(one.file) for one in found)
    nearest = [one for one in found if _distance(one.file) == least]
    if least == _OF_A_PACKAGE:  # installed code that uses other installed code
        nearest = [one for one in nearest if _top(one.file) == _top(nearest[0].file)]
    return nearest[-1] if least < _OF_THE_ENGINE else None


_OF_A_PACKAGE: Final = 1
_OF_THE_ENGINE: Final = 3


@cache
def _distance(file: str) -> int:
    """Return how far code is from the user's own."""
    path = Path(file)
    if path.is_relative_to(_ENGINE) or file.startswith("<frozen"):
        return _OF_THE_ENGINE
    if path.is_relative_to(_PACKAGE):
        return 2
    if path.is_relative_to(_INSTALLED):
        return _OF_A_PACKAGE
    return _OF_THE_ENGINE if path.is_relative_to(_STDLIB) else 0


def is_of_a_user(file: str) -> bool:
    """Return whether code is neither ours nor Python's own."""
    return _distance(file) <= _OF_A_PACKAGE


def _top(file: str) -> str:
    return Path(file).relative_to(_INSTALLED).parts[0]


def _line(place: Place) -> str:
    return linecache.getline(place.file, place.line).strip()


def _error_text(error: BaseException) -> str:
    """Write an error without what differs from run to run."""
    return re.sub(r"\bat 0x[0-9a-fA-F]+", "at (address)", repr(error))


def _short(filename: str) -> str:
    path = Path(filename)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return filename

"""Where code under test failed, in words: file, line, function, last statement.

Knows coroutines and tracebacks only.
"""

import sysconfig
from collections.abc import Coroutine, Iterable
from pathlib import Path
from traceback import FrameSummary, extract_tb
from typing import Any

from wavecheck.sim.operation import Operation, Statement

_OURS = Path(__file__).parent


def place_of(frames: Iterable[FrameSummary]) -> str:
    """Return the innermost line of the user's own code: file, line, function, text.

    Where there is none, of what else is neither Python's library nor the engine.
    """
    found = [
        one
        for one in frames
        if not Path(one.filename).is_relative_to(_OURS)
        and not _is_library(one.filename)
    ]
    own = [
        one
        for one in found
        if not Path(one.filename).is_relative_to(_OURS.parent)
        and "site-packages" not in Path(one.filename).parts
    ]
    if not found:
        return "(no frame of the code under test)"
    last = (own or found)[-1]
    return f"{_short(last.filename)}:{last.lineno} in {last.name}: {last.line}"


def describe_failure(
    error: BaseException,
    task_name: str,
    operation: Operation[Any] | None,
    step: int,
) -> str:
    """Say which task raised what, where, and after which statement."""
    frames = [
        frame
        for frame in extract_tb(error.__traceback__)
        if not Path(frame.filename).is_relative_to(_OURS)
        and not _is_library(frame.filename)
    ]
    place = "(no frame of the coordinator)"
    if frames:
        last = frames[-1]
        place = f"{_short(last.filename)}:{last.lineno} in {last.name}: {last.line}"
    after = "its start"
    if operation is not None:
        after = call_text(operation.statement, operation.args)
    if isinstance(error, RuntimeError) and "no running event loop" in str(error):
        return (
            f"task {task_name} used asyncio after step {step}\n"
            f"  at        {place}\n"
            "  expected  a statement of the database protocol\n"
            "  got       a call that needs asyncio's event loop\n"
            "likely: asyncio.sleep or a real driver in the code under test;\n"
            "time and input must come through the protocol"
        )
    return (
        f"task {task_name} raised {error!r} after step {step}\n"
        f"  at     {place}\n"
        f"  after  {after}\n"
        "likely: a fault in the code under test; nothing after this step was run"
    )


def describe_foreign_await(
    awaited: object, task_name: str, coroutine: Coroutine[Any, Any, Any], step: int
) -> str:
    """Say where a task awaited something that is no statement of the protocol."""
    name, line, function = _innermost(coroutine)
    return (
        f"task {task_name} awaited something foreign after step {step}\n"
        f"  at        {_short(name)}:{line} in {function}\n"
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
) -> str:
    """Say that the step limit was reached, and where the last task stands."""
    name, line, function = _innermost(coroutine)
    return (
        f"step limit reached: {steps_max} steps, the last by task {task_name}"
        f" ({statements_count} statements)\n"
        f"  at  {_short(name)}:{line} in {function}\n"
        "likely: a loop in the coordinator that never ends\n"
        "next: raise the limit with --steps if the run is really that long"
    )


def call_text(statement: Statement, args: tuple[Any, ...]) -> str:
    """Write a statement with its arguments, like `claim_batch('b-1')`."""
    arguments = ", ".join(repr_of(argument) for argument in args)
    return f"{statement.name}({arguments})"


def repr_of(value: object) -> str:
    """Write a value for people: enum members by their value."""
    return repr(str(value)) if isinstance(value, str) else repr(value)


def _innermost(coroutine: Coroutine[Any, Any, Any]) -> tuple[str, int, str]:
    """Follow the chain of awaits to the frame of the code under test that is last."""
    place = ("?", 0, "?")
    current: Any = coroutine
    while current is not None:
        frame = getattr(current, "cr_frame", None) or getattr(current, "gi_frame", None)
        if frame is None:
            break
        code = frame.f_code
        if not Path(code.co_filename).is_relative_to(_OURS) and not _is_library(
            code.co_filename
        ):
            place = (code.co_filename, frame.f_lineno, code.co_name)
        current = getattr(current, "cr_await", None) or getattr(
            current, "gi_yieldfrom", None
        )
    return place


def _is_library(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(_STDLIB) and "site-packages" not in path.parts


def _short(filename: str) -> str:
    path = Path(filename)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return filename


_STDLIB = Path(sysconfig.get_paths()["stdlib"])

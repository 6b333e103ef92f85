"""Where a suspended coroutine stands: its frames, live variables and value stacks.

Knows CPython's frames and nothing of tasks. Written for 3.11 and valid for 3.12 and
3.13: what it reads is checked against the frame's own variables, and whatever does not
match is `CannotCompare`, for which the caller has a slower answer.

Theory of operation: the chain `cr_await` leads from a task's coroutine to the innermost
awaited object. The values on a frame's stack (the iterator of a `for` loop, a half
built argument list) are no attribute of it, but the garbage collector visits them: the
referents of a coroutine end with its variables in slot order, then its stack.
"""

import gc
from dataclasses import dataclass
from types import CellType, CodeType, CoroutineType, FunctionType, GeneratorType
from typing import Any

from wavecheck.sim.exhaustive.liveness import live_at
from wavecheck.sim.exhaustive.refusal import CannotCompare


async def _nothing() -> None:
    """Be awaited by nobody."""


_coroutine = _nothing()
_WRAPPER = type(_coroutine.__await__())
_coroutine.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One suspended frame.

    Attributes:
        code: what runs.
        offset: of the instruction that suspended it.
        values: live variables by slot, then cells, then the stack; None as a name
            marks a value of the stack.
    """

    code: CodeType
    offset: int
    values: tuple[tuple[str | None, Any], ...]


def stands_of(coroutine: Any) -> list[Stand]:
    """Return the frames of a suspended coroutine, outermost first.

    Raises:
        CannotCompare: something in the chain is not a coroutine or a generator.
    """
    found = []
    current: Any = coroutine
    while current is not None:
        if isinstance(current, CoroutineType):
            frame, awaited = current.cr_frame, current.cr_await
        elif isinstance(current, GeneratorType):
            frame, awaited = current.gi_frame, current.gi_yieldfrom
        elif type(current) is _WRAPPER:  # of a coroutine that a generator awaits
            (current,) = gc.get_referents(current)
            continue
        else:
            raise CannotCompare(type(current).__name__)
        if frame is None:
            raise CannotCompare("a coroutine that has ended")
        values = _live_values(current, frame, awaited)
        found.append(
            Stand(code=frame.f_code, offset=frame.f_lasti, values=tuple(values))
        )
        current = awaited
    return found


def _live_values(owner: Any, frame: Any, awaited: Any) -> list[tuple[str | None, Any]]:
    code = frame.f_code
    slots = _slots(owner, code)
    bound = dict(frame.f_locals)
    live = live_at(code, frame.f_lasti)
    found: list[tuple[str | None, Any]] = []
    position = 0

    def take() -> Any:
        nonlocal position
        if position == len(slots):
            raise CannotCompare(f"the variables of {code.co_qualname}")
        position += 1
        return slots[position - 1]

    for name in code.co_varnames:
        if name in code.co_cellvars:
            found.append((name, _cell(take(), code)))
        elif name in bound:
            value = take()
            if value is not bound[name]:
                raise CannotCompare(f"the variables of {code.co_qualname}")
            if name in live:
                found.append((name, value))
    extra = [name for name in code.co_cellvars if name not in code.co_varnames]
    found.extend((name, _cell(take(), code)) for name in (*extra, *code.co_freevars))
    found.extend((None, value) for value in _stack(slots[position:], awaited, code))
    return found


def _stack(values: list[Any], awaited: Any, code: CodeType) -> list[Any]:
    """Return what is on the stack below the awaited object.

    Behind the stack the collector visits the exception being handled: None if there
    was one before, nothing if there never was; the same to the code. An exception
    belongs to what is on the stack: the code may look at it, or raise it again.
    """
    if awaited is not None:
        for index, value in enumerate(values):
            if value is awaited:
                values, behind = values[:index], values[index + 1 :]
                break
        else:
            raise CannotCompare(f"the stack of {code.co_qualname}")
        values = [*values, *(value for value in behind if value is not None)]
    elif values and values[-1] is None:
        values = values[:-1]
    return values


def _cell(value: Any, code: CodeType) -> CellType:
    if not isinstance(value, CellType):
        raise CannotCompare(f"the variables of {code.co_qualname}")
    return value


def _slots(owner: Any, code: CodeType) -> list[Any]:
    """Return the bound slots and the stack of a suspended coroutine or generator."""
    referents = gc.get_referents(owner)
    for index in range(len(referents) - 1):
        function = referents[index]
        if (
            isinstance(function, FunctionType)
            and function.__code__ is code
            and referents[index + 1] is code
        ):
            return referents[index + 2 :]
    raise CannotCompare(f"the frame of {code.co_qualname}")

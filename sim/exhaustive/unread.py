"""A number that may be kept, added to and handed on, and never looked at.

It stands for every number at once: code that only counts does the same with it as with
any number, and code that looks at it (compares, prints, divides by it, asks whether it
is zero) is noted, even if it catches the error. What a call in C does with it by its
type alone shows in the instructions that run next: `traced` lists them, to be compared
with those of a run on a real number.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Final

from wavecheck.sim.errors import WavecheckError
from wavecheck.sim.exhaustive.trust import is_trusted, module_named
from wavecheck.sim.surroundings import RUNNING


class NumberRead(WavecheckError):
    """A number that nothing should depend on was looked at; internal."""


class Unread:
    """Stands for any number.

    Args:
        readers: the names of the operations that looked at it are added to this.
        kind: `int` or `float`, which it says to be an instance of.
    """

    __slots__ = ("_kind", "_readers")

    def __init__(self, readers: list[str], kind: type) -> None:
        object.__setattr__(self, "_readers", readers)
        object.__setattr__(self, "_kind", kind)

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return _get(self, "_kind")
        return _read(self, name)


_get: Final = object.__getattribute__
_KEEPS: Final = ("__add__", "__radd__", "__sub__", "__rsub__")
_MULTIPLIES: Final = ("__mul__", "__rmul__")
_SIGNS: Final = ("__neg__", "__pos__")
_READS: Final = (
    *("__bool__", "__int__", "__float__", "__index__", "__complex__", "__hash__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__"),
    *("__str__", "__repr__", "__format__", "__bytes__", "__iter__", "__len__"),
    *("__mod__", "__rmod__", "__floordiv__", "__rfloordiv__", "__truediv__"),
    *("__rtruediv__", "__divmod__", "__rdivmod__", "__pow__", "__rpow__", "__abs__"),
    *("__and__", "__rand__", "__or__", "__ror__", "__xor__", "__rxor__"),
    *("__lshift__", "__rlshift__", "__rshift__", "__rrshift__", "__invert__"),
    *("__round__", "__trunc__", "__floor__", "__ceil__", "__call__", "__getitem__"),
    *("__reduce__", "__reduce_ex__", "__copy__", "__deepcopy__", "__dir__"),
    *("__setattr__", "__delattr__", "__enter__", "__await__", "__next__"),
)


def _read(number: Unread, name: str) -> Any:
    _get(number, "_readers").append(name)
    raise NumberRead(name)


def _keeping(name: str) -> Callable[[Unread, Any], Any]:
    def combined(number: Unread, other: Any) -> Any:
        kinds = _get(number, "_kind"), type(other)
        if type(other) is Unread:
            kinds = kinds[0], _get(other, "_kind")
        if kinds[1] is not int and kinds[1] is not float:
            return _read(number, name)
        return Unread(_get(number, "_readers"), float if float in kinds else int)

    return combined


def _signed(number: Unread) -> Unread:
    return Unread(_get(number, "_readers"), _get(number, "_kind"))


def _reading(name: str) -> Callable[..., Any]:
    def read(number: Unread, *args: Any, **named: Any) -> Any:
        return _read(number, name)

    return read


for _name in (*_KEEPS, *_MULTIPLIES):
    setattr(Unread, _name, _keeping(_name))
for _name in _SIGNS:
    setattr(Unread, _name, _signed)
for _name in _READS:
    setattr(Unread, _name, _reading(_name))


Instructions = list[tuple[CodeType, int]]
"""What ran: the code, and the offset of an instruction in it."""


@contextmanager
def traced() -> Iterator[Instructions]:
    """List the instructions of code under test that tasks run meanwhile."""
    found: Instructions = []
    known: dict[CodeType, bool] = {}

    def is_followed(frame: FrameType) -> bool:
        code = frame.f_code
        if code not in known:
            module = module_named(frame.f_globals.get("__name__"))
            known[code] = module is None or not is_trusted(module)
        return known[code]

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if RUNNING.kernel is None or not is_followed(frame):
            return None
        frame.f_trace_opcodes = True
        found.append((frame.f_code, frame.f_lasti))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield found
    finally:
        sys.settrace(before)

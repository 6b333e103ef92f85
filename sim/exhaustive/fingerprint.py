"""What an exploration has learned and judges by, as one checksum.

Knows values and code objects. Two worlds with equal fingerprints have answered every
question so far alike, about equal values, and judge them by the same code. Nothing in
it depends on addresses, on hash seeds or on where a file lies.
"""

from collections.abc import Iterable
from enum import Enum
from functools import partial
from hashlib import sha256
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, Final

_DEPTH_MAX: Final = 8


class Fingerprint:
    """A checksum that values are added to, in order."""

    def __init__(self) -> None:
        self._sum = sha256()

    def add(self, *values: Any) -> None:
        """Add values."""
        for value in values:
            self._sum.update(_text(value, 0).encode("utf-8", "backslashreplace"))

    def text(self) -> str:
        """Return the checksum so far."""
        return self._sum.hexdigest()


def _text(value: Any, depth: int) -> str:
    """Write a value so that what differs in value or code is written differently."""
    kind = type(value).__qualname__
    if depth > _DEPTH_MAX:
        return f"{kind};"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return f"{kind} {value!r};"
    if isinstance(value, Enum):
        return f"{kind} {value.name};"
    if isinstance(value, tuple | list):
        return f"{kind}({_joined(value, depth)});"
    if isinstance(value, frozenset | set):
        return f"{kind}({''.join(sorted(_text(one, depth + 1) for one in value))});"
    if isinstance(value, dict):
        items = sorted(_text(item, depth + 1) for item in value.items())
        return f"{kind}({''.join(items)});"
    held = _code_of(value)
    return f"{kind}({'' if held is None else _joined(held, depth)});"


def _joined(values: Iterable[Any], depth: int) -> str:
    return "".join([_text(one, depth + 1) for one in values])


def _code_of(value: Any) -> tuple[Any, ...] | None:
    """Return what decides about what a function does; None: it is none."""
    if isinstance(value, FunctionType):
        return value.__code__, value.__defaults__, value.__closure__
    if isinstance(value, CodeType):
        return value.co_code, value.co_names, value.co_varnames, value.co_consts
    if isinstance(value, CellType):
        return (value.cell_contents,)
    if isinstance(value, MethodType):
        return (value.__func__,)
    if isinstance(value, partial):
        return value.func, value.args, value.keywords
    return (value.__module__, value.__qualname__) if isinstance(value, type) else None

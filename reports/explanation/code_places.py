"""Where in its code a task stands: the functions it is in, and the lines around.

Knows suspended coroutines and nothing of what they wait for. Names no path: the same
code gives the same place on every machine.
"""

import linecache
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

_BEFORE: Final = 3
_AFTER: Final = 1
_LINE_MAX: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePlace:
    """A line of code that waits for a statement.

    Attributes:
        functions: names of the functions it is in, outermost first.
        lines: some lines of the innermost one, cut and without common indentation.
        at: index of the line that waits.
    """

    functions: tuple[str, ...]
    lines: tuple[str, ...]
    at: int


def place_of(coroutine: Coroutine[Any, Any, Any]) -> CodePlace | None:
    """Return where a suspended coroutine stands; None if its code is in no file."""
    names: list[str] = []
    waiting: Any = coroutine
    innermost: Any = None
    while hasattr(waiting, "cr_await"):
        frame = waiting.cr_frame
        if frame is None:
            break
        names.append(waiting.__name__)
        innermost, waiting = frame, waiting.cr_await
    if innermost is None:
        return None
    code, number = innermost.f_code, innermost.f_lineno
    first = max(code.co_firstlineno, number - _BEFORE)
    text = linecache.getlines(code.co_filename, innermost.f_globals)
    last = min(len(text), max(number + _AFTER, number), _end_of(code))
    lines = [line.rstrip("\n")[:_LINE_MAX] for line in text[first - 1 : last]]
    if not 0 <= number - first < len(lines):
        return None
    margin = min(
        (len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0
    )
    return CodePlace(
        functions=tuple(names),
        lines=tuple(line[margin:] for line in lines),
        at=number - first,
    )


def _end_of(code: Any) -> int:
    return max(int(line) for _, _, line in code.co_lines() if line is not None)

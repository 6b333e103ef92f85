"""State that nothing reads and no judged property needs: what may be left out.

Knows parts and keys, nothing of numbers. A component that steps only add to, set or
append to, without looking at it, cannot change what any step does; two states that
differ in nothing else are one.

Theory of operation: while steps are learned, each look at a component makes it
*needed*, and so does a check of a judged property. A write that looks at nothing leaves
a component out unless it is needed already. If it turns out to be needed later, what
was explored is void: the exploration begins again and keeps it.
"""

import dis
import sys
from collections.abc import Hashable
from functools import cache
from types import CodeType
from typing import Final

from wavecheck.sim.parts import Part

Place = tuple[str, Hashable]
"""A part's name and the key of a component."""


WHOLE: Final = "(whole)"
"""The key of the only component of a part that is recorded as one value."""


class StateNeeded(Exception):
    """Something was left out that is needed; the exploration must begin again."""


class Reduction:
    """What is needed and what is left out.

    Args:
        is_on: otherwise everything is needed.

    Attributes:
        left_out: what is written and never looked at, in order of discovery.
        is_broken: something left out has turned out to be needed.
    """

    def __init__(self, *, is_on: bool = False) -> None:
        self.is_on = is_on
        self.left_out: dict[Place, None] = {}
        self.is_broken = False
        self._needed: set[Place] = set()
        self._needed_parts: set[str] = set()

    def need(self, part: Part, key: Hashable) -> None:
        """Note that a component is looked at."""
        if self.is_on:
            place = (part.name, key)
            self._needed.add(place)
            self.is_broken |= place in self.left_out

    def need_all(self, part: Part) -> None:
        """Note that all of a part is looked at, whatever it will hold."""
        if self.is_on:
            self._needed_parts.add(part.name)
            self.is_broken |= any(name == part.name for name, _ in self.left_out)

    def leaves_out(self, part: Part, key: Hashable) -> bool:
        """Return whether a component is left out."""
        return (part.name, key) in self.left_out

    def leave_out(self, part: Part, key: Hashable) -> bool:
        """Leave a component out, unless it is needed; return whether it is left out."""
        place = (part.name, key)
        if not self.is_on or place in self._needed or part.name in self._needed_parts:
            return False
        self.left_out[place] = None
        return True

    def check(self) -> None:
        """Make sure that nothing left out is needed.

        Raises:
            StateNeeded: begin again, after `begin_again`.
        """
        if self.is_broken:
            raise StateNeeded

    def begin_again(self) -> None:
        """Leave nothing out that is not written once more; what is needed stays so."""
        self.left_out.clear()
        self.is_broken = False

    @property
    def names(self) -> tuple[str, ...]:
        """What is left out, in words."""
        return tuple(
            [
                part if key in (None, WHOLE) else f"{part}[{key!r}]"
                for part, key in self.left_out
            ]
        )


def is_result_dropped(method_name: str) -> bool:
    """Return whether the caller's caller calls a method and drops what it returns.

    Only a plain `value.method(...)` on a line of its own counts; whatever else is
    found, the result may be used.

    Args:
        method_name: of the method that asks this.
    """
    frame = sys._getframe(2)
    return _is_dropped(frame.f_code, frame.f_lasti, method_name)


@cache
def _is_dropped(code: CodeType, offset: int, method_name: str) -> bool:
    instructions = list(dis.get_instructions(code))
    index = sum(one.offset <= offset for one in instructions) - 1
    if index < 0 or index + 1 == len(instructions):
        return False
    call, following = instructions[index : index + 2]
    if not call.opname.startswith("CALL") or following.opname != "POP_TOP":
        return False
    for one in instructions[:index][::-1]:
        if one.argval == method_name and one.opname in ("LOAD_METHOD", "LOAD_ATTR"):
            # The call begins where the method's own expression does: it is called here
            # and not handed to something else that is called here.
            return _start(one) is not None and _start(one) == _start(call)
    return False


def _start(one: dis.Instruction) -> tuple[int, int] | None:
    place = one.positions
    if place is None or place.lineno is None or place.col_offset is None:
        return None
    return place.lineno, place.col_offset

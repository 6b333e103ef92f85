"""Values that a task still goes by after they have changed.

A step that changes nothing is a look. After every step of another task each look is
asked again, without effect; where the answer is another one, the value that its task
holds is old, and the step that made it old is known. Whoever waits for new work has
decided by what it read before; what it does then, it does for another reason.

Complexity: one evaluation per open look and step; meant for one execution.
"""

from dataclasses import dataclass
from typing import Any, Final

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.search.asking import ask_again
from wavecheck.sim.task import Task

LOOKS_MAX: Final = 8
"""How many of its latest looks a task is assumed to go by."""


@dataclass(frozen=True, slots=True)
class OldValue:
    """An old value that is acted on; steps by number."""

    looked: int
    changed: int
    acted: int


@dataclass(slots=True)
class _Look:
    step: int
    operation: Operation[Any]
    expected: Any  # what it would answer if only its own task had acted
    changed: int = 0


class OldValues:
    """Finds old values; `note` is a step listener.

    Attributes:
        found: in order of the acting step.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.found: list[OldValue] = []
        self._kernel = kernel
        self._looks: dict[str, list[_Look]] = {}

    def note(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        """Take note of one step."""
        number = self._kernel.steps_count
        looks = self._looks.setdefault(task.name, [])
        if operation.statement.enabled is not None:
            looks.clear()
        if changes:
            self.found += [
                OldValue(one.step, one.changed, number) for one in looks if one.changed
            ]
        for owner, open_ones in self._looks.items():
            for look in open_ones:
                now = ask_again(self._kernel, look.operation)
                if owner == task.name:
                    look.expected = look.expected if look.changed else now
                elif now == look.expected:
                    look.changed = 0
                elif not look.changed:
                    look.changed = number
        is_look = not changes and operation.statement.kind is not Kind.SLEEP
        is_look = is_look and not operation.statement.acts_outside
        if is_look and result is not None and not isinstance(result, Exception):
            looks[:] = [one for one in looks if not _is_same(one.operation, operation)]
            looks.append(_Look(number, operation, result))
            del looks[:-LOOKS_MAX]


def _is_same(one: Operation[Any], other: Operation[Any]) -> bool:
    """Return whether an operation asks the same once more."""
    return one.statement is other.statement and one.args == other.args

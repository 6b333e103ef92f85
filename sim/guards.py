"""Sees that a guard reads no other part than the one that wakes its task.

A task that waits is asked again when the part that its statement names (`wakes_on`) has
changed. A guard that reads another part as well lies: it may have become true, or
false, and nobody asks. So what guards read is noted, in every proof and in those
executions of a search that are recorded or run twice.

A part notes its use by an exchange of its class while one guard is asked.
"""

from typing import Any, Final

from wavecheck.sim.blame import Place, call_text
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.event_loop import Joint
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Part
from wavecheck.sim.surroundings import RUNNING

_TELLS_NOTHING: Final = frozenset(
    {"name", "watchers", "waiters", "wakes_one", "__class__", "__dict__"}
)
_NOTING: Final[dict[type[Part], type[Part]]] = {}


def ask(parts: dict[str, Part], operation: Operation[Any]) -> bool:
    """Return whether the guard of an operation holds.

    Args:
        parts: all that there are.
        operation: whose statement is guarded.

    Raises:
        InvalidScenario: the guard reads a part whose changes do not wake the task.
    """
    statement = operation.statement
    assert statement.enabled is not None
    assert statement.wakes_on is not None
    waking: Any = statement.wakes_on(operation.owner, *operation.args)
    kinds = [(part, type(part)) for part in parts.values()]
    seen: list[Any] = RUNNING.guard_reads
    seen.clear()
    for part, kind in kinds:
        part.__class__ = _noting(kind)
    try:
        is_enabled = statement.enabled(operation.owner, *operation.args)
    finally:
        for part, kind in kinds:
            part.__class__ = kind
    for part in seen:
        lists = waking.lists if isinstance(waking, Joint) else [waking.waiters]
        if not any(part.waiters is one for one in lists):
            code = statement.enabled.__code__
            place = Place(code.co_filename, code.co_firstlineno, statement.name)
            raise InvalidScenario(
                f"the guard of {call_text(statement, operation.args)} reads"
                f" {part.name!r}, and changes of that do not wake who waits for it\n"
                f"  at        {place}\n"
                f"  wakes on  {waking.name!r}\n"
                f"next: let both wake it, where the parts are made:"
                f" self.{part.name}.wake_with(self.{waking.name})"
            )
    return is_enabled


def _noting(kind: type[Part]) -> type[Part]:
    known = _NOTING.get(kind)
    if known is not None:
        return known

    class Noting(kind):  # type: ignore[valid-type, misc]  # mypy: no variable as a base
        def __getattribute__(self, name: str) -> Any:
            if name not in _TELLS_NOTHING:
                RUNNING.guard_reads.append(self)
            return super().__getattribute__(name)

    _NOTING[kind] = Noting
    return Noting

"""Locks, events, queues and the like of asyncio that tasks share, as a part.

Knows asyncio's objects and who has used them in which order; nothing of statements.

Theory of operation: code uses such an object between two statements, at once, and what
it does then depends on every use before. So the part's value is a *moment*: the uses
so far, in their order, each told by its task and the results that this task had been
given. A moment is come to by doing the same again in a fresh execution, with asyncio's
own code and its real futures, so who waits, in which order, who is cancelled and who is
passed over is asyncio's to say. A resumption that uses none of these objects commutes
with all others and is no part of a moment. To use one is to read and write any of its
attributes, or to go on as a process of flows, which a future may have woken.

Rejected: each method as a statement of its own (`event.set()` and `queue.put_nowait()`
do not await, and `if not lock.locked()` and what follows are one atomic step in
asyncio); the attributes of each object as the value, with tokens for futures (it merges
more states, and must repeat by hand what asyncio's code does with a future that is
resolved, cancelled, or removed from a list while its owner has not run yet).

Known gaps: while something is learned an object's class is one derived from asyncio's;
code that asks for the exact type is refused by the accompanying executions, and so is
`object.__setattr__` on one. Moments are finer than need be, so a task that loops for
ever with such an object is ended by the limits of a proof.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from types import FrameType, MethodType
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import ATOMS, vars_of
from wavecheck.sim.exhaustive.recording import HANDOFFS, Recorder, record_part
from wavecheck.sim.exhaustive.refusal import refuse
from wavecheck.sim.exhaustive.trust import trust_class
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Part

History = tuple[int, ...]

_KINDS: Final = frozenset(
    {
        *(asyncio.Lock, asyncio.Event, asyncio.Condition),
        *(asyncio.Semaphore, asyncio.BoundedSemaphore),
        *(asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue),
    }
)
_VALUES: Final = frozenset({*ATOMS, float, complex})
_OF_ASYNCIO: Final = frozenset({"_loop", "_waiters", "_getters", "_putters"})
"""Attributes that hold futures and the loop."""


def is_handed(value: object) -> bool:
    """Return whether an object is one of asyncio's by which tasks meet."""
    kind = type(value)
    return kind in _KINDS or is_noted(kind)


class _Uses:
    """Notes that code uses an object that tasks share."""

    def __init__(self, recorder: Recorder) -> None:
        self.is_noted = False
        self._recorder = recorder

    def note(self, owner: object) -> None:
        """Note a use, unless nothing is being learned."""
        if not self._recorder.is_active:
            return
        if self._recorder.is_statement:
            raise refuse(
                f"a statement or a property uses an asyncio {type(owner).__name__}",
                task="(any)",
                likely="state that belongs into a part",
            )
        self.is_noted = True

    def note_inside(self, owner: object, name: str, user: FrameType) -> None:
        """Refuse that other code than asyncio's gets a hold of what is inside."""
        is_private = name[:2] != "__" or name in ("__dict__", "__reduce_ex__")
        module = str(user.f_globals.get("__name__"))
        if is_private and self._recorder.is_active and module[:8] != "asyncio.":
            raise refuse(
                f"code looks into an asyncio {type(owner).__name__}: {name}",
                task="(any)",
                likely="its methods do not tell enough, or it is copied",
            )


def _noted(kind: Any, uses: _Uses) -> type:
    """Return a class whose instances note that one of them is used."""

    class Noted(kind):  # type: ignore[misc]  # mypy: no variable as a base
        noted_by = uses

        def __getattribute__(self, name: str) -> Any:
            if name != "__class__":
                uses.note(self)
                if name[:1] == "_":
                    uses.note_inside(self, name, sys._getframe(1))
            return super().__getattribute__(name)

        def __setattr__(self, name: str, value: Any) -> None:
            uses.note(self)
            super().__setattr__(name, value)

        def __delattr__(self, name: str) -> None:
            uses.note(self)
            super().__delattr__(name)

    Noted.__name__, Noted.__qualname__ = kind.__name__, kind.__qualname__
    trust_class(Noted)
    return Noted


def is_noted(kind: type) -> bool:
    """Return whether the instances of a class note that they are used."""
    return type(vars_of(kind).get("noted_by")) is _Uses


def inside(owner: object) -> dict[str, Any]:
    """Return the attributes of an object; nobody notes it."""
    found: dict[str, Any] = object.__getattribute__(owner, "__dict__")
    return found


def with_inner(owner: object) -> Iterator[object]:
    """Yield an object, and those of its kind that asyncio keeps in it."""
    yield owner
    for name in ("_lock", "_finished"):
        inner = inside(owner).get(name)
        if is_handed(inner):
            yield inner


def copied(held: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of what an object holds."""
    return {
        name: one.copy() if type(one) in (deque, list) else one
        for name, one in held.items()
    }


def _shown(owner: object) -> Any:
    """Return what an object holds, in a form to compare with another execution's."""
    found: list[Any] = [type(owner).__qualname__]
    for name, one in inside(owner).items():
        if name in _OF_ASYNCIO:
            shown: Any = len(one) if type(one) in (deque, list) else one is None
        elif is_handed(one):
            shown = _shown(one)
        else:
            shown = None if type(one) is MethodType else (type(one), repr(one))
        found.append((name, shown))
    return found


def _is_value(value: Any) -> bool:
    """Return whether what one task hands on can be changed by none."""
    kind = type(value)
    if kind is tuple or kind is frozenset:
        return all(map(_is_value, value))
    return kind in _VALUES


class Handoffs(Part):
    """How tasks have used what they share of asyncio.

    Args:
        kernel: of the world.
        recorder: knows whether a resumption runs.

    Attributes:
        moment: number of the uses so far.
        component: index of this part's component.
    """

    is_bookkeeping = True

    def __init__(self, kernel: Kernel, recorder: Recorder) -> None:
        super().__init__(kernel, HANDOFFS)
        self.moment = 0
        self.component = 0
        self._uses = _Uses(recorder)
        self._kernel = kernel
        self._before: list[tuple[int, int, History]] = [(0, 0, ())]
        self._woken: list[frozenset[str]] = []
        self._numbers: dict[tuple[int, int, History], int] = {}
        self._objects: list[object] = []
        self._begins: list[Any] = []
        self._lasting: list[tuple[object, dict[str, Any]]] = []
        self._classes: dict[type, type] = {}
        record_part(self, recorder)

    def snapshot(self) -> int:
        """Return the moment."""
        return self.moment

    def restore(self, state: int) -> None:
        """Set the moment."""
        self.moment = state

    def mark(self) -> None:
        """Do nothing: the first moment is the mark."""

    def rewind(self) -> None:
        """Come back to the first moment; what outlives executions is as it was."""
        self.moment = 0
        for owner, held in self._lasting:
            inside(owner).clear()
            inside(owner).update(copied(held))

    def has_woken(self, name: str) -> bool:
        """Return whether a process can go on, woken by another task."""
        return name in self._woken[self.moment]

    def keep(self, lasting: Iterable[tuple[object, dict[str, Any]]]) -> None:
        """Note what outlives executions, and what it held at first."""
        self._lasting = list(lasting)

    def take(self, objects: Iterable[object]) -> None:
        """Note the objects of an execution that has just started."""
        self._objects = list(objects)
        for one in self._objects:
            kind: Any = type(one)
            plain = kind.__bases__[0] if is_noted(kind) else kind
            if plain not in self._classes:
                self._classes[plain] = _noted(plain, self._uses)
            one.__class__ = self._classes[plain]
        self._check_values("(any)")
        begins = [_shown(one) for one in self._objects]
        if not self._woken:
            self._begins = begins
            self._woken.append(self._woken_now())
        elif begins != self._begins:
            raise refuse(
                "an asyncio object that tasks share differs each time the world starts",
                task="(none)",
                likely="a counter or a random source in what makes it",
            )

    def way_to(self, moment: int) -> list[tuple[int, History]]:
        """Return the uses before a moment: whose, and what that task had been given."""
        found = []
        while moment:
            moment, task, history = self._before[moment]
            found.append((task, history))
        return found[::-1]

    def begin(self) -> None:
        """Begin to look whether a resumption uses any of the objects."""
        self._uses.is_noted = False

    @property
    def is_used(self) -> bool:
        """Whether one of the objects was used since `begin`."""
        return self._uses.is_noted

    def after(self, moment: int, task: int, history: History, name: str) -> int:
        """Return the moment after a use that has just happened.

        Args:
            moment: before it.
            task: index of who has used something.
            history: what that task was given, the last of it before this use.
            name: of the task.

        Raises:
            CannotLearn: what was handed on may be changed later.
        """
        self._check_values(name)
        use = (moment, task, history)
        number = self._numbers.get(use)
        if number is None:
            number = self._numbers[use] = len(self._before)
            self._before.append(use)
            self._woken.append(self._woken_now())
        return number

    def _woken_now(self) -> frozenset[str]:
        processes = self._kernel.processes
        return frozenset([name for name in processes if processes[name].ready])

    def _check_values(self, task: str) -> None:
        for owner in self._objects:
            for name, one in inside(owner).items():
                if name in _OF_ASYNCIO or is_handed(one):
                    continue
                if type(one) is MethodType and is_handed(one.__self__):
                    continue
                items = one if name == "_queue" else (one,)
                for item in items:
                    if not _is_value(item):
                        raise refuse(
                            f"a {type(item).__name__} that an asyncio"
                            f" {type(owner).__name__} holds may be changed by the"
                            " task that put it there",
                            task=task,
                            likely="an object is handed from task to task; numbers,"
                            " text and tuples of them can be",
                        )

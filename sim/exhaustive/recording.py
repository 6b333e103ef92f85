"""Parts that note what a step reads: the footprint that learned steps are keyed on.

Knows the general parts. A part becomes a recording one by exchange of its class, so the
plain kernel pays nothing; while nobody records, it behaves as before.

Known gap: `Counter.items` gives its keys in the order in which they were first added
to, and that order is no part of a state; code must not depend on it.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from wavecheck.sim.exhaustive.reduction import WHOLE, Reduction, is_result_dropped
from wavecheck.sim.exhaustive.trust import trust_class
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Counter, Flag, Part, Queue, Table

HANDOFFS: Final = "asyncio"
"""Name of the part that tells how tasks have used what they share of asyncio."""

ABSENT: Final = None
"""The value of a row that does not exist."""

_PLAIN: Final = frozenset(
    {
        "name",
        "watchers",
        "waiters",
        "columns",
        "wakes_one",
        "is_bookkeeping",
        "hidden",
        "__class__",
        "__dict__",
    }
)


class Projection:
    """What a step learns from a component that it does not read in full.

    Attributes:
        name: equal names mean equal projections.
        of: from a component's value to what is seen of it.
    """

    __slots__ = ("name", "of")

    def __init__(self, name: Hashable, of: Callable[[Any], Hashable]) -> None:
        self.name = name
        self.of = of


IS_PRESENT: Final = Projection("is present", lambda row: row is not ABSENT)
LENGTH: Final = Projection("length", len)


class _Components(Protocol):
    """What a recorder must know of the shared state."""

    def known(self, part: Part, key: Hashable) -> int | None:
        """Return the index of a component, if it has one."""
        ...

    def component(self, part: Part, key: Hashable) -> int:
        """Return the index of a component; it gets one if it has none."""
        ...

    def components_of(self, part: Part) -> list[int]:
        """Return the indexes of all components of a part, present or not."""
        ...


class _Crowd(Protocol):
    """What answers a step that asks about tasks; see `crowd`."""

    def all(self) -> list[Any]:
        """Return the tasks that there are."""
        ...


class Recorder:
    """Notes, in order, which components are read.

    Args:
        shared: the components, by part and key.
        reduction: is told what is looked at, and what is written only.

    Attributes:
        is_active: a step is being recorded.
        reads: (component, projection or None), distinct, in order; a negative number
            stands for a task's place, or for who takes the step (see `crowd`).
        whole_parts: names of parts of which the step looked at every row there is.
        is_statement: a statement is being recorded, and not what runs between two.
        is_task_asked: the step asked what nobody can tell it in a learned step.
    """

    def __init__(self, shared: _Components, reduction: Reduction) -> None:
        self.is_active = False
        self.reads: list[tuple[int, Projection | None]] = []
        self.whole_parts: set[str] = set()
        self.is_statement = True
        self.is_task_asked = False
        self._shared = shared
        self._reduction = reduction
        self._only_known = False
        self._noted: set[tuple[int, Hashable]] = set()

    def start(self, *, only_known: bool = False, is_statement: bool = True) -> None:
        """Begin a step.

        Args:
            only_known: whatever is no component yet does not become one.
            is_statement: it may ask about tasks; what runs between steps may not.
        """
        self.is_statement = is_statement
        self._only_known = only_known
        self.reads = []
        self._noted = set()
        self.whole_parts = set()
        self.is_task_asked = False
        self.is_active = True

    def note(
        self, part: Part, key: Hashable, projection: Projection | None = None
    ) -> None:
        """Note that one component is read."""
        self._reduction.need(part, key)
        component = self._shared.known(part, key)
        if component is None:
            if self._only_known:
                return
            component = self._shared.component(part, key)
        self._note(component, projection)

    def note_all(self, part: Part, projection: Projection | None = None) -> None:
        """Note that every row of a part is looked at, those that are absent too."""
        self._reduction.need_all(part)
        self.whole_parts.add(part.name)
        for component in self._shared.components_of(part):
            self._note(component, projection)

    def note_write(self, part: Part, key: Hashable) -> None:
        """Note that one component is changed by a step that does not look at it."""
        if not self._reduction.leave_out(part, key):
            self.note(part, key)

    def note_place(self, read: int, projection: Projection | None = None) -> None:
        """Note that it is read where a task stands, or who takes the step."""
        if self.is_active:
            self._note(read, projection)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Record something else, or nothing, and then go on with the step."""
        kept = {name: getattr(self, name) for name in _STEP_FIELDS}
        self.is_active = False
        try:
            yield
        finally:
            for name, value in kept.items():
                setattr(self, name, value)

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Note nothing for a while."""
        was_active, self.is_active = self.is_active, False
        try:
            yield
        finally:
            self.is_active = was_active

    def _note(self, component: int, projection: Projection | None) -> None:
        full = (component, None)
        if full in self._noted:
            return
        noted = full if projection is None else (component, projection.name)
        if noted not in self._noted:
            self._noted.add(noted)
            self.reads.append((component, projection))

    def unrecorded(
        self, method: Callable[..., Any], /, *args: Any, **named: Any
    ) -> Any:
        """Call a method without noting what it does inside."""
        was_active, self.is_active = self.is_active, False
        try:
            return method(*args, **named)
        finally:
            self.is_active = was_active


def record(kernel: Kernel, recorder: Recorder, crowd: _Crowd | None = None) -> None:
    """Turn a kernel and all its parts into recording ones.

    Args:
        kernel: to be turned.
        recorder: is told what steps read.
        crowd: answers what they ask about tasks; without one the kernel itself does.
    """
    for part in kernel.parts.values():
        record_part(part, recorder)
    kernel.__class__ = _recording_kernel(type(kernel), recorder, crowd)


def record_part(part: Part, recorder: Recorder) -> None:
    """Turn a part into a recording one."""
    kind = type(part)
    if kind is Table:
        part.__class__ = _recording_table(recorder)
    elif kind is Counter:
        part.__class__ = _recording_counter(recorder)
    else:
        part.__class__ = _recording_whole(kind, recorder)


@contextmanager
def unrecorded(kernel: Kernel) -> Iterator[None]:
    """Turn a recording kernel and its parts into plain ones for a while."""
    recording: list[Any] = [kernel, *kernel.parts.values()]
    kinds = [type(one) for one in recording]
    for one, kind in zip(recording, kinds, strict=True):
        plain = kind.__bases__[0]
        one.__class__ = Table if plain is _KeyedReads else plain
    try:
        yield
    finally:
        for one, kind in zip(recording, kinds, strict=True):
            one.__class__ = kind


def _recording_kernel(
    kind: type[Kernel], recorder: Recorder, crowd: _Crowd | None
) -> type[Kernel]:
    class RecordingKernel(kind):  # type: ignore[valid-type, misc]  # mypy: no variable as a base
        def __getattribute__(self, name: str) -> Any:
            if recorder.is_active and crowd is not None and recorder.is_statement:
                if name in _ANSWERED:
                    return getattr(crowd, name)
                if name == "tasks":
                    return crowd.all()
            if recorder.is_active and name in _ABOUT_TASKS:
                recorder.is_task_asked = True
            return super().__getattribute__(name)

        def is_woken(self, name: str) -> bool:
            handoffs: Any = self.parts.get(HANDOFFS)
            if handoffs is not None and recorder.is_active:
                return bool(handoffs.has_woken(name))
            return bool(super().is_woken(name))

        def wakes(self, name: str) -> Any:
            handoffs = self.parts.get(HANDOFFS)
            if handoffs is not None and recorder.is_active:
                return handoffs
            return super().wakes(name)

        def wake(self, process: Any) -> None:
            if self.refuses_waking is not None or not recorder.is_active:
                super().wake(process)

    trust_class(RecordingKernel)
    return RecordingKernel


def _recording_whole(kind: type[Part], recorder: Recorder) -> type[Part]:
    """Return a part of which every use of anything is a read of everything.

    All but one: to set a flag, or to append to a queue, is to look at nothing.
    """
    write = _WRITES.get(kind, "")

    class RecordingPart(kind):  # type: ignore[valid-type, misc]  # mypy: no variable as a base
        def __getattribute__(self, name: str) -> Any:
            if recorder.is_active and name not in _PLAIN and name != write:
                recorder.note(self, WHOLE)
            return super().__getattribute__(name)

    def length(self: Any) -> int:
        if recorder.is_active:
            recorder.note(self, WHOLE, LENGTH)
        return int(recorder.unrecorded(kind.__len__, self))  # type: ignore[attr-defined]  # where it has one

    def written(self: Any, *args: Any, **named: Any) -> None:
        if recorder.is_active:
            recorder.note_write(self, WHOLE)
        recorder.unrecorded(getattr(kind, write), self, *args, **named)

    if kind is Queue:
        RecordingPart.__len__ = length
    if write:
        setattr(RecordingPart, write, written)
    trust_class(RecordingPart)
    return RecordingPart


def _recording_counter(recorder: Recorder) -> type[Counter]:
    class RecordingCounter(Counter):
        def __getattribute__(self, name: str) -> Any:
            if recorder.is_active and name not in _PLAIN_COUNTER:
                recorder.note_all(self)
            return super().__getattribute__(name)

        def get(self, key: Hashable = None) -> int:
            if recorder.is_active:
                recorder.note(self, key)
            return int(recorder.unrecorded(super().get, key))

        def add(self, key: Hashable = None, amount: int = 1) -> int:
            if recorder.is_active:
                if is_result_dropped("add"):
                    recorder.note_write(self, key)
                else:
                    recorder.note(self, key)
            return int(recorder.unrecorded(super().add, key, amount))

    trust_class(RecordingCounter)
    return RecordingCounter


def _recording_table(recorder: Recorder) -> type[Table[Any]]:
    class RecordingTable(_KeyedReads):
        def __getattribute__(self, name: str) -> Any:
            if recorder.is_active and name not in _PLAIN_TABLE:
                recorder.note_all(self)
            return super().__getattribute__(name)

    RecordingTable.recorder = recorder
    trust_class(RecordingTable)
    return RecordingTable


class _KeyedReads(Table[Any]):
    """A table that notes what each of its methods looks at."""

    recorder: Recorder

    def __len__(self) -> int:
        if self.recorder.is_active:
            self.recorder.note_all(self, IS_PRESENT)
        return int(self.recorder.unrecorded(super().__len__))

    def __iter__(self) -> Iterator[Any]:
        if self.recorder.is_active:
            self.recorder.note_all(self)
        rows: list[Any] = self.recorder.unrecorded(
            lambda: list(super(_KeyedReads, self).__iter__())
        )
        return iter(rows)

    def __contains__(self, key: Hashable) -> bool:
        if self.recorder.is_active:
            self.recorder.note(self, key, IS_PRESENT)
        return bool(self.recorder.unrecorded(super().__contains__, key))

    def get(self, key: Hashable) -> Any:
        return self._keyed(super().get, key)

    def find(self, key: Hashable) -> Any:
        return self._keyed(super().find, key)

    def update(self, key: Hashable, /, **columns: Any) -> None:
        self._constrained()
        self._ask_gate(key, is_gone=False)
        self._keyed(super().update, key, **columns)

    def delete(self, key: Hashable) -> None:
        self._ask_gate(key, is_gone=True)
        self._keyed(super().delete, key)

    def insert(self, row: Any) -> None:
        key = self.recorder.unrecorded(lambda: self._key(row))
        self._ask_gate(key, is_gone=False)
        self._constrained()
        if self.recorder.is_active:
            self.recorder.note(self, key)
        self.recorder.unrecorded(super().insert, row)

    def _constrained(self) -> None:
        """Note that a unique index compares what is written with every row."""
        if self.recorder.is_active and self.is_constrained:
            self.recorder.note_all(self)

    def _ask_gate(self, key: Hashable, *, is_gone: bool) -> None:
        """Let what the gate looks at be noted; asked once more it does nothing."""
        if self.recorder.is_active and self.gate is not None and len(self.gate.open):
            self.gate.admit(self, key, is_gone=is_gone)

    def _keyed(self, method: Callable[..., Any], key: Hashable, /, **named: Any) -> Any:
        if self.recorder.is_active:
            self.recorder.note(self, key)
        return self.recorder.unrecorded(method, key, **named)

    def count(self, /, **equal: Any) -> int:
        self._matched(equal)
        return int(self.recorder.unrecorded(super().count, **equal))

    def select(self, /, **equal: Any) -> list[Any]:
        self._matched(equal)
        rows: list[Any] = self.recorder.unrecorded(super().select, **equal)
        if self.recorder.is_active:
            for row in rows:
                self.recorder.note(
                    self, self.recorder.unrecorded(lambda row=row: self._key(row))
                )
        return rows

    def where(self, name: Hashable, holds: Callable[[Any], bool]) -> list[Any]:
        if self.recorder.is_active:
            self.recorder.note_all(
                self,
                Projection(
                    ("where", name), lambda row: row is not ABSENT and holds(row)
                ),
            )
        rows: list[Any] = self.recorder.unrecorded(super().where, name, holds)
        if self.recorder.is_active:
            for row in rows:
                key = self.recorder.unrecorded(lambda row=row: self._key(row))
                self.recorder.note(self, key)
        return rows

    def _matched(self, equal: dict[str, Any]) -> None:
        """Note that of every row it is seen whether some columns have some values."""
        if not self.recorder.is_active:
            return
        positions = [self.columns.index(name) for name in equal]
        values = tuple(equal.values())

        def matches(row: Any) -> bool:
            return row is not ABSENT and values == tuple(
                [row[one] for one in positions]
            )

        name = ("match", tuple(equal), values)
        self.recorder.note_all(self, Projection(name, matches))


_STEP_FIELDS: Final = (
    *("is_active", "is_statement", "is_task_asked"),
    *("reads", "whole_parts", "_noted", "_only_known"),
)
"""What of a recorder belongs to the step that it records."""

_ANSWERED: Final = frozenset({"current_task", "spawn", "kill", "fail"})
"""What of a kernel a crowd does in its stead."""

_ABOUT_TASKS: Final = frozenset({"enabled", "current", "steps_count", "performed"})
"""What of a kernel tells more than shared state; a statement that asks is refused."""

_WRITES: Final[dict[type[Part], str]] = {Flag: "set", Queue: "put"}
"""What changes a part, returns nothing and tells nothing of what was there."""

_PLAIN_COUNTER: Final = _PLAIN | {"get", "add"}
_PLAIN_TABLE: Final = _PLAIN | {
    *("get", "find", "update", "delete", "insert", "count", "select", "where"),
    *("key_of", "_key", "gate", "free_columns"),
    *("recorder", "_keyed", "_matched", "_constrained", "is_constrained"),
    "_ask_gate",
}

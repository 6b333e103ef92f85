"""The trace of one execution: every step with its operation, result and changes.

Knows the kernel's step listener and the general parts; writes JSON lines. Recording is
off unless a `Trace` is attached, because a search of thousands of executions a second
cannot afford it.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from types import FunctionType, MethodType
from typing import Any, TextIO
from uuid import UUID

from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.kernel import Kernel, StepListener
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.task import Task
from wavecheck.sim.transactions.rows import RowLock


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """What one step did to one row, item or value.

    Attributes:
        part: the part's name.
        key: the row's key or the queue's item; None for a single value.
        columns: (name, before, after) of what differs; a part without columns has one
            that is called "value".
        is_new: there was nothing under the key before.
        is_gone: there is nothing under the key any more.
        is_bookkeeping: the engine keeps it for itself; people are not told of it.
        uncommitted: what an open transaction has made of a row, where that is kept.
        hidden: names of columns that the engine has added.
    """

    part: str
    key: Any
    columns: tuple[tuple[str, Any, Any], ...]
    is_new: bool
    is_gone: bool
    is_bookkeeping: bool = False
    uncommitted: "RowChange | None" = None
    hidden: tuple[str, ...] = ()

    @property
    def shown(self) -> "RowChange | None":
        """What people are told of it; None: nothing."""
        if self.is_bookkeeping:
            return self.uncommitted
        if not self.hidden:
            return self
        columns = tuple(one for one in self.columns if one[0] not in self.hidden)
        return replace(self, key=_own_key(self.key), columns=columns, hidden=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an execution.

    Attributes:
        number: 1-based.
        time: ticks.
        task: the task's name.
        operation: the statement's name.
        kind: statement, message or sleep.
        args: the statement's arguments.
        result: what it returned, or the error it raised, as text.
        changes: what it changed, in order.
    """

    number: int
    time: int
    task: str
    operation: str
    kind: str
    args: tuple[Any, ...]
    result: Any
    changes: tuple[RowChange, ...]

    def to_json(self) -> str:
        """Return the step as one line of JSON."""
        return json.dumps(
            {
                "step": self.number,
                "time": self.time,
                "task": self.task,
                "operation": self.operation,
                "kind": self.kind,
                "args": plain(self.args),
                "result": plain(self.result),
                "changes": [
                    {
                        "part": change.part,
                        "key": plain(change.key),
                        "is_new": change.is_new,
                        "is_gone": change.is_gone,
                        "columns": {
                            name: [plain(before), plain(after)]
                            for name, before, after in change.columns
                        },
                    }
                    for change in self.changes
                ],
            },
            ensure_ascii=False,
        )


def records_of(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return one flat row for each step; values that are not plain become JSON."""
    return [
        {
            "step": step.number,
            "time_us": step.time,
            "task": step.task,
            "operation": step.operation,
            "kind": step.kind,
            "args": _as_json(plain(step.args)),
            "result": _as_json(plain(step.result)),
            "changed": ", ".join(dict.fromkeys(one.part for one in step.changes)),
        }
        for step in steps
    ]


def _as_json(value: Any) -> Any:
    is_flat = value is None or isinstance(value, bool | int | float | str)
    return value if is_flat else json.dumps(value, ensure_ascii=False)


def listen(kernel: Kernel, listener: StepListener) -> None:
    """Let one more listener hear of each step, after those there are."""
    first = kernel.on_step
    if first is None:
        kernel.on_step = listener
        return

    def tell_both(*details: Any) -> None:
        first(*details)
        listener(*details)

    kernel.on_step = tell_both


class Trace:
    """The recorded steps of one execution.

    Attaching it sets the kernel's step listener; `steps` grows as the kernel runs.

    Args:
        kernel: whose steps to record.
        lines: also write each step there as it happens, as JSON lines.
        keeps: keep the steps in memory.
    """

    def __init__(
        self, kernel: Kernel, *, lines: TextIO | None = None, keeps: bool = True
    ) -> None:
        self.steps: list[Step] = []
        self._kernel = kernel
        self._lines = lines
        self._keeps = keeps
        self._digest = blake2b(digest_size=16)
        kernel.on_step = self._record

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def digest(self) -> str:
        """Return a fingerprint of all steps so far."""
        return self._digest.hexdigest()

    def _record(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        kernel = self._kernel
        step = Step(
            number=kernel.steps_count,
            time=int(kernel.now),
            task=task.name,
            operation=operation.statement.name,
            kind=operation.statement.kind.value,
            args=operation.args,
            result=result,
            changes=tuple(_row_change(*change, kernel) for change in changes),
        )
        line = step.to_json() + "\n"
        self._digest.update(line.encode())
        if self._lines is not None:
            self._lines.write(line)
        if self._keeps:
            self.steps.append(step)


def _row_change(
    part: Any, key: Any, before: Any, after: Any, kernel: Kernel
) -> RowChange:
    uncommitted = None
    if isinstance(after, RowLock):
        uncommitted = _uncommitted(before, after, kernel)
    return RowChange(
        part=part.name,
        key=key,
        columns=_columns(getattr(part, "columns", ()), before, after),
        is_new=before is None,
        is_gone=after is None,
        is_bookkeeping=part.is_bookkeeping,
        uncommitted=uncommitted,
        hidden=getattr(part, "hidden", ()),
    )


def _columns(
    names: tuple[str, ...], before: Any, after: Any
) -> tuple[tuple[str, Any, Any], ...]:
    """Return (name, before, after) of what differs in a row or value."""
    if not names:
        return (("value", before, after),)
    old = before if before is not None else (None,) * len(names)
    new = after if after is not None else (None,) * len(names)
    return tuple(
        (name, was, now)
        for name, was, now in zip(names, old, new, strict=True)
        if was != now
    )


def _uncommitted(before: RowLock | None, after: RowLock, kernel: Kernel) -> Any:
    """Return what an open transaction makes of a row; None: nothing new."""
    was = () if before is None else before.versions
    # A command that ends numbers its version anew: the same row, and nothing to tell.
    if not after.versions or (was and was[-1].row == after.versions[-1].row):
        return None
    table: Any = kernel.parts.get(after.table)
    if table is None:
        return None
    row = was[-1].row if was else table.find(after.key)
    made = RowChange(
        part=table.name,
        key=after.key,
        columns=_columns(table.columns, row, after.row),
        is_new=row is None,
        is_gone=after.row is None,
        hidden=getattr(table, "hidden", ()),
    )
    return replace(made.shown or made, uncommitted=made)


def _own_key(key: Any) -> Any:
    """Return a key without the number by which rows of one key are told apart."""
    if not isinstance(key, tuple):
        return key
    own = key[:-1] or key
    return own[0] if len(own) == 1 else own


class Written:
    """What a trace holds as the text that it gives, whatever it is made of."""

    __slots__ = ()


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: tuples as lists, enum members by value."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, Written):
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | timedelta):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, type | FunctionType | MethodType):
        return value.__qualname__
    raise _unwritable(value)


def _unwritable(value: object) -> CoordinatorError:
    """Refuse an object whose text would be another one in each process."""
    kind = type(value)
    return CoordinatorError(
        f"a statement is given, or returns, an object of {kind.__module__}."
        f"{kind.__qualname__}, which a trace cannot write down\n"
        "  expected  numbers, texts, None, and tuples, lists, sets, mappings,"
        " NamedTuples or dataclasses of them\n"
        "next: give its key instead, or make it a dataclass"
    )

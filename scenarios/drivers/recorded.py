"""Recorded calls: what leaves the database (mail, a carrier, a broker) as rows.

A stand-in whose every method call is one step and a row of a table, which properties
read like any other. The row is there at once, whatever becomes of the transaction in
which the call was made: a mail is not rolled back. A call may fail, may be done while
its answer is lost, and may name a task, which then runs as a task of the world; what it
is given goes through JSON, as through a broker.
"""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final, Protocol

from wavecheck.scenarios.drivers.running import run_code
from wavecheck.sim.blocking import current_blocking, wait_for
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.task import Task

DONE: Final = 0
FAILED: Final = 1
DONE_AND_LOST: Final = 2
Runs = Callable[..., Any]

EARLY: Final = "early"
LATE: Final = "late"
_DELIVERIES: Final = "deliveries"


class Inserting(Protocol):
    """A database that keeps the calls.

    Attributes:
        tables: by name.
    """

    tables: Any

    def insert(self, table: str, row: Mapping[str, Any], /) -> object:
        """Insert a row that is there at once."""
        ...


def table_of(name: str, family: str = "postgresql") -> str:
    """Return the DDL of the table that keeps the calls of a stand-in."""
    number = "INTEGER" if family == "sqlite" else "bigserial"
    return (
        f'CREATE TABLE "{name}" (call {number} PRIMARY KEY, method text NOT NULL,'
        " argument text, arguments text NOT NULL, task text NOT NULL)"
    )


class RecordedCalls:
    """A stand-in for something outside of the database.

    Args:
        kernel: whose steps the calls are.
        database: has the table of the calls.
        name: of the stand-in and of its table.
        fails: exceptions; a call may fail with one of them, and nothing was done.
        loses: exceptions; a call may be done, and its answer lost: it raises one.
        returns: what a call returns, given the method and the arguments.
        runs: by method, the function that a call lets a task of its own run; or what
            gives that function for a method, or None.
        acknowledges: when a worker says that it has such a task: `early`, before it
            runs (a worker that dies loses it); `late`, behind it: that may be lost, or
            the worker may die, and the task runs once more. By method, or for all.

    Raises:
        InvalidScenario: `acknowledges` is neither.
    """

    def __init__(
        self,
        kernel: Kernel,
        database: Inserting,
        name: str,
        *,
        fails: Sequence[type[Exception]] = (),
        loses: Sequence[type[Exception]] = (),
        returns: Callable[..., Any] | None = None,
        runs: Mapping[str, Runs] | Callable[[str], Runs | None] | None = None,
        acknowledges: str | Callable[[str], str] = EARLY,
    ) -> None:
        if isinstance(acknowledges, str) and acknowledges not in (EARLY, LATE):
            raise InvalidScenario(
                f"calls of {name!r}: acknowledges={acknowledges!r}\n"
                f"  expected  {EARLY!r} or {LATE!r}"
            )
        self._kernel = kernel
        self._database = database
        self._name = name
        self._outcomes: list[tuple[int, type[Exception] | None]] = [
            (DONE, None),
            *((FAILED, one) for one in fails),
            *((DONE_AND_LOST, one) for one in loses),
        ]
        self._returns = returns
        self._run_by = runs if callable(runs) else dict(runs or {}).get
        self._acknowledges = acknowledges
        kernel.services.setdefault(_DELIVERIES, {})[name] = self

    def __getattr__(self, method: str) -> "_Method":
        if method.startswith("_"):
            raise AttributeError(method)
        return _Method(self, method)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Record a call of the stand-in itself."""
        return self.perform("call", args, named)

    def perform(
        self, method: str, args: Sequence[Any], named: Mapping[str, Any]
    ) -> Any:
        """Make a call; a coroutine awaits what this returns.

        Args:
            method: its name in the table.
            args: of the call.
            named: likewise.
        """
        made = self._call(method, args, named)
        return made if current_blocking() is None else wait_for(made)

    async def _call(self, method: str, args: Any, named: Any) -> Any:
        shows_named = bool(named) or (bool(args) and isinstance(args[-1], dict))
        given = json.dumps([*args, named] if shows_named else list(args), default=str)
        argument = None if not args else str(args[0])
        step = _step(f"{self._name}.{method}")
        outcome = await Operation[int](step, self, (method, argument, given))
        raised = self._outcomes[outcome][1]
        if raised is not None:
            raise raised(f"{self._name}.{method}")
        return None if self._returns is None else self._returns(method, *args, **named)

    def _record(self, method: str, argument: str | None, given: str) -> int:
        outcome = self._kernel.choose(len(self._outcomes))
        if self._outcomes[outcome][0] != FAILED:
            task = self._kernel.current_task().name
            row = {"method": method, "argument": argument, "arguments": given}
            self._database.insert(self._name, {**row, "task": task})
            if self._run_by(method) is not None:
                number = max(one.call for one in self._database.tables[self._name])
                name = f"{self._name}.{method}-{number}"
                self._kernel.spawn(self._deliver(method, given), name)
        return outcome

    async def _deliver(self, method: str, given: str) -> None:
        """Run the task that a call names."""
        args = json.loads(given)
        named = args.pop() if args and isinstance(args[-1], dict) else {}
        function = self._run_by(method)
        assert function is not None, "a call that names no task"
        run = partial(function, *args, **named)
        await run_code(run)
        if self._late(method) and await Operation[int](_ACKNOWLEDGE, self, (method,)):
            await run_code(run)

    def _late(self, method: str) -> bool:
        told = self._acknowledges
        return (told if isinstance(told, str) else told(method)) == LATE

    def _lose_acknowledgement(self, method: str) -> int:
        return self._kernel.choose(2)

    def again(self, number: int) -> Coroutine[Any, Any, None] | None:
        """Return what a worker does that gets a task whose first worker has died.

        Args:
            number: of the call.
        """
        (row,) = [x for x in self._database.tables[self._name] if x.call == number]
        if not self._late(row.method):
            return None
        return self._deliver(row.method, row.arguments)


class _Method:
    """One method of a stand-in, as code calls it, or as Celery's tasks are called."""

    def __init__(self, calls: RecordedCalls, name: str) -> None:
        self._calls = calls
        self._name = name

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._calls.perform(self._name, args, named)

    delay = __call__

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        """Make the call as Celery's tasks do; what else is said of it is left out."""
        return self._calls.perform(self._name, args, kwargs or {})


def redelivered(kernel: Kernel, task: Task) -> Coroutine[Any, Any, None] | None:
    """Return what runs in the place of a task that a call has named and that has died.

    Args:
        kernel: whose.
        task: that has died; of any kind.
    """
    deliveries: dict[str, RecordedCalls] = kernel.services.get(_DELIVERIES, {})
    calls = deliveries.get(task.name.partition(".")[0])
    number = task.name.rpartition("-")[2]
    return calls.again(int(number)) if calls and number.isdecimal() else None


@cache
def _step(name: str) -> Statement:
    def record(calls: RecordedCalls, *args: Any) -> int:
        return calls._record(*args)

    record.__name__ = name
    return Statement(record, Kind.STATEMENT, None, None)


_ACKNOWLEDGE: Final = Statement(
    RecordedCalls._lose_acknowledgement, Kind.STATEMENT, None, None
)

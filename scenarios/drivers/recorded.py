"""Recorded calls: what leaves the database (mail, a carrier, a broker) as rows.

A stand-in whose every method call is one step and a row of a table, which properties
read like any other. The row is there at once, whatever becomes of the transaction in
which the call was made: a mail is not rolled back.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

from wavecheck.scenarios.sql.database import Database
from wavecheck.sim.blocking import current_blocking, wait_for
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, Operation, Statement

DONE: Final = 0
FAILED: Final = 1
DONE_AND_LOST: Final = 2


def table_of(name: str) -> str:
    """Return the DDL of the table that keeps the calls of a stand-in."""
    return (
        f'CREATE TABLE "{name}" (call bigserial PRIMARY KEY, method text NOT NULL,'
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
    """

    def __init__(
        self,
        kernel: Kernel,
        database: Database,
        name: str,
        *,
        fails: Sequence[type[Exception]] = (),
        loses: Sequence[type[Exception]] = (),
        returns: Callable[..., Any] | None = None,
    ) -> None:
        self._kernel = kernel
        self._database = database
        self._name = name
        self._outcomes: list[tuple[int, type[Exception] | None]] = [
            (DONE, None),
            *((FAILED, one) for one in fails),
            *((DONE_AND_LOST, one) for one in loses),
        ]
        self._returns = returns

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_"):
            raise AttributeError(method)

        def call(*args: Any, **named: Any) -> Any:
            made = self._call(method, args, named)
            return made if current_blocking() is None else wait_for(made)

        return call

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Record a call of the stand-in itself."""
        return getattr(self, "call")(*args, **named)  # noqa: B009 - the method's name

    async def _call(self, method: str, args: Any, named: Any) -> Any:
        given = json.dumps([*args, named] if named else list(args), default=str)
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
            self._database.insert(
                self._name,
                {
                    "method": method,
                    "argument": argument,
                    "arguments": given,
                    "task": self._kernel.current_task().name,
                },
            )
        return outcome


@cache
def _step(name: str) -> Statement:
    def record(calls: RecordedCalls, *args: Any) -> int:
        return calls._record(*args)

    record.__name__ = name
    return Statement(record, Kind.STATEMENT, None, None)

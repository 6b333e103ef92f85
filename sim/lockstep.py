"""The same steps on something real, in the same order, with every answer compared.

A *twin* is the real thing: one connection for each task of the model. After each step
of the model its twin performs the same statement; a statement that the real thing holds
up is noted as blocked and the others go on. The first answer that differs from the
model's is a *disagreement*, and ends the execution.

Knows steps and awaitables; no database and no domain. Time is real here: how long the
real thing takes decides nothing but when it is asked whether it is stuck.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sim.blame import call_text
from sim.kernel import Kernel
from sim.operation import Kind, Operation
from sim.parts import Change
from sim.task import Task
from sim.trace import plain

ASK_AFTER_SECONDS: Final = 0.004
"""A statement that takes longer is asked about; blocked ones are known within 20 ms."""
STUCK_SECONDS: Final = 30.0


class Twin(Protocol):
    """The real thing that performs what the model has just done."""

    def perform(
        self,
        task: str,
        operation: Operation[Any],
        result: Any,
        changes: list[Change],
        time: int,
    ) -> Awaitable[Any]:
        """Perform one statement on the connection of a task; return its result.

        Args:
            task: whose.
            operation: what the model performed.
            result: what the model answered; only where it has made a choice may the
                real thing look at it, to be led the same way.
            changes: what the model changed.
            time: ticks.
        """
        ...

    async def blockers(self, task: str) -> tuple[str, ...]:
        """Return for which tasks a task's statement is waiting; empty: for none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A statement that the real thing held up.

    Attributes:
        step: number of the step, 1-based.
        task: whose.
        statement: as text.
        waits_for: the tasks that it waited for.
        seconds: how long it took to recognise that.
    """

    step: int
    task: str
    statement: str
    waits_for: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """The first answer of the real thing that is not the model's.

    Attributes:
        step: number of the step, 1-based.
        task: whose.
        statement: as text.
        model: what the model answered, as plain data.
        real: what the real thing answered.
    """

    step: int
    task: str
    statement: str
    model: Any
    real: Any

    def __str__(self) -> str:
        return (
            f"the model and the database disagree at step {self.step}\n"
            f"  {self.task}: {self.statement}\n"
            f"  model     {self.model!r}\n"
            f"  database  {self.real!r}"
        )


@dataclass(slots=True, kw_only=True)
class _Pending:
    step: int
    statement: str
    expected: Any
    running: "asyncio.Future[Any]"


@dataclass(slots=True)
class Lockstep:
    """Lets a twin follow a model, step by step.

    Args:
        kernel: of the model; it is stopped at a disagreement.
        twin: the real thing.
        runner: whose event loop the twin lives in.

    Attributes:
        statements_count: statements that the twin has performed.
        blocked: statements that were held up, in order.
        disagreement: the first one, if there was any.
    """

    kernel: Kernel
    twin: Twin
    runner: asyncio.Runner
    statements_count: int = 0
    blocked: list[Blocked] = field(default_factory=list)
    disagreement: Disagreement | None = None
    _pending: dict[str, _Pending] = field(default_factory=dict)

    def follow(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        """Perform the model's step on the twin; to be called as a step listener."""
        if operation.statement.kind is Kind.SLEEP or self.has_disagreed():
            return
        self.runner.run(self._step(task.name, operation, result, changes))
        if self.has_disagreed():
            self.kernel.is_stopped = True

    def has_disagreed(self) -> bool:
        """Return whether an answer differed from the model's."""
        return self.disagreement is not None

    def finish(self) -> None:
        """Wait for what is still held up."""
        if self._pending and not self.has_disagreed():
            self.runner.run(self._settle(is_last=True))

    async def _step(
        self, task: str, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        statement = call_text(operation.statement, operation.args)
        if task in self._pending:
            # The model went on, so whatever held this task up must be over.
            await self._settle(must_end=task)
            if self.has_disagreed():
                return
        kernel = self.kernel
        running = asyncio.ensure_future(
            self.twin.perform(task, operation, result, changes, int(kernel.now))
        )
        pending = _Pending(
            step=kernel.steps_count,
            statement=statement,
            expected=result,
            running=running,
        )
        self.statements_count += operation.statement.kind is not Kind.EXTERNAL
        waits_for, seconds = await self._watch(task, running)
        if waits_for:
            self._pending[task] = pending
            self.blocked.append(
                Blocked(
                    step=pending.step,
                    task=task,
                    statement=statement,
                    waits_for=waits_for,
                    seconds=seconds,
                )
            )
        else:
            self._compare(task, pending)
        await self._settle()

    async def _watch(
        self, task: str, running: "asyncio.Future[Any]"
    ) -> tuple[tuple[str, ...], float]:
        """Wait until a statement has ended or is blocked; return by whom, and when."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < STUCK_SECONDS:
            try:
                await asyncio.wait_for(asyncio.shield(running), ASK_AFTER_SECONDS)
            except TimeoutError:
                pass
            except Exception:
                return (), 0.0  # its failure is its answer
            if running.done():
                return (), 0.0
            waits_for = await self.twin.blockers(task)
            if waits_for and not running.done():
                return waits_for, loop.time() - began
        return ("(nobody: it takes too long)",), loop.time() - began

    async def _settle(self, *, must_end: str = "", is_last: bool = False) -> None:
        """Compare the statements that were held up and have ended since."""
        for task in list(self._pending):
            pending = self._pending[task]
            waits_for, _ = await self._watch(task, pending.running)
            if not waits_for:
                del self._pending[task]
                self._compare(task, pending)
            elif is_last or task == must_end:
                self._disagree(task, pending, f"waits for {', '.join(waits_for)}")
                return

    def _compare(self, task: str, pending: _Pending) -> None:
        error = pending.running.exception()
        expected = pending.expected
        if isinstance(expected, Exception) and error is not None:
            if type(error) is not type(expected):
                self._disagree(task, pending, error)
            return
        real = error if error is not None else pending.running.result()
        if plain(real) != plain(expected):
            self._disagree(task, pending, real)

    def _disagree(self, task: str, pending: _Pending, real: Any) -> None:
        if self.disagreement is None:
            self.disagreement = Disagreement(
                step=pending.step,
                task=task,
                statement=pending.statement,
                model=plain(pending.expected),
                real=plain(real),
            )

    async def abandon(self) -> None:
        """Stop waiting for what is still running."""
        for pending in self._pending.values():
            pending.running.cancel()
        self._pending.clear()

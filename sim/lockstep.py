"""The same steps on something real, in the same order, with every answer compared.

A *twin* is the real thing: one connection for each task of the model. After each step
of the model its twin performs the same statement; a statement that the real thing holds
up is noted as blocked and the others go on. The first answer that differs from the
model's is a *disagreement*, and ends the execution; so is a statement that only one of
the two holds up.

A statement that was held up goes on as soon as it is let go; in the model, whenever its
task is next. An order in which others are faster than it is possible, but no client can
make a server follow it: such an execution is *overtaken*, and ends there undecided.

Knows steps and awaitables; no database and no domain. Time is real here: how long the
real thing takes decides nothing but when it is asked whether it is stuck.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from wavecheck.sim.blame import call_text
from wavecheck.sim.errors import WavecheckError
from wavecheck.sim.event_loop import left
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, Operation, Postponed
from wavecheck.sim.parts import Change
from wavecheck.sim.task import Task
from wavecheck.sim.trace import plain
from wavecheck.sim.transactions import Blocked, Failed, Failure

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

    async def give_way(self, task: str) -> None:
        """End a statement that waits in a circle: the model has made it the victim."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitsForLock:
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
        overtaken: why the execution could not be followed to its end; "": it could.
    """

    kernel: Kernel
    twin: Twin
    runner: asyncio.Runner
    statements_count: int = 0
    blocked: list[WaitsForLock] = field(default_factory=list)
    disagreement: Disagreement | None = None
    overtaken: str = ""
    _pending: dict[str, _Pending] = field(default_factory=dict)

    def follow(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        """Perform the model's step on the twin; to be called as a step listener."""
        is_nothing = operation.statement.kind is Kind.SLEEP or type(result) is Postponed
        if is_nothing or self.is_over():
            return
        with left():
            self.runner.run(self._step(task.name, operation, result, changes))
        if self.is_over():
            self.kernel.is_stopped = True

    def is_over(self) -> bool:
        """Return whether the twin follows no more."""
        return self.disagreement is not None or bool(self.overtaken)

    async def _step(
        self, task: str, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        statement = call_text(operation.statement, operation.args)
        waiting = self._pending.get(task)
        if waiting is not None:
            # The model attempts it once more: what held it up is over, unless it now
            # meets somebody else.
            if type(result) is not Blocked:
                waiting.expected = result
                if result == Failed(Failure.DEADLOCK):
                    await self.twin.give_way(task)
                await self._settle(task)
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
            if type(result) is not Blocked:
                await self._disagree(task, pending, f"waits for {', '.join(waits_for)}")
            self.blocked.append(
                WaitsForLock(
                    step=pending.step,
                    task=task,
                    statement=statement,
                    waits_for=waits_for,
                    seconds=seconds,
                )
            )
        else:
            await self._compare(task, pending)

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

    async def _settle(self, task: str) -> None:
        """Compare a statement that was held up and has been let go since."""
        pending = self._pending[task]
        waits_for, _ = await self._watch(task, pending.running)
        if waits_for:
            await self._disagree(task, pending, f"waits for {', '.join(waits_for)}")
            return
        del self._pending[task]
        await self._compare(task, pending)

    async def _compare(self, task: str, pending: _Pending) -> None:
        error = pending.running.exception()
        if isinstance(error, WavecheckError):
            raise error
        expected = pending.expected
        if isinstance(expected, Exception) and error is not None:
            if type(error) is not type(expected):
                await self._disagree(task, pending, error)
            return
        real = error if error is not None else pending.running.result()
        if plain(real) != plain(expected):
            await self._disagree(task, pending, real)

    async def _disagree(self, task: str, pending: _Pending, real: Any) -> None:
        for other, held_up in self._pending.items():
            if other != task and not await self._is_held_up(other, held_up):
                self.overtaken = (
                    f"{other} was let go, and in this order {task} is faster"
                )
                return
        self.disagreement = Disagreement(
            step=pending.step,
            task=task,
            statement=pending.statement,
            model=_shown(pending.expected),
            real=_shown(real),
        )

    async def _is_held_up(self, task: str, pending: _Pending) -> bool:
        return not pending.running.done() and bool(await self.twin.blockers(task))

    async def abandon(self) -> None:
        """Stop waiting for what is still running."""
        running = [pending.running for pending in self._pending.values()]
        self._pending.clear()
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _shown(value: Any) -> Any:
    """Return an answer as people read it: plain data, or how a statement ended."""
    return str(value) if isinstance(value, Blocked | Failed) else plain(value)

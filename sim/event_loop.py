"""asyncio for the code under test: tasks, timers and futures without a real event loop.

What a kernel's task does with asyncio (`gather`, `create_task`, `TaskGroup`, `timeout`,
`sleep`, locks, events, queues) stays inside of that task, which is a *process* of its
own from then on: several flows, each of which waits for a statement, a timer or another
flow. Its next step is one of the statements and timers that its flows wait for, and
which one is a choice inside the step; so strategies, replays, shrinking and proofs need
not know of flows at all.

asyncio's own code runs unchanged: its pure-Python `Task`, and its futures and locks,
over `LOOP`, which stands in for the running event loop. Callbacks run in the order in
which they were scheduled, as in a real loop: a reply of the database that comes while
others are ready is looked at behind them. While some are ready, the next step is to let
the first of them go on, or any statement or timer. Code between two awaits is never
interrupted. A flow that was just created runs up to its first await before any reply is
looked at.

A task that never uses asyncio pays nothing: it becomes a process at the end of the
resumption in which it first asks for the loop.

Rejected: a kernel task for each flow (a proof learns tasks one by one, and flows share
what they close over); asyncio's real loop in its place (it waits for the system, and
decides by itself who is next); a copy of asyncio's API (people's code imports asyncio).

Known gap: a process that loops for ever is told apart by the history of its results, so
a proof of it ends by its limits only.
"""

import asyncio
import sys
from _thread import get_ident
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from wavecheck.sim.blame import describe_foreign_await
from wavecheck.sim.errors import CoordinatorError, WavecheckError
from wavecheck.sim.operation import Kind, Operation, Statement, making
from wavecheck.sim.surroundings import RUNNING, refuse_here, ticks_now
from wavecheck.sim.task import Task

_LOCKS: Final = vars(asyncio.locks)
_QUEUES: Final = vars(asyncio.queues)
_TICKS_PER_SECOND: Final = 1_000_000
NOTHING: Final = object()
"""Stands for what a coroutine awaits that has ended."""
_PythonTask: Any = asyncio.tasks._PyTask  # type: ignore[attr-defined]  # typeshed hides it
_current_tasks: Any = asyncio.tasks._current_tasks  # type: ignore[attr-defined]  # likewise


class Chosen(NamedTuple):
    """The result of a step that was one of several.

    Attributes:
        which: of the operations, from 0.
        value: its result.
        error: what it raised.
    """

    which: int
    value: Any
    error: Exception | None


# The statements of processes ---------------------------------------------------------


def _is_open(operation: Operation[Any]) -> bool:
    guard = operation.statement.enabled
    return guard is None or guard(operation.owner, *operation.args)


def _perform_any(kernel: Any, *operations: Operation[Any]) -> Chosen:
    """Perform one of several operations; which one is a choice."""
    open_ones = [n for n, one in enumerate(operations) if _is_open(one)]
    index = open_ones[kernel.choose(len(open_ones))]
    chosen = operations[index]
    vars(kernel)["performed"].add(chosen.statement)
    try:
        value = chosen.statement.function(chosen.owner, *chosen.args)
    except Exception as error:
        if isinstance(error, WavecheckError) or kernel.journal:
            raise
        return Chosen(index, None, error)
    return Chosen(index, value, None)


def _is_any_open(kernel: Any, *operations: Operation[Any]) -> bool:
    return any(_is_open(one) for one in operations)


class Joint:
    """Several parts, of which any may wake a task.

    Attributes:
        lists: their waiters.
        name: for people.
    """

    def __init__(self, parts: list[Any]) -> None:
        self.name = " or ".join(dict.fromkeys(part.name for part in parts))
        self.lists: list[list[Any]] = []
        for part in parts:
            if not any(part.waiters is one for one in self.lists):
                self.lists.append(part.waiters)

    @property
    def waiters(self) -> "Joint":
        """What a task is added to and removed from."""
        return self

    def __contains__(self, task: object) -> bool:
        return any(task in one for one in self.lists)

    def append(self, task: object) -> None:
        """Let a task wait for each of them."""
        for one in self.lists:
            one.append(task)

    def remove(self, task: object) -> None:
        """Let a task wait for none of them."""
        for one in self.lists:
            one.remove(task)


def _parts_of(kernel: Any, *operations: Operation[Any]) -> Any:
    found = []
    for one in operations:
        wakes_on = one.statement.wakes_on
        assert wakes_on is not None
        part: Any = wakes_on(one.owner, *one.args)
        found.append(part)
    return Joint(found)


def _go_on(kernel: Any) -> None:
    """Let the flow that was woken first go on."""


def _be_woken(kernel: Any, process: str) -> None:
    """Go on: another task has woken a flow of this process."""


def _statement(
    function: Callable[..., Any], name: str, enabled: Any = None, wakes_on: Any = None
) -> Statement:
    described = Statement(function, Kind.EXTERNAL, enabled, wakes_on)
    described.name = name
    return described


_ANY: Final = _statement(_perform_any, "any_of")
_ANY_GUARDED: Final = _statement(_perform_any, "any_of", _is_any_open, _parts_of)
_GO_ON: Final = _statement(_go_on, "go_on")
_BE_WOKEN: Final = _statement(
    _be_woken,
    "be_woken",
    lambda kernel, process: kernel.is_woken(process),
    lambda kernel, process: kernel.wakes(process),
)


def performed(operation: Operation[Any], result: Chosen) -> tuple[Operation[Any], Any]:
    """Return which operation a step has performed, and its result, for listeners."""
    shown = result.value if result.error is None else result.error
    return operation.args[result.which], shown


# Processes -------------------------------------------------------------------------


@dataclass(slots=True)
class _Waiting:
    """One thing that a process waits for."""

    operation: Operation[Any]
    future: Any  # of a flow that awaits the operation; None: a timer
    handle: asyncio.TimerHandle | None = None

    def is_over(self) -> bool:
        if self.handle is not None:
            return self.handle.cancelled()
        return bool(self.future.done())


class _Flow(Coroutine[Any, Any, Any]):
    """A coroutine of a process: what it hands on becomes a future."""

    def __init__(self, process: "Process", coroutine: Any) -> None:
        self.first: object = NOTHING
        self._process = process
        self._coroutine = coroutine
        self._awaited: Any = None

    def send(self, value: Any) -> Any:
        """Go on with the result of what was awaited."""
        if self.first is not NOTHING:
            yielded, self.first = self.first, NOTHING
            return self._future_of(yielded)
        awaited, self._awaited = self._awaited, None
        result = None if awaited is None else awaited.result()
        return self._run(lambda: self._coroutine.send(result))

    def throw(self, *error: Any) -> Any:
        """Go on with an error."""
        self._awaited = None
        return self._run(lambda: self._coroutine.throw(error[-1]))

    def close(self) -> None:
        """End where it stands."""
        self._coroutine.close()

    def __await__(self) -> Generator[Any, None, Any]:
        raise NotImplementedError("asyncio's tasks drive it by send and throw")

    def _run(self, go_on: Callable[[], Any]) -> Any:
        try:
            return self._future_of(go_on())
        except StopIteration:
            raise
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if not isinstance(error, Exception) or isinstance(error, WavecheckError):
                self._process.refusal = self._process.refusal or error
            raise

    def _future_of(self, yielded: object) -> Any:
        process = self._process
        if yielded is None:
            yielded = process.kernel.sleep(0)
        if type(yielded) is Operation:
            self._awaited = process.wait_for(yielded)
            return self._awaited
        if not is_ours(yielded):
            raise CoordinatorError(
                describe_foreign_await(
                    yielded, process.task.name, self._coroutine, process.steps_count
                )
            )
        return yielded


class _FlowTask(_PythonTask):  # type: ignore[misc]  # typeshed hides its base
    """asyncio's own task, over one flow of a process."""

    def __init__(self, process: "Process", coroutine: Any, **details: Any) -> None:
        self.process = process
        self.has_started = False
        self.flow = _Flow(process, coroutine)
        self._log_destroy_pending = False
        super().__init__(self.flow, loop=LOOP, **details)


def is_ours(yielded: object) -> bool:
    """Return whether this is a future that a process can wait for."""
    is_future = getattr(yielded, "_asyncio_future_blocking", None) is not None
    return is_future and yielded.get_loop() is LOOP  # type: ignore[attr-defined]  # a future


def is_for_a_process(yielded: object) -> bool:
    """Return whether a task awaits what no kernel answers: asyncio does."""
    return yielded is None or is_ours(yielded)


class Process:
    """The flows of one kernel task.

    Args:
        kernel: whose.
        task: becomes the process.

    Attributes:
        ready: what was scheduled to run, in order.
        waiters: the task, while nothing but another task can wake it.
        refusal: what must end the execution, though a flow has seen it.
        is_driving: asyncio's tasks run; before, the coroutine does that asked first.
    """

    wakes_one = False

    def __init__(self, kernel: Any, task: Task) -> None:
        self.kernel = kernel
        self.task = task
        self.name = task.name
        self.ready: deque[asyncio.Handle] = deque()
        self.waiters: list[Task] = []
        self.refusal: BaseException | None = None
        self.is_driving = False
        self.steps_count = 0
        self._waiting: list[_Waiting] = []
        self._handed: list[Any] = []  # futures that another task may resolve
        self._flows: list[Any] = []
        self.main = self.spawn(task.coroutine, name=task.name)
        self.ready.clear()  # it has started already

    def spawn(self, coroutine: Any, **details: Any) -> Any:
        """Add a flow; return asyncio's task for it."""
        details["name"] = details.get("name") or f"{self.name}/{len(self._flows)}"
        flow = _FlowTask(self, coroutine, **details)
        self._flows.append(flow)
        return flow

    def wait_for(self, operation: Operation[Any]) -> Any:
        """Return a future of what an operation will give."""
        if making.listeners:
            making.awaited.setdefault(get_ident(), []).append(operation)
        future = LOOP.create_future()
        future._asyncio_future_blocking = True
        self._waiting.append(_Waiting(operation, future))
        return future

    def wait_for_others(self, future: Any) -> None:
        """Note that a lock, an event or a queue holds a future of this process."""
        self._handed.append(future)

    def _may_be_woken(self) -> bool:
        self._handed = [one for one in self._handed if not one.done()]
        return bool(self._handed)

    def set_timer(self, handle: asyncio.TimerHandle, ticks: int) -> None:
        """Let a callback run when some time has passed."""
        self._waiting.append(_Waiting(self.kernel.sleep(ticks), None, handle))

    def drive(self, yielded: object) -> Generator[Operation[Any], Any, Any]:
        """Run the flows, from what the first one has handed on; yield what is next.

        Args:
            yielded: what its coroutine awaits; `NOTHING` if it has ended.
        """
        self.is_driving = True
        _current_tasks.pop(LOOP, None)
        main_is_over = yielded is NOTHING
        try:
            if not main_is_over:
                self.main.flow.first = yielded
                self._run(self.main._Task__step)
            while True:
                self._settle()
                if self.main.done():
                    self.main.result()  # its error ends the process
                if not self._flows_left(main_is_over=main_is_over):
                    break
                yield from self._step()
            for flow in self._flows:
                if flow.done() and not flow.cancelled() and flow._log_traceback:
                    flow.result()  # nobody has asked for its error
            return self.main.result() if self.main.done() else None
        finally:
            self.close()

    def _flows_left(self, *, main_is_over: bool) -> bool:
        flows = self._flows[1:] if main_is_over else self._flows
        return any(not flow.done() for flow in flows)

    def _settle(self) -> None:
        """Run what must run before anything else can happen."""
        while self.ready:
            flow = getattr(self.ready[0]._callback, "__self__", None)  # type: ignore[attr-defined]  # no public name
            is_resumed = isinstance(flow, _FlowTask) and flow.has_started
            if is_resumed and self._open():
                return
            self._run_first()

    def _open(self) -> list[_Waiting]:
        self._waiting = [one for one in self._waiting if not one.is_over()]
        return self._waiting

    def _run_first(self) -> None:
        handle: Any = self.ready.popleft()
        if handle.cancelled():
            return
        flow = getattr(handle._callback, "__self__", None)
        if isinstance(flow, _FlowTask):
            flow.has_started = True
        self._run(lambda: handle._context.run(handle._callback, *handle._args))

    def _run(self, callback: Callable[[], Any]) -> None:
        callback()
        if self.refusal is not None:
            raise self.refusal

    def _step(self) -> Generator[Operation[Any], Any, None]:
        """Yield the next operation, and hand its result on."""
        waiting = self._open()
        operations = [one.operation for one in waiting]
        if self.ready:
            operations.insert(0, Operation(_GO_ON, self.kernel, ()))
        elif operations and not self.kernel.is_timed and self._may_be_woken():
            operations.insert(0, Operation(_BE_WOKEN, self.kernel, (self.name,)))
        if self.kernel.is_timed and len(operations) > 1:
            raise CoordinatorError(
                f"task {self.name} waits for several things at once: "
                f"{', '.join(one.statement.name for one in operations)}\n"
                "  expected  one after the other, in a timed run\n"
                "next: search its schedules instead: wavecheck check"
            )
        offset = len(operations) - len(waiting)
        if not operations:
            operation: Operation[Any] = Operation(_BE_WOKEN, self.kernel, (self.name,))
        elif len(operations) == 1:
            operation = operations[0]
        else:
            is_guarded = all(one.statement.enabled is not None for one in operations)
            kind = _ANY_GUARDED if is_guarded else _ANY
            operation = Operation(kind, self.kernel, tuple(operations))
        error: Exception | None = None
        value: Any = None
        try:
            value = yield operation
        except Exception as raised:
            error = raised
        self.steps_count += 1
        index = 0
        if type(value) is Chosen:
            index, value, error = value
        if index < offset or not waiting:
            self._run_first()
        else:
            self._hand_on(waiting.pop(index - offset), value, error)

    def _hand_on(self, done: _Waiting, value: Any, error: Exception | None) -> None:
        was_ready = bool(self.ready)
        if done.handle is not None:
            handle: Any = done.handle
            self._run(lambda: handle._context.run(handle._callback, *handle._args))
        elif error is not None:
            done.future.set_exception(error)
        else:
            done.future.set_result(value)
        if self.ready and not was_ready and done.handle is None:
            self._run_first()

    def close(self) -> None:
        """End every flow where it stands."""
        self.ready.clear()
        self._waiting.clear()
        for flow in self._flows:
            if not flow.done():
                close(flow.flow)


def close(coroutine: Any) -> None:
    """End a coroutine where it stands, even if it awaits something on its way out."""
    for _ in range(_CLOSES_MAX):
        try:
            coroutine.close()
        except RuntimeError:
            continue  # it awaits in a `finally`: nobody answers a process that is over
        except (Exception, BaseExceptionGroup):
            return
        return


_CLOSES_MAX: Final = 100


# The stand-in -----------------------------------------------------------------------


class KernelLoop:
    """Stands in for the running event loop of whichever task runs."""

    def __hash__(self) -> int:
        """Return a constant; whoever looks up the current task finds it from then on.

        asyncio keeps current tasks in a dictionary by loop. A task that has not used
        asyncio yet is not in it, so it is put there when it is looked up.
        """
        kernel = RUNNING.kernel
        if kernel is not None and not self._is_asked:
            self._is_asked = True
            try:
                process = self._process()
                if not process.is_driving:
                    _current_tasks[self] = process.main
            finally:
                self._is_asked = False
        return 1

    _is_asked = False

    def __eq__(self, other: object) -> bool:
        return self is other

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse_here(
            f"asyncio's {name} needs a real event loop",
            "await statements of the world; gather, tasks, timeouts, locks, events and"
            " queues of asyncio work",
        )

    def _process(self) -> Process:
        kernel: Any = RUNNING.kernel
        if kernel is None:
            raise RuntimeError("no task of a world is running")
        task: Task = vars(kernel)["current"]
        if task.process is None:
            kernel.adopt(task)
        process: Process = task.process
        return process

    def create_future(self) -> Any:
        """Return a future of asyncio."""
        future: Any = asyncio.Future(loop=self)  # type: ignore[arg-type]  # it stands in for one
        if (
            sys._getframe(1).f_globals is _LOCKS
            or sys._getframe(1).f_globals is _QUEUES
        ):
            self._process().wait_for_others(future)
        return future

    def create_task(
        self, coroutine: Any, *, name: Any = None, context: Any = None
    ) -> Any:
        """Return a new flow of the process that runs."""
        return self._process().spawn(coroutine, name=name, context=context)

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """Run a callback behind those that are ready."""
        owner: Any = getattr(callback, "__self__", None)
        process = owner.process if isinstance(owner, _FlowTask) else self._process()
        handle = asyncio.Handle(callback, args, self, context)  # type: ignore[arg-type]  # stands in
        process.ready.append(handle)
        if process.waiters:  # another process has woken it
            process.kernel.wake(process)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Any = None,
    ) -> asyncio.TimerHandle:
        """Run a callback when some seconds have passed."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Run a callback at a moment of the world's clock."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)  # type: ignore[arg-type]  # stands in
        ticks = max(0, round((when - self.time()) * _TICKS_PER_SECOND))
        self._process().set_timer(handle, ticks)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is left out when the next step is made."""

    def time(self) -> float:
        """Return the world's time in seconds."""
        kernel = RUNNING.kernel
        return 0.0 if kernel is None else ticks_now(kernel) / _TICKS_PER_SECOND

    def get_debug(self) -> bool:
        """Return False."""
        return False

    def is_running(self) -> bool:
        """Return True."""
        return True

    def is_closed(self) -> bool:
        """Return False."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Do nothing: an error that nobody asks for ends the process."""


LOOP: Final = KernelLoop()


@contextmanager
def left() -> Iterator[None]:
    """Leave the stand-in for a while, so that a real event loop can run."""
    before = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(before)

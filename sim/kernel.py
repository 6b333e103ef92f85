"""The kernel: a SimPy environment that runs tasks one atomic step at a time.

A task is a coroutine. It awaits operations and nothing else; the kernel performs one
operation at a time, so between two steps of a task any other task may run. Who is next
is decided by a pluggable rule among the enabled tasks, oldest first.

In a *timed* run every operation takes its latency before it acts, and SimPy's event
queue orders the steps by virtual time; the rule picks among the steps that fall due at
the same tick. In an *untimed* run all steps lie at time zero, so the event queue is a
plain list of enabled tasks and the rule may pick any of them.

The kernel knows no domain, no property and no strategy. It must not read a clock or
draw a random number.

Units: time is a whole number of ticks; a tick is a microsecond.
"""

from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from heapq import heapify, heappop, heappush
from typing import Any, Final

import simpy
from simpy.core import EmptySchedule, StopSimulation

from wavecheck.sim import blame, event_loop
from wavecheck.sim.errors import (
    CoordinatorError,
    HarnessBug,
    StepLimitReached,
    WavecheckError,
)
from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.parts import Change, Part
from wavecheck.sim.surroundings import RUNNING, install
from wavecheck.sim.task import FirstInFirstOut, InTurn, Rule, Task
from wavecheck.sim.watchdog import WATCHDOG, watched

TICKS_PER_SECOND: Final = 1_000_000
TICKS_PER_MILLISECOND: Final = 1_000
STEPS_MAX: Final = 10_000_000
PROGRESS_EVERY: Final = 20_000
FAIR_WINDOW: Final = 1_000
"""So many fair steps after which the parts are as before are a loop."""

_PRIORITY: Final = 1  # SimPy's priority of ordinary events
_FIRST: Final = -1  # before whatever SimPy itself puts at the same tick
_FOR_A_PROCESS: Final = 2  # a reason to stop that is none: a task becomes a process
CODE_FAILURES: Final = (Exception, SystemExit, CancelledError)
"""What code under test can end with; an interrupt by the user is not among them."""

Latency = Callable[[Operation[Any]], int]
StepListener = Callable[[Task, Operation[Any], Any, list[Change]], None]


def _no_latency(operation: Operation[Any]) -> int:
    return 0


class Kernel(simpy.Environment):
    """Runs tasks over shared parts until nothing is enabled.

    Args:
        rule: picks among enabled tasks; first-in-first-out if not given.
        timed: virtual time with latencies, or any enabled step at any moment.
        latency: ticks that an operation takes before it acts; timed runs only.
        steps_max: raises `CoordinatorError` when an execution takes more steps.
        seed: of the values that code under test draws at random.

    Attributes:
        parts: every part by name, in order of creation.
        tasks: every task, in order of spawning.
        services: what code under test reaches by other ways than its arguments, such
            as databases that it connects to; by kind.
        current: the task whose step is being performed.
        steps_count: steps performed so far.
        choices: what the rule answered, in order: the schedule of this execution.
        performed: every statement that was ever performed; a rewind keeps it.
        survives: called with a task and an error of `survived` that it did not catch;
            the world ends the task and deals with that.
        survived: what the world takes for the end of a process.
        expected_errors: what ends a task and is nobody's fault.
        error_watchers: called with a task and any other error that ends it; without one
            such an error ends the run.
        progress: called with the steps so far, now and then; raising ends the run.
        pause_every: steps between two calls of it.
        on_step: called after each step, with its changes; for traces.
        asks: asks a guard in its stead, to see what it reads.
        refuses_waking: called with the name of a process that another task wakes by
            asyncio; where tasks are run one by one, that must not be.
        processes: those of the tasks that use asyncio, by name.
        adopted: the task that has just used asyncio for the first time; its code runs.
        is_stopped: set to end the run after the current step.
        fair_after: after so many steps the rule is asked no more, and every task and
            every option gets its turn; None: never.
        is_fair: that has happened in this execution.
        was_cut: this execution went on after `steps_max` steps, or went round in a loop
            though it was fair, and was ended there.
        was_known: this execution came to a state whose futures are explored, and was
            ended there.
    """

    def __init__(
        self,
        *,
        rule: Rule | None = None,
        timed: bool = True,
        latency: Latency = _no_latency,
        steps_max: int = STEPS_MAX,
        seed: int = 0,
    ) -> None:
        super().__init__()
        install()
        self.seed = seed
        self.rule: Rule = rule if rule is not None else FirstInFirstOut()
        self.is_timed = timed
        self.latency = latency
        self.steps_max = steps_max
        self.parts: dict[str, Part] = {}
        self.services: dict[str, Any] = {}
        self.tasks: list[Task] = []
        self.enabled: list[Task] = []
        self.current: Task | None = None
        self.journal: list[Change] = []
        self.steps_count = 0
        self.choices: list[int] = []
        self.survives: Callable[[Task, Exception], None] | None = None
        self.survived: tuple[type[Exception], ...] = ()
        self.expected_errors: tuple[type[BaseException], ...] = ()
        self.error_watchers: list[Callable[[Task, BaseException], None]] = []
        self.progress: Callable[[int], None] | None = None
        self.performed: set[Statement] = set()
        self.on_step: StepListener | None = None
        self.asks: Callable[[Operation[Any]], bool] | None = None
        self.is_stopped: Any = False
        self.fair_after: int | None = None
        self.is_fair = False
        self.was_cut = False
        self.was_known = False
        self._state: tuple[Any, ...] = ()  # at the last pause of a fair execution
        self.refuses_waking: Callable[[str], None] | None = None
        self.processes: dict[str, event_loop.Process] = {}
        self.adopted: Task | None = None  # has just used asyncio for the first time
        self._acting: Task | None = None  # whose step lets another task fail
        self.pause_every = PROGRESS_EVERY
        self._pause_at = min(steps_max, self.pause_every)
        self._due: list[tuple[int, int, int, Any]] = self._queue  # type: ignore[assignment]  # here it holds tasks as well
        self._has_rule = rule is not None
        self._is_single = False

    # Construction ---------------------------------------------------------------

    def register(self, part: Part) -> None:
        """Add a part; parts call this themselves."""
        if part.name in self.parts:
            raise HarnessBug(f"two parts are called {part.name!r}")
        self.parts[part.name] = part

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, Any],
        name: str,
        *,
        at: int = 0,
        is_daemon: bool = False,
    ) -> Task:
        """Add a task.

        It runs up to its first operation at once, or, in a timed run, at tick `at`.
        """
        task = Task(name, len(self.tasks), coroutine, is_daemon=is_daemon)
        self.tasks.append(task)
        if self.is_timed and at > self._now:
            heappush(self._due, (at, _PRIORITY, next(self._eid), task))
        else:
            spawning = self.current
            try:
                if WATCHDOG.kernel is self:
                    self._resume(task, None)
                else:
                    with watched(self):
                        self._resume(task, None)
            except BaseException:
                self.close()  # no task is left open
                raise
            self.current = spawning
        return task

    def kill(self, task: Task) -> None:
        """End a task where it stands; what it did stays done."""
        self._withdraw(task)
        task.was_cut = True
        event_loop.close(task.coroutine)
        task.end()

    def fail(self, task: Task, failure: Exception) -> None:
        """Let a task's next statement fail instead of acting; untimed runs only."""
        assert not self.is_timed
        self._withdraw(task)
        self._acting = self.current
        self._resume(task, None, failure)
        self.current, self._acting = self._acting, None

    def _withdraw(self, task: Task) -> None:
        """Take back a task's next step."""
        operation = task.operation
        if task in self.enabled:
            self.enabled.remove(task)
        if operation is None or operation.statement.wakes_on is None:
            return
        part = operation.statement.wakes_on(operation.owner, *operation.args)
        if task in part.waiters:
            part.waiters.remove(task)
        elif self.is_timed:  # it was woken already: the wake-up is another's now
            task.operation = None
            self._recheck(part)

    def current_task(self) -> Task:
        """Return the task that is running now."""
        assert self.current is not None
        return self.current

    # Operations of the kernel itself ---------------------------------------------

    def sleep(self, ticks: int) -> Operation[None]:
        """Wait; in an untimed run the sleep may end at any moment."""
        return Operation(_SLEEP, self, (ticks,))

    def choose(self, options_count: int) -> int:
        """Let the rule decide inside a step; return 0 to `options_count` - 1."""
        if options_count < 2:
            return 0
        choice = self.rule.choose(options_count)
        self.choices.append(choice)
        return choice

    # Running --------------------------------------------------------------------

    def mark(self) -> None:
        """Remember the parts as they are: the initial state of every execution."""
        self.journal.clear()
        for part in self.parts.values():
            part.mark()

    def rewind(self) -> None:
        """Forget tasks, time and choices; set the parts back to the mark."""
        self.close()
        self.tasks.clear()
        self.processes.clear()
        self.adopted = None
        self.enabled.clear()
        self._due.clear()
        self.journal.clear()
        self._now = 0
        self.steps_count = 0
        self._pause_at = self._next_pause()
        self.choices = []
        self.is_stopped = self.is_fair = self.was_cut = self.was_known = False
        for part in self.parts.values():
            part.waiters.clear()
            part.rewind()

    def run_to_quiescence(self) -> None:
        """Take steps until nothing is enabled, or until `is_stopped`.

        When it raises, no task is left open.

        Raises:
            CoordinatorError: the code under test failed or awaited something foreign.
            StepLimitReached: it took too many steps.
        """
        try:
            if WATCHDOG.kernel is self:
                self._run_on()
            else:
                with watched(self):
                    self._run_on()
        except StopSimulation:  # SimPy's `run(until=...)`: it may go on later
            raise
        except BaseException:
            RUNNING.kernel = None  # an interrupt by the user came while code ran
            self.close()
            raise

    def close(self) -> None:
        """End every task where it stands."""
        for task in self.tasks:
            if not task.is_finished:
                task.was_cut = True
                event_loop.close(task.coroutine)
                task.end()

    def _run_on(self) -> None:
        self._run()
        while self.adopted is not None:
            self._begin_process()
            self._run()

    def _run(self) -> None:
        """Take steps until nothing is enabled, or until `is_stopped`.

        The hot path of every run and every search, written flat on purpose: what is
        rare (a guard, a failure, a start, an end) is in methods of its own.
        """
        journal, enabled, due = self.journal, self.enabled, self._due
        is_timed, pause_at = self.is_timed, self._pause_at
        pops_front = is_timed and not self._has_rule
        next_number, latency = self._eid.__next__, self.latency
        note_performed, running = self.performed.add, RUNNING.__dict__  # this thread's
        task: Any  # a Task, or in a timed run now and then an event of SimPy's own
        while not self.is_stopped:
            if pops_front and due:
                self._now, _, _, task = heappop(due)
            elif due:
                task = self._pick_due()
            elif len(enabled) > 1:
                index = self.rule.pick(enabled)
                self.choices.append(index)
                task = enabled.pop(index)
            elif enabled:
                task = enabled.pop()
            else:
                return
            if type(task) is not Task:
                self._process_event(task)
                continue
            operation = task.operation
            if operation is None or operation.statement.enabled is not None:
                if not self._may_act(task):
                    continue
                assert operation is not None
            statement = operation.statement
            self.steps_count = steps_count = self.steps_count + 1
            if steps_count > pause_at:
                pause_at = self._pause(task)
            self.current = task
            note_performed(statement)
            try:
                result = statement.function(operation.owner, *operation.args)
            except Exception as error:
                self._fail(task, error)
                continue
            task.statements_count += statement.cost
            if self.on_step is not None:
                self._tell(task, operation, result)
            if journal:
                self._react()
            running["kernel"] = self
            try:
                operation = task.send(result)
            except StopIteration:
                running["kernel"] = None
                task.end()
                continue
            except CODE_FAILURES as error:
                running["kernel"] = None
                self._end_badly(task, error)
                continue
            running["kernel"] = None
            if type(operation) is not Operation or not operation.statement.is_plain:
                self._place(task, operation)
                continue
            task.operation = operation
            if is_timed:
                moment: Any = self._now + latency(operation)
                heappush(due, (moment, _PRIORITY, next_number(), task))
            else:
                enabled.append(task)

    def step(self) -> None:
        """Take one step, or process one plain SimPy event (SimPy's own interface).

        Raises:
            EmptySchedule: there is none.
        """
        if not self._due and not self.enabled:
            raise EmptySchedule
        on_step = self.on_step

        def stop(*details: Any) -> None:
            self.is_stopped = True
            if on_step is not None:
                on_step(*details)

        self.on_step, self._is_single = stop, True
        try:
            self.run_to_quiescence()
        finally:
            self.on_step, self.is_stopped, self._is_single = on_step, False, False

    def _pick_due(self) -> Task:
        """Let the rule pick among the tasks that fall due at the same tick."""
        queue = self._due
        due = [heappop(queue)]
        while queue and queue[0][0] == due[0][0] and type(queue[0][3]) is Task:
            due.append(heappop(queue))
        index = 0
        if len(due) > 1 and type(due[0][3]) is Task:
            index = self.rule.pick([entry[3] for entry in due])
            self.choices.append(index)
        entry = due.pop(index)
        for other in due:
            heappush(queue, other)
        self._now = entry[0]
        task: Task = entry[3]
        return task

    def _process_event(self, event: Any) -> None:
        """Let SimPy process an event of its own, which a world may use beside tasks."""
        entry: Any = (self._now, _FIRST, next(self._eid), event)
        heappush(self._due, entry)
        try:
            super().step()
        except (WavecheckError, StopSimulation):
            raise
        except CODE_FAILURES as error:
            task = getattr(event, "task", None)  # of the process that has failed
            if task is None:
                raise CoordinatorError(
                    f"an event of SimPy failed, and no process waits for it: {error!r}"
                ) from error
            self._end_badly(task, error.__cause__ or error)
        self.is_stopped = self.is_stopped or self._is_single

    def _may_act(self, task: Task) -> bool:
        """Start a task whose time has come, or ask a guard; False: no step now."""
        operation = task.operation
        if operation is None:
            if not task.is_finished:
                self._resume(task, None)
            return False
        return self._leave_wait(task, operation)

    def _fail(self, task: Task, failure: Exception) -> None:
        """Let the awaiting task see that its statement failed; nothing was changed."""
        if isinstance(failure, MemoryError):
            raise failure  # says something of this machine, nothing of the code
        if self.journal:
            changed = ", ".join(dict.fromkeys(part.name for part, *_ in self.journal))
            raise CoordinatorError(
                f"a statement of the world changed {changed} and then raised"
                f" {failure!r}\n  expected  a statement that fails to change nothing"
            )
        operation = task.operation
        assert operation is not None
        task.statements_count += operation.statement.cost
        if self.on_step is not None:
            self.on_step(task, operation, failure, self.journal)
        self._resume(task, None, failure)

    def _tell(self, task: Task, operation: Operation[Any], result: Any) -> None:
        """Let the listener hear of a step; of a process, what was chosen."""
        assert self.on_step is not None
        if type(result) is event_loop.Chosen:
            operation, result = event_loop.performed(operation, result)
        self.on_step(task, operation, result, self.journal)

    def _react(self) -> None:
        """Show the step's changes to watchers and to waiting tasks."""
        journal = self.journal
        for part, key, before, after in journal:
            for watcher in part.watchers:
                watcher(key, before, after)
            if part.waiters:
                self._recheck(part)
        journal.clear()

    def _resume(self, task: Task, value: Any, failure: Exception | None = None) -> None:
        """Run a task up to its next operation and place that in the schedule."""
        self.current = task
        running = RUNNING.__dict__  # of this thread
        was_running = running.get("kernel")
        running["kernel"] = self
        try:
            if failure is None:
                operation = task.send(value)
            else:
                operation = task.coroutine.throw(failure)
        except StopIteration:
            running["kernel"] = was_running
            task.end()
        except CODE_FAILURES as error:
            running["kernel"] = was_running
            self._end_badly(task, error)
        else:
            running["kernel"] = was_running
            self._place(task, operation)
        if self.adopted is task:
            self._begin_process()

    # asyncio ------------------------------------------------------------------------

    def adopt(self, task: Task) -> None:
        """Let a task that uses asyncio go on as a process, once its code returns."""
        task.process = task.process or event_loop.Process(self, task)
        self.processes[task.name] = task.process
        self.adopted = task
        self.is_stopped = self.is_stopped or _FOR_A_PROCESS

    def wake(self, process: Any) -> None:
        """Let a process go on that another task has woken."""
        if self.refuses_waking is not None:
            self.refuses_waking(process.name)
        self._recheck(process)

    def is_woken(self, name: str) -> bool:
        """Return whether another task has woken a process."""
        process = self.processes.get(name)
        return process is not None and bool(process.ready)

    def wakes(self, name: str) -> Any:
        """Return what wakes a process."""
        return self.processes.get(name) or event_loop.Joint([])

    def process_of(self, task: Task, yielded: object) -> Any:
        """Return what drives a task that has just used asyncio for the first time."""
        self.adopted = None
        if self.is_stopped is _FOR_A_PROCESS:
            self.is_stopped = False
        task.coroutine = task.process.drive(yielded)
        task.send = task.coroutine.send
        task.operation, task.is_finished = None, False
        return task.coroutine

    def _begin_process(self, yielded: object = event_loop.NOTHING) -> None:
        """Go on with a task as a process."""
        task = self.adopted
        assert task is not None
        if task.was_cut:  # it has ended by an error
            self.adopted = None
            if self.is_stopped is _FOR_A_PROCESS:
                self.is_stopped = False
            return
        if task.operation is not None:
            yielded = task.operation
            self._withdraw(task)
            if self.is_timed:
                self._due[:] = [one for one in self._due if one[3] is not task]
                heapify(self._due)
        self.process_of(task, yielded)
        self._resume(task, None)

    def _end_badly(self, task: Task, error: BaseException) -> None:
        """Blame the code under test, unless the world takes this as a task's end."""
        if isinstance(error, WavecheckError | MemoryError):
            raise error  # memory says something of this machine, nothing of the code
        if self._acting is not None:
            self.current = self._acting  # what is left open now belongs to its step
        task.was_cut = True
        if self.survives is not None and isinstance(error, self.survived):
            self.survives(task, error)
            return
        is_found = self.error_watchers and not blame.is_about_a_loop(error)
        if isinstance(error, self.expected_errors) or is_found:
            if not isinstance(error, self.expected_errors):
                for watch in self.error_watchers:
                    watch(task, error)
            task.end()
            return
        raise CoordinatorError(
            blame.describe_failure(error, task.name, task.operation, self.steps_count)
        ) from error

    def _place(self, task: Task, operation: object) -> None:
        """Let a task wait for its turn to perform an operation."""
        if type(operation) is not Operation:
            if task.process is None and event_loop.is_for_a_process(operation):
                self.adopt(task)
            if self.adopted is task:
                task.operation = None  # that was the last one
                self._begin_process(operation)
                return
            raise CoordinatorError(
                blame.describe_foreign_await(
                    operation, task.name, task.coroutine, self.steps_count
                )
            )
        task.operation = operation
        if operation.statement.enabled is None:
            self._schedule(task, operation)
        else:
            self._wait(task, operation)

    def _schedule(self, task: Task, operation: Operation[Any]) -> None:
        task.is_enabled = True
        if not self.is_timed:
            self.enabled.append(task)
            return
        kind = operation.statement.kind
        if kind is _SLEEPING:
            delay = operation.args[0]
        else:
            delay = 0 if kind is _EXTERNAL else self.latency(operation)
        heappush(self._due, (self._now + delay, _PRIORITY, next(self._eid), task))

    def _pause(self, task: Task) -> int:
        """Report progress, or refuse to go on; return when to pause again."""
        if self.steps_count > self.steps_max or self._spins():
            raise StepLimitReached(
                blame.describe_endless(
                    self.steps_count - 1,
                    task.name,
                    task.statements_count,
                    task.coroutine,
                    is_timed=self.is_timed,
                )
            )
        if self.progress is not None:
            self.progress(self.steps_count)
        if self.fair_after is not None and self.steps_count > self.fair_after:
            self.rule, self.is_fair, self.fair_after = InTurn(), True, None
            self._state = ()
        self._pause_at = self._next_pause()
        return self._pause_at

    def _spins(self) -> bool:
        """Return whether every task had turns since the last pause, for nothing."""
        if not self.is_fair:
            return False
        before = self._state
        self._state = tuple([part.snapshot() for part in self.parts.values()])
        return self._state == before

    def _next_pause(self) -> int:
        last = self.steps_max if self.fair_after is None else self.fair_after
        every = FAIR_WINDOW if self.is_fair else self.pause_every
        return min(self.steps_max, last, self.steps_count + every)

    # Guarded steps ----------------------------------------------------------------

    def _wait(self, task: Task, operation: Operation[Any]) -> None:
        """Register a task whose next step is guarded, and enable it if it can go on."""
        statement = operation.statement
        assert statement.enabled is not None
        assert statement.wakes_on is not None
        part = statement.wakes_on(operation.owner, *operation.args)
        is_enabled = (
            statement.enabled(operation.owner, *operation.args)
            if self.asks is None
            else self.asks(operation)
        )
        task.is_enabled = False
        if not (self.is_timed and is_enabled):
            part.waiters.append(task)
        if is_enabled:
            self._schedule(task, operation)

    def _leave_wait(self, task: Task, operation: Operation[Any]) -> bool:
        """Return whether a guarded step may be taken; in a timed run, wait again."""
        statement = operation.statement
        assert statement.enabled is not None
        assert statement.wakes_on is not None
        part = statement.wakes_on(operation.owner, *operation.args)
        if not self.is_timed:
            part.waiters.remove(task)
            return True
        if statement.enabled(operation.owner, *operation.args):
            return True
        task.is_enabled = False
        part.waiters.insert(0, task)  # another task was faster: keep the place
        return False

    def _recheck(self, part: Part) -> None:
        """Enable, or in an untimed run also disable, the tasks that wait on a part."""
        for task in list(part.waiters):
            operation = task.operation
            assert operation is not None
            statement = operation.statement
            assert statement.enabled is not None
            is_enabled = (
                statement.enabled(operation.owner, *operation.args)
                if self.asks is None
                else self.asks(operation)
            )
            if is_enabled is task.is_enabled:
                continue
            if not is_enabled:
                task.is_enabled = False
                self.enabled.remove(task)
                continue
            if self.is_timed:
                part.waiters.remove(task)
            self._schedule(task, operation)
            if self.is_timed and part.wakes_one:
                return


def _slept(kernel: Kernel, ticks: int) -> None:
    """Do nothing: the sleep is over."""


_slept.__name__ = "sleep"
_SLEEP: Final = Statement(_slept, Kind.SLEEP, None, None)
_SLEEPING: Final = Kind.SLEEP
_EXTERNAL: Final = Kind.EXTERNAL

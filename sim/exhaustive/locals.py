"""The local states of one task, learned by running its coroutine.

Knows coroutines, nothing of shared state. A local state is where the coroutine stands
and what its live variables hold; where that cannot be compared, the results it has been
given so far. A coroutine cannot be copied, so a local state is reached again by giving
a fresh coroutine the same results.

Whatever reaches a local state by a second history is used once more: the step learned
by the first must come out the same by the second, or something is hidden.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from wavecheck.sim import event_loop
from wavecheck.sim.blame import (
    describe_failure,
    describe_foreign_await,
    is_about_a_loop,
)
from wavecheck.sim.errors import CoordinatorError, WavecheckError
from wavecheck.sim.exhaustive.anatomy import IdentityMap
from wavecheck.sim.exhaustive.crowd import Birth
from wavecheck.sim.exhaustive.effects import Effects
from wavecheck.sim.exhaustive.escapes import check_escapes
from wavecheck.sim.exhaustive.frames import stands_of
from wavecheck.sim.exhaustive.handoffs import Handoffs
from wavecheck.sim.exhaustive.hidden import Watch
from wavecheck.sim.exhaustive.identity import Key
from wavecheck.sim.exhaustive.liveness import stands_guarded
from wavecheck.sim.exhaustive.recording import Recorder
from wavecheck.sim.exhaustive.refusal import CannotCompare, refuse
from wavecheck.sim.exhaustive.standing import STANDING_MAX, History, StandingCoroutines
from wavecheck.sim.exhaustive.symmetry import SymmetryBroken
from wavecheck.sim.forgotten import Forgotten
from wavecheck.sim.kernel import CODE_FAILURES, Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.surroundings import RUNNING, past_of
from wavecheck.sim.task import Task
from wavecheck.sim.watchdog import watched


@dataclass(slots=True, kw_only=True)
class LocalState:
    """One local state of one task.

    Attributes:
        operation: number of the operation it stands at; None when it has ended.
        history: how it was first reached.
        birth: how the task came to be, if it is not there from the start.
        other_history: how it was reached a second time.
        other_birth: likewise.
        escaped: the error that ended it, unless the world expects that.
        is_guarded: it stands inside of a `try` or a `with`.
        next: local states by result.
    """

    operation: int | None
    history: History
    birth: Birth | None = None
    other_history: History | None = None
    other_birth: Birth | None = None
    escaped: BaseException | None = None
    is_guarded: bool = False
    next: dict[int, int] = field(default_factory=dict)


class Executions:
    """Makes executions of one world, to run single coroutines in.

    Attributes:
        has_failed: some task of the last one ended by an error before its first step.
        runs_count: how often a coroutine was resumed in Python.
        standing: coroutines that can go on where they stand.
    """

    def __init__(
        self, world: Any, watch: Watch, recorder: Recorder, forget: Callable[[], None]
    ) -> None:
        self.runs_count = 0
        self.watch = watch
        self.recorder = recorder
        self._world = world
        self._kernel: Kernel = world.kernel
        self._forget = forget
        self.standing = StandingCoroutines(watch)
        self.names: list[str] = []
        self.has_failed = False
        self._kernel.error_watchers.append(self._note_failure)
        self._kernel.refuses_waking = self._refuse_waking
        self.handoffs: Handoffs | None = None

    def _refuse_waking(self, name: str) -> None:
        raise refuse(
            f"a lock, an event or a queue of asyncio that tasks share wakes {name}",
            task=self._kernel.processes[name].name,
            likely="it is kept on an instance, or in a module, and not in one task",
        )

    def _note_failure(self, task: Task, error: BaseException) -> None:
        self.has_failed = True

    def start(self, keep: Callable[[], None] | None = None) -> list[Task]:
        """Rewind the world and spawn its tasks again.

        Args:
            keep: lets something be kept from before; None: what was kept at first.
        """
        kernel = self._kernel
        self.standing.end()
        kernel.rewind()
        self._forget()
        self.has_failed = False
        (keep or self.watch.put_back)()
        with watched(kernel):
            self._world.start()
        check_escapes()
        self.watch.start(kernel.tasks)
        if self.handoffs is not None:
            self.handoffs.take(self.watch.handed)
        names = [task.name for task in kernel.tasks]
        if not self.names:
            self.names = names
        elif names != self.names:
            raise refuse(
                "the world spawns other tasks each time it starts",
                task=names[0] if names else "(none)",
                likely="a counter or a random source in World.start",
            )
        return kernel.tasks

    def come_to(self, index: int, history: History, values: Sequence[Any]) -> Task:
        """Return a coroutine that has been given some results.

        Args:
            index: of a task that is there from the start.
            history: numbers of the results.
            values: of all results, by number.
        """
        # What code keeps beside the parts may depend on what ran before.
        has_past = bool(self._kernel.services or self.watch.places)
        if has_past:
            self.standing.end_all()
        found = self.standing.take(index, history)
        if found is None:
            tasks = self.start()
            found = tasks[index], 0
            fits = len(tasks) <= STANDING_MAX
            if fits and not has_past and self.watch.shared.can_be_entered:
                self.standing.add(tasks)
                tasks.clear()  # a rewind ends these
                found = self.standing.take(index, ())
        assert found is not None
        task, given = found
        for one in history[given:]:
            self.resume(task, *values[one])
        return task

    def share(self, handoffs: Handoffs) -> list[Task]:
        """Let tasks share objects of asyncio's from here on, and start again."""
        handoffs.keep(self.watch.handed_lasting)
        self.handoffs, self._kernel.refuses_waking = handoffs, None
        return self.start()

    def come_to_moment(
        self, moment: int, index: int, history: History, values: Sequence[Any]
    ) -> Task:
        """Return a coroutine that has been given some results, at a moment.

        Args:
            moment: of handoffs; the task's own are part of its history.
            index: of the task.
            history: numbers of the results.
            values: of all results, by number.
        """
        assert self.handoffs is not None
        tasks = self.start()
        given = [0] * len(tasks)
        for who, past in (*self.handoffs.way_to(moment), (index, history)):
            for one in past[given[who] :]:
                self.resume(tasks[who], *values[one])
            given[who] = len(past)
        return tasks[index]

    def end_standing(self) -> None:
        """End every coroutine that is kept; learning may go on all the same."""
        self.standing.end_all()
        self._kernel.journal.clear()
        self._forget()

    def begin(
        self, coroutine: Coroutine[Any, Any, Any], name: str
    ) -> tuple[Task, BaseException | None]:
        """Run a coroutine that a step has spawned up to its first operation.

        Returns:
            The task, and the error that it did not catch, as `resume` does.
        """
        task = Task(name, -1, coroutine, is_daemon=True)
        with self.recorder.aside():
            return task, self.resume(task, None, None)

    def resume(
        self,
        task: Task,
        value: Any,
        error: Exception | None,
        context: BaseException | None = None,
    ) -> BaseException | None:
        """Run a coroutine up to its next operation, or to its end.

        Args:
            task: whose.
            value: what its statement has returned.
            error: what it has raised instead, once for each history it is part of.
            context: what the error was raised from.

        Returns:
            The error that it did not catch, unless the world expects that.

        Raises:
            CoordinatorError: it awaited something foreign.
            CannotLearn: it did something that no statement does.
        """
        kernel = self._kernel
        before = len(kernel.tasks), len(kernel.journal), len(kernel.choices)
        kernel.current = task
        escaped = None
        self.recorder.start(is_statement=False)
        RUNNING.kernel = kernel
        try:
            with watched(kernel):
                operation = self._next(task, value, error, context)
        except StopIteration:
            task.end()
        except WavecheckError:
            raise
        except CODE_FAILURES as raised:
            if is_about_a_loop(raised):
                raise CoordinatorError(
                    describe_failure(raised, task.name, task.operation, 0)
                ) from raised
            if not isinstance(raised, kernel.expected_errors):
                escaped = raised
            task.end()
        else:
            if type(operation) is not Operation:
                raise CoordinatorError(
                    describe_foreign_await(operation, task.name, task.coroutine, 0)
                )
            task.operation = operation
        finally:
            RUNNING.kernel = None
            self.recorder.is_active = False
        check_escapes()
        after = len(kernel.tasks), len(kernel.journal), len(kernel.choices)
        is_touched = self.recorder.reads or self.recorder.whole_parts
        if after[0] == before[0] and (
            is_touched or self.recorder.is_task_asked or after != before
        ):
            raise refuse(
                "shared state is read or changed outside of a statement",
                task=task.name,
                likely="a part is used directly where a statement should be awaited",
            )
        if after != before:
            raise refuse(
                "a task is spawned by a running task",
                task=task.name,
                likely="a world whose number of tasks is not known at its start",
            )
        return escaped

    def _next(
        self, task: Task, value: Any, error: Exception | None, context: Any
    ) -> Any:
        """Run a coroutine up to what it awaits next; as a process, if it uses asyncio.

        Raises:
            StopIteration: it has ended.
        """
        kernel = self._kernel
        try:
            if error is None:
                yielded = task.coroutine.send(value)
            else:
                error.__context__ = context
                yielded = task.coroutine.throw(error.with_traceback(None))
        except StopIteration:
            if kernel.adopted is not task:
                raise
            yielded = event_loop.NOTHING
        if task.process is None and event_loop.is_for_a_process(yielded):
            kernel.adopt(task)
        if kernel.adopted is task:
            yielded = kernel.process_of(task, yielded).send(None)
        return yielded


class TaskLocals:
    """Learns the local states of one task.

    Attributes:
        name: of the task.
        states: by number; number 0 is the state at the start, or, of a later task, that
            it is not there yet.
    """

    def __init__(
        self, index: int, name: str, executions: Executions, effects: Effects
    ) -> None:
        self.index = index
        self.name = name
        self.states: list[LocalState] = []
        self._numbers: dict[Key, int] = {}
        self._executions = executions
        self._effects = effects

    def note_start(self, task: Task) -> None:
        """Note the local state of a task that has just been spawned."""
        self._note(task, ())

    def later(self, index: int, name: str) -> "TaskLocals":
        """Return another task, which is not there from the start."""
        made = TaskLocals(index, name, self._executions, self._effects)
        made._numbers["not there yet"] = 0
        made.states.append(LocalState(operation=None, history=()))
        return made

    def share(self, other: "TaskLocals") -> bool:
        """Learn together with another task from here on, if both begin alike.

        Returns:
            Whether they do.
        """
        if self._numbers.keys() != other._numbers.keys():
            return False
        if any(key[0] == "history" for key in self._numbers):
            return False  # how they begin cannot be compared
        self.states, self._numbers = other.states, other._numbers
        return True

    def note_birth(self, task: Task, birth: Birth) -> int:
        """Return the number of the state that a task is born in."""
        return self._note(task, (), birth=birth)

    def ended(self) -> int:
        """Return the number of the state that it is in for ever once it has ended."""
        return self._number("ended", None, (), None)

    def known_failed(self, number: int, failure: Exception) -> int | None:
        """Return the same as `next_failed`, if it is known already."""
        result = self._effects.results.number(None, failure)
        return self.states[number].next.get(result)

    def next_failed(self, number: int, failure: Exception) -> int:
        """Return the local state after the statement at hand has failed."""
        if self._executions.handoffs is not None:
            self.refuse_faults()
        return self.next(number, self._effects.results.number(None, failure))

    def refuse_faults(self) -> NoReturn:
        """Refuse faults, healing and later tasks where asyncio's objects are shared.

        Raises:
            CannotLearn: always.
        """
        raise refuse(
            "tasks share an object of asyncio's, and faults strike or heal a task, or"
            " one is born later",
            task=self.name,
            likely="a lock, an event or a queue on an instance or in a module",
        )

    def _key(self, task: Task, history: History) -> Key:
        if task.operation is None:
            return "ended"
        has_more = task.process is not None or self._executions.handoffs is not None
        if has_more or task.locals:  # no frame shows what a library keeps for it
            return ("history", history)
        identity = self._executions.watch.identity
        aliases: IdentityMap[int] = IdentityMap()
        operation = task.operation
        try:
            stands = [
                (
                    one.code,
                    one.offset,
                    tuple([(name, identity.key(v, aliases)) for name, v in one.values]),
                )
                for one in stands_of(task.coroutine)
            ]
            arguments = [identity.key(one, aliases) for one in operation.args]
        except CannotCompare:
            return ("history", history)
        past = past_of(task)
        return (tuple(stands), operation.statement, tuple(arguments), past)

    def _key_after(
        self, task: Task, history: History, escaped: BaseException | None
    ) -> Key:
        if escaped is not None:
            return ("ended by", type(escaped), str(escaped))
        return self._key(task, history)

    def known(
        self, task: Task, history: History, escaped: BaseException | None
    ) -> tuple[int | None, bool]:
        """Return where a coroutine stands, and whether only its history tells that.

        Returns:
            The number of the local state; None: it was never learned.
        """
        key = self._key_after(task, history, escaped)
        return self._numbers.get(key), type(key) is tuple and key[0] == "history"

    @property
    def is_later(self) -> bool:
        """Whether the task is not there from the start."""
        return "not there yet" in self._numbers

    def _note(
        self,
        task: Task,
        history: History,
        *,
        birth: Birth | None = None,
        escaped: BaseException | None = None,
    ) -> int:
        """Return the number of the local state that a coroutine stands in."""
        key = self._key_after(task, history, escaped)
        operation = None
        if task.operation is not None:
            operation = self._effects.number(task.operation, self.index)
        number = self._number(key, operation, history, birth)
        self.states[number].escaped = escaped
        if operation is not None:
            self.states[number].is_guarded = stands_guarded(task.coroutine)
        return number

    def _number(
        self, key: Key, operation: int | None, history: History, birth: Birth | None
    ) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.states)
            self.states.append(
                LocalState(operation=operation, history=history, birth=birth)
            )
            return number
        known = self.states[number]
        if known.other_history is None and (history, birth) != (
            known.history,
            known.birth,
        ):
            known.other_history, known.other_birth = history, birth
        return number

    def next(self, number: int, result: int) -> int:
        """Return the local state after a result, learning it if it is new."""
        state = self.states[number]
        found = state.next.get(result)
        if found is None:
            found = self._run(state.history, state.birth, result)
            state.next[result] = found
        return found

    def next_at(self, number: int, result: int, moment: int) -> tuple[int, int | None]:
        """Return the local state after a result that is given at a moment of handoffs.

        Returns:
            Its number, and the moment after it; None: it depends on no moment.
        """
        state, handoffs = self.states[number], self._executions.handoffs
        assert handoffs is not None
        found = state.next.get(result)
        if found is not None:
            return found, None
        given = self._effects.results.after(result, moment)
        found = state.next.get(given)
        if found is None:
            found, is_used = self._run_at(state, result, given, moment)
            state.next[given if is_used else result] = found
            if not is_used:
                return found, None
        history = (*state.history, given)
        return found, handoffs.after(moment, self.index, history, self.name)

    def _run_at(
        self, state: LocalState, result: int, given: int, moment: int
    ) -> tuple[int, bool]:
        """Run a resumption at a moment of handoffs; say whether it uses any object."""
        executions, values = self._executions, self._effects.results.values
        handoffs = executions.handoffs
        assert handoffs is not None
        task = executions.come_to_moment(moment, self.index, state.history, values)
        is_process = task.process is not None
        handoffs.begin()
        with Forgotten([task], lambda: task) as forgotten:
            escaped = executions.resume(task, *values[result])
            task.was_cut = escaped is not None
            forgotten.check()
        executions.runs_count += 1
        executions.watch.check(self.name)
        is_used = is_process or task.process is not None or handoffs.is_used
        history = (*state.history, given if is_used else result)
        return self._note(task, history, escaped=escaped), is_used

    def stand(self, number: int) -> Task:
        """Return a fresh coroutine in a local state; whoever asked for it ends it."""
        if self._executions.handoffs is not None:
            self.refuse_faults()
        state = self.states[number]
        task = self._come_to(state.history, state.birth)
        self._executions.standing.let_go()
        return task

    def _come_to(self, history: History, birth: Birth | None) -> Task:
        """Return a fresh coroutine that has been given some results."""
        executions, values = self._executions, self._effects.results.values
        if birth is None:
            return executions.come_to(self.index, history, values)
        executions.start()
        task = self._effects.give_birth(birth)
        executions.watch.expect_changes()
        for one in history:
            executions.resume(task, *values[one])
        return task

    def _run(self, history: History, birth: Birth | None, result: int) -> int:
        executions, values = self._executions, self._effects.results.values
        task = self._come_to(history, birth)
        with Forgotten([task], lambda: task) as forgotten:
            escaped = executions.resume(task, *values[result])
            task.was_cut = escaped is not None
            forgotten.check()
        executions.runs_count += 1
        executions.watch.check(self.name)
        executions.watch.put_back()
        history = (*history, result)
        number = self._note(task, history, birth=birth, escaped=escaped)
        executions.standing.give_back(task, self.index, history)
        return number

    def recheck(self, number: int) -> int:
        """Learn the steps of a local state again by its second history.

        Returns:
            How many steps were compared.

        Raises:
            CannotLearn: a step comes out differently.
        """
        state = self.states[number]
        if state.other_history is None:
            return 0
        if self._differs(state, state.other_history, state.other_birth):
            raise refuse(
                f"{self.name} goes on differently from the same local state",
                task=self.name,
                likely="hidden state, randomness or a clock in the code under test",
            )
        return len(state.next)

    def recheck_as_member(self, number: int) -> int:
        """Learn the steps of a local state again by this of several alike tasks.

        Returns:
            How many steps were compared.

        Raises:
            SymmetryBroken: a step comes out differently.
        """
        state = self.states[number]
        if self._differs(state, state.history, state.birth):
            raise SymmetryBroken(f"{self.name} goes on differently from the others")
        return len(state.next)

    def _differs(
        self, state: LocalState, history: History, birth: Birth | None
    ) -> bool:
        """Return whether some step out of a state comes out differently now."""
        return any(
            self._run(history, birth, result) != expected
            for result, expected in sorted(state.next.items())
        )

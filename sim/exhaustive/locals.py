"""The local states of one task, learned by running its coroutine.

Knows coroutines, nothing of shared state. A local state is where the coroutine stands
and what its live variables hold; where that cannot be compared, the results it has been
given so far. A coroutine cannot be copied, so a local state is reached again by giving
a fresh coroutine the same results.

Whatever reaches a local state by a second history is used once more: the step learned
by the first must come out the same by the second, or something is hidden.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sim.blame import describe_failure, describe_foreign_await
from sim.errors import CoordinatorError, WavecheckError
from sim.exhaustive.effects import Effects
from sim.exhaustive.frames import stands_of
from sim.exhaustive.hidden import Watch
from sim.exhaustive.identity import IdentityMap, Key
from sim.exhaustive.recording import Recorder
from sim.exhaustive.refusal import CannotCompare, refuse
from sim.kernel import Kernel
from sim.operation import Operation
from sim.task import Task

History = tuple[int, ...]
"""Numbers of the results that a coroutine has been given."""


@dataclass(slots=True, kw_only=True)
class LocalState:
    """One local state of one task.

    Attributes:
        operation: number of the operation it stands at; None when it has ended.
        history: how it was first reached.
        other_history: how it was reached a second time.
        next: local states by result.
    """

    operation: int | None
    history: History
    other_history: History | None = None
    next: dict[int, int] = field(default_factory=dict)


class Executions:
    """Makes fresh executions of one world, to run single coroutines in.

    Attributes:
        runs_count: how often a coroutine was resumed in Python.
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
        self.names: list[str] = []

    def start(self) -> list[Task]:
        """Rewind the world and spawn its tasks again."""
        kernel = self._kernel
        kernel.rewind()
        self._forget()
        self._world.start()
        self.watch.start(kernel.tasks)
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

    def resume(self, task: Task, value: Any, error: Exception | None) -> None:
        """Run a coroutine up to its next operation, or to its end.

        Raises:
            CoordinatorError: the code under test failed.
            CannotLearn: it did something that no statement does.
        """
        kernel = self._kernel
        tasks_count, kernel.current = len(kernel.tasks), task
        self.recorder.start()
        try:
            if error is None:
                operation = task.coroutine.send(value)
            else:
                operation = task.coroutine.throw(error)
        except StopIteration:
            task.end()
        except WavecheckError:
            raise
        except Exception as raised:
            raise CoordinatorError(
                describe_failure(raised, task.name, task.operation, 0)
            ) from raised
        else:
            if type(operation) is not Operation:
                raise CoordinatorError(
                    describe_foreign_await(operation, task.name, task.coroutine, 0)
                )
            task.operation = operation
        finally:
            self.recorder.is_active = False
        if self.recorder.reads or self.recorder.whole_parts or kernel.journal:
            raise refuse(
                "shared state is read or changed outside of a statement",
                task=task.name,
                likely="a part is used directly where a statement should be awaited",
            )
        if len(kernel.tasks) != tasks_count:
            raise refuse(
                "a task is spawned by a running task",
                task=task.name,
                likely="a world whose number of tasks is not known at its start",
            )


class TaskLocals:
    """Learns the local states of one task.

    Attributes:
        name: of the task.
        states: by number; number 0 is the state at the start.
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

    def _key(self, task: Task, history: History) -> Key:
        if task.operation is None:
            return "ended"
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
        return (tuple(stands), operation.statement, tuple(arguments))

    def _note(self, task: Task, history: History) -> int:
        """Return the number of the local state that a coroutine stands in."""
        key = self._key(task, history)
        number = self._numbers.get(key)
        if number is not None:
            known = self.states[number]
            if known.other_history is None and history != known.history:
                known.other_history = history
            return number
        operation = None
        if task.operation is not None:
            operation = self._effects.number(task.operation, self.index)
        number = self._numbers[key] = len(self.states)
        self.states.append(LocalState(operation=operation, history=history))
        return number

    def next(self, number: int, result: int) -> int:
        """Return the local state after a result, learning it if it is new."""
        state = self.states[number]
        found = state.next.get(result)
        if found is None:
            found = state.next[result] = self._run(state.history, result)
        return found

    def _run(self, history: History, result: int) -> int:
        executions, values = self._executions, self._effects.results.values
        task = executions.start()[self.index]
        for one in (*history, result):
            executions.resume(task, *values[one])
        executions.runs_count += 1
        executions.watch.check(self.name)
        return self._note(task, (*history, result))

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
        for result, expected in sorted(state.next.items()):
            found = self._run(state.other_history, result)
            if found != expected:
                raise refuse(
                    f"{self.name} goes on differently from the same local state",
                    task=self.name,
                    likely="hidden state, randomness or a clock in the code under test",
                )
        return len(state.next)

"""The tasks as a step sees them, and what it does to them.

Most steps touch shared state only. A fault ends a task, lets its statement fail, or
starts another in its place. Such a step runs on stand-ins here: what it asks of a task
is noted as a read of where that task stands, and what it does to one as a move of it.

Knows numbers of local states and how a fresh coroutine is made; no arrays. A task that
does not exist from the start is *later*: number 0 of its local states is that it is not
there yet. Who is there, in which order of birth, is shared state (the kernel lists its
tasks in that order), and is kept in a part of its own.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wavecheck.sim.exhaustive.recording import Projection, Recorder
from wavecheck.sim.exhaustive.refusal import CannotLearn, refuse
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Queue
from wavecheck.sim.task import Task

if TYPE_CHECKING:
    from wavecheck.sim.exhaustive.locals import TaskLocals

BIRTHS: Final = "(tasks born later)"
SELF: Final = -1
"""In a list of reads: which task takes the step."""


def place_of(task: int) -> int:
    """Return what stands for where a task is, in a list of reads."""
    return -2 - task


def task_of(read: int) -> int:
    """Return the task of which `place_of` is this."""
    return -2 - read


def births_of(kernel: Kernel) -> "Queue[str]":
    """Return a new part that holds who was spawned later, in order."""
    births: Queue[str] = Queue(kernel, BIRTHS)
    births.mark()
    return births


class Unlearned(Exception):
    """It must be learned first what a task does when its statement fails, or it ends.

    Args:
        task: which.
        place: number of its local state.
        failure: what its statement raises; None: it is to stand there, to be ended.
    """

    def __init__(self, task: int, place: int, failure: Exception | None) -> None:
        super().__init__(task)
        self.task = task
        self.place = place
        self.failure = failure


class CrowdGrew(Exception):
    """A task was met that nobody knew of; the exploration must begin again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """How a task that is there later came to be; the same again makes it again.

    Attributes:
        operation: number of the statement that spawned it.
        task: who performed that.
        state: number of the value of each component before.
        places: number of the local state of each task before.
        answers: of the kernel's rule inside the statement.
        number: of the spawned task among those of the same statement, from 0.
    """

    operation: int
    task: int
    state: tuple[int, ...]
    places: tuple[int, ...]
    answers: tuple[int, ...]
    number: int


class TaskView:
    """A task, as far as a step may look at it."""

    __slots__ = ("_crowd", "_number", "index", "name")

    def __init__(self, crowd: "Crowd", number: int, index: int, name: str) -> None:
        self._crowd = crowd
        self._number = number
        self.index = index
        self.name = name

    def __repr__(self) -> str:
        return f"Task({self.name!r})"

    @property
    def operation(self) -> "OperationView | None":
        """What it does next; None if it has ended."""
        has_any = self._crowd.look(self._number, "has a next step")
        return OperationView(self._crowd, self._number) if has_any else None

    @property
    def is_finished(self) -> bool:
        """Whether it has ended."""
        return self.operation is None

    def end(self) -> None:
        """Note that it takes no further step."""
        self._crowd.end(self._number)

    def __getattr__(self, name: str) -> Any:
        raise self._crowd.refusal(f"attribute {name!r} of a task")


class OperationView:
    """What a task does next, as far as a step looks at it."""

    __slots__ = ("_crowd", "_number")

    def __init__(self, crowd: "Crowd", number: int) -> None:
        self._crowd = crowd
        self._number = number

    @property
    def statement(self) -> Any:
        """The kind of step."""
        return self._crowd.look(self._number, "statement")

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments of the step."""
        return self._crowd.operation(self._number).args

    @property
    def owner(self) -> object:
        """The object that the step belongs to."""
        return self._crowd.operation(self._number).owner


Begin = Callable[[Coroutine[Any, Any, Any], str], tuple[Task, BaseException | None]]
"""Runs a coroutine up to its first operation; the task, and the error that ended it."""


class Crowd:
    """The tasks in the state in which a step is being run.

    Args:
        kernel: whose statements look at tasks.
        births: who was spawned later, in order; a part of the kernel.
        recorder: is told what is looked at.
        operation_of: from the number of an operation to itself.

    Attributes:
        tasks: the local states of each task, later ones at the end.
        moves: where the step has put other tasks, by task.
        has_failed: the step has let another task end by an error.
        spawned: the coroutines of tasks that the step has spawned, as tasks.
        births: as given.
        begin: makes a task of a coroutine.
        standing: coroutines to be ended by the step, by task and local state.
        unlearned: what the step has asked for; None: it knows enough.
    """

    def __init__(
        self,
        kernel: Kernel,
        births: "Queue[str]",
        recorder: Recorder,
        operation_of: Callable[[int], Operation[Any]],
    ) -> None:
        self.tasks: list[TaskLocals] = []
        self.moves: dict[int, int] = {}
        self.has_failed = False
        self.births = births
        self.spawned: list[Task] = []
        self.begin: Begin | None = None
        self.standing: dict[tuple[int, int], Task] = {}
        self.unlearned: Unlearned | None = None
        self._kernel = kernel
        self._recorder = recorder
        self._operation_of = operation_of
        self._first_later = 0
        self._like: TaskLocals | None = None
        self._task = 0
        self._places: Sequence[int] | None = None
        self._birth: Callable[[int], Birth] | None = None

    def know(self, tasks: list["TaskLocals"], like: "TaskLocals") -> None:
        """Take the tasks that are there from the start; later ones will follow.

        Args:
            tasks: may be none.
            like: any local states of this world; later tasks are made from these.
        """
        self.tasks, self._like = tasks, like
        self._first_later = len(tasks)

    def enter(
        self,
        task: int,
        places: Sequence[int] | None,
        birth: Callable[[int], Birth] | None,
    ) -> None:
        """Begin to run a step.

        Args:
            task: who takes it.
            places: number of the local state of each task; None: unknown.
            birth: describes the spawning of the n-th task by this step.
        """
        self._task, self._places, self._birth = task, places, birth
        self.moves, self.spawned, self.has_failed = {}, [], False

    # What a statement may ask of the kernel ------------------------------------------

    def current_task(self) -> TaskView:
        """Return the task that takes the step."""
        self._recorder.note_place(SELF)
        return TaskView(self, self._task, self._task, self.tasks[self._task].name)

    def all(self) -> list[TaskView]:
        """Return the tasks that there are, in order of spawning."""
        names = [one.name for one in self.tasks[: self._first_later]]
        names.extend(self.births)
        numbers = {one.name: number for number, one in enumerate(self.tasks)}
        return [
            TaskView(self, numbers[name], index, name)
            for index, name in enumerate(names)
        ]

    def kill(self, view: TaskView) -> None:
        """End a task where it stands, and do what its code does then.

        Inside of a `try` or a `with` that may touch shared state: a transaction is
        rolled back. So a coroutine that stands there is really ended, in this step.
        """
        number = view._number
        if self.look(number, "is guarded"):
            place = self.place(number)
            standing = self.standing.pop((number, place), None)
            if standing is None:
                raise self._unlearned(number, place, None)
            standing.coroutine.close()
        self.end(number)

    def fail(self, view: TaskView, failure: Exception) -> None:
        """Let a task's next statement fail."""
        number = view._number
        locals_ = self.tasks[number]
        place = self.place(number)
        after = locals_.known_failed(place, failure)
        if after is None:
            raise self._unlearned(number, place, failure)
        escaped = locals_.states[after].escaped
        survives = self._kernel.survives
        if survives is not None and isinstance(escaped, self._kernel.survived):
            survives(view, escaped)  # type: ignore[arg-type]  # a view stands in for the task
            return
        self.moves[number] = after
        self.has_failed |= escaped is not None

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, Any],
        name: str,
        *,
        at: int = 0,
        is_daemon: bool = False,
    ) -> TaskView:
        """Add a task."""
        if self.begin is None or self._birth is None:
            coroutine.close()
            raise self.refusal("spawning a task")
        with self._recorder.pausing():
            task, escaped = self.begin(coroutine, name)
            self.has_failed |= escaped is not None
            self.spawned.append(task)
            number = self._later(name)
            birth = self._birth(len(self.spawned) - 1)
            self.moves[number] = self.tasks[number].note_birth(task, birth)
        self.births.put(name)
        return TaskView(self, number, len(self.all()) - 1, name)

    def _unlearned(self, task: int, place: int, failure: Exception | None) -> Unlearned:
        self.unlearned = Unlearned(task, place, failure)
        return self.unlearned

    def drop_standing(self) -> None:
        """End coroutines that no step has ended; the parts hold anything then."""
        while self.standing:
            _, task = self.standing.popitem()
            task.coroutine.close()

    def _later(self, name: str) -> int:
        for number in range(self._first_later, len(self.tasks)):
            if self.tasks[number].name == name:
                return number
        self.unforeseen(name)
        raise CrowdGrew(name)

    def unforeseen(self, name: str) -> None:
        """Make room for a task that nobody knew of."""
        assert self._like is not None
        self.tasks.append(self._like.later(len(self.tasks), name))

    # What the views ask ---------------------------------------------------------------

    def place(self, number: int) -> int:
        """Return the local state of a task, and note that it is read."""
        if number in self.moves:
            return self.moves[number]
        if self._places is None:
            raise self.refusal("where a task stands")
        self._recorder.note_place(place_of(number))
        return self._places[number]

    def end(self, number: int) -> None:
        """End a task, wherever it stands."""
        self.moves[number] = self.tasks[number].ended()

    def operation(self, number: int) -> Operation[Any]:
        """Return the next operation of a task."""
        known = self.tasks[number].states[self.place(number)].operation
        assert known is not None
        return self._operation_of(known)

    def look(self, number: int, what: str) -> Any:
        """Return one fact about a task, and note that only this is read."""
        projection = self.fact(number, what)
        if number in self.moves:
            return projection.of(self.moves[number])
        if self._places is None:
            raise self.refusal("where a task stands")
        self._recorder.note_place(place_of(number), projection)
        return projection.of(self._places[number])

    def fact(self, number: int, what: str) -> Projection:
        """Return what a local state shows of a task."""
        states = self.tasks[number].states

        def statement(place: int) -> Any:
            operation = states[place].operation
            return (
                None if operation is None else self._operation_of(operation).statement
            )

        def has_any(place: int) -> bool:
            return states[place].operation is not None

        def is_guarded(place: int) -> bool:
            return states[place].is_guarded

        facts = {"statement": statement, "is guarded": is_guarded}
        return Projection(what, facts.get(what, has_any))

    def refusal(self, what: str) -> CannotLearn:
        """Return the error that says what a step asked for."""
        return refuse(
            f"a step depends on {what}",
            task=self.tasks[self._task].name,
            likely="a fault, or a part that keeps more of its owner than a name",
        )

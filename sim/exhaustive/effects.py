"""What an operation does to shared state, learned once per footprint.

Knows parts, statements and properties, nothing of tasks' local state. The outcome of
an atomic statement is a function of what it reads, in the order in which it reads it;
so what is learned is a decision tree per operation: each inner node says which
component is read next, each branch what was seen there, each leaf what happens.

A leaf has several alternatives where the statement lets the kernel choose, and none
where its guard says that it is not enabled.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sim.exhaustive.crowd import SELF, Birth, Crowd, CrowdGrew, Unlearned, task_of
from sim.exhaustive.decisions import Alternative, Node, Reads, ReadsDiffer, grow
from sim.exhaustive.identity import Identity, Key
from sim.exhaustive.recording import Projection, Recorder
from sim.exhaustive.reduction import Reduction
from sim.exhaustive.refusal import CannotLearn, refuse
from sim.exhaustive.results import Results, Script
from sim.exhaustive.shared import SharedState
from sim.exhaustive.thinning import Thinning
from sim.kernel import Kernel
from sim.operation import Operation
from sim.property import Property
from sim.task import Task

RERUNS_MAX: Final = 4_000
"""Learned effects that are run again at the end, at most."""

_RERUNS_MIN: Final = 256
_ROUNDS_MAX: Final = 40

Prepare = Callable[[Callable[[], None]], None]


@dataclass(slots=True, kw_only=True)
class LearnedOperation:
    """One statement with its arguments, and what is known about it.

    Attributes:
        operation: as the first task that came to it made it.
        task: index of the task it was made by.
        root: of the decision tree; None while nothing is known.
        prepare: makes the world ready to run it, given how to load the state; None:
            nothing is needed.
        whole_parts: parts of which it has looked at every row.
    """

    operation: Operation[Any]
    task: int
    prepare: Prepare | None = None
    root: Node | None = None
    whole_parts: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Performed:
    """What one run of an operation showed; kept to run it again.

    Attributes:
        operation: number of it.
        task: who performed it.
        state: number of the value of each component that was known before.
        places: number of the local state of each task.
        reads: those of these components that it read.
        alternatives: what it did.
    """

    operation: int
    task: int
    state: tuple[int, ...]
    places: tuple[int, ...] | None
    reads: tuple[tuple[int, Hashable], ...]
    alternatives: tuple[Alternative, ...]


class Effects:
    """Learns operations on the parts of one world.

    Attributes:
        operations: by number.
        results: of all statements.
        runs_count: how often a statement was run in Python.
    """

    def __init__(
        self,
        world: Any,
        properties: Sequence[Property],
        shared: SharedState,
        *,
        recorder: Recorder,
        reduction: Reduction,
        crowd: Crowd,
        identity: Callable[[], Identity],
    ) -> None:
        self.operations: list[LearnedOperation] = []
        self.results = Results(identity)
        self.runs_count = 0
        self._numbers: dict[Key, int] = {}
        self._performed: Thinning[_Performed] = Thinning(RERUNS_MAX)
        self._kernel: Kernel = world.kernel
        self._world = world
        self._shared = shared
        self._recorder = recorder
        self._reduction = reduction
        self._crowd = crowd
        self._identity = identity
        self._checks: Mapping[str, list[tuple[int, Any]]] = {
            part: [
                (index, one.on_change[part])
                for index, one in enumerate(properties)
                if part in one.on_change
            ]
            for part in self._kernel.parts
        }

    def number(self, operation: Operation[Any], task: int) -> int:
        """Return the number of an operation that a task stands at."""
        identity = self._identity()
        statement = operation.statement
        key: Key = (
            statement,
            identity.key(operation.owner),
            identity.key(operation.args),
        )
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self.add(operation, task)
        return number

    def add(
        self,
        operation: Operation[Any],
        task: int,
        prepare: Prepare | None = None,
    ) -> int:
        """Return the number of a new operation."""
        self.operations.append(
            LearnedOperation(operation=operation, task=task, prepare=prepare)
        )
        return len(self.operations) - 1

    def forget(self, part_names: set[str]) -> None:
        """Drop what was learned from all rows of parts that got another one."""
        for one in self.operations:
            if part_names & one.whole_parts:
                one.root = None
                one.whole_parts = set()

    def forget_all(self) -> None:
        """Drop everything that was learned; the numbers stay."""
        for one in self.operations:
            one.root = None
            one.whole_parts = set()
        self._performed = Thinning(RERUNS_MAX)

    def resolve(
        self,
        number: int,
        state: Sequence[int],
        task: int,
        places: Sequence[int] | None = None,
    ) -> tuple[list[int], tuple[Alternative, ...]]:
        """Return which components an operation reads in a state, and what it does.

        Args:
            number: of the operation.
            state: number of the value of each component.
            task: who performs it.
            places: number of the local state of each task; None: unknown.
        """
        learned = self.operations[number]
        if learned.root is None:
            self._learn(number, state, task, places)
        while True:
            # Learning may have found components; they are at 0 in this state.
            state = [*state, *[0] * (len(self._shared.components) - len(state))]
            node = learned.root
            reads: dict[int, None] = {}
            while node is not None and node.component is not None:
                reads[node.component] = None
                node = node.children.get(
                    self._seen(node.component, node.projection, state, task, places)
                )
            if node is not None:
                return list(reads), node.alternatives
            self._learn(number, state, task, places)

    def _seen(
        self,
        read: int,
        projection: Projection | None,
        state: Sequence[int],
        task: int,
        places: Sequence[int] | None,
    ) -> Hashable:
        """Return what a read shows in a state."""
        if read == SELF:
            return task
        if read >= 0:
            if projection is None:
                return state[read]
            return self._shared.seen(read, state[read], projection)
        assert places is not None
        other = task_of(read)
        if projection is None:
            return places[other]
        fact: Hashable = self._crowd.fact(other, str(projection.name)).of(places[other])
        return fact

    def _learn(
        self,
        number: int,
        state: Sequence[int],
        task: int,
        places: Sequence[int] | None,
    ) -> None:
        """Run an operation in a state and add what it read and did to its tree."""
        learned = self.operations[number]
        reads, alternatives = self._perform(number, state, task, places)
        self._reduction.check()
        learned.whole_parts |= self._recorder.whole_parts
        self._performed.offer(
            _Performed(
                operation=number,
                task=task,
                state=tuple(state),
                places=None if places is None else tuple(places),
                reads=_known(reads, len(state)),
                alternatives=alternatives,
            )
        )
        numbers = [*state, *[0] * (len(self._shared.components) - len(state))]
        path = [
            (read, projection, self._seen(read, projection, numbers, task, places))
            for read, projection in reads
        ]
        if learned.root is None:
            learned.root = Node()
        try:
            grow(learned.root, path, alternatives)
        except ReadsDiffer:
            raise refuse(
                f"statement {learned.operation.statement.name!r} reads other things"
                " in the same state",
                task=self._task_name(learned),
                likely="randomness, a clock or hidden state inside the statement",
            ) from None

    def recheck(self) -> int:
        """Run a sample of what was learned again, at another moment; return how many.

        A few effects are run several times each: a bit drawn at random inside the only
        statement of a world comes out the same again with probability 1/2.

        Raises:
            CannotLearn: one of them came out differently.
        """
        self._shared.forget()
        count = len(self._performed)
        rounds = min(_ROUNDS_MAX, -(-_RERUNS_MIN // count)) if count else 0
        for _ in range(rounds):
            for before in self._performed:
                learned = self.operations[before.operation]
                reads, alternatives = self._perform(
                    before.operation, before.state, before.task, before.places
                )
                if (
                    alternatives != before.alternatives
                    or _known(reads, len(before.state)) != before.reads
                ):
                    name = learned.operation.statement.name
                    raise refuse(
                        f"statement {name!r} comes out differently in the same state",
                        task=self._task_name(learned),
                        likely="randomness, a clock or hidden state inside it",
                    )
        return count * rounds

    def _perform(
        self,
        number: int,
        state: Sequence[int],
        task: int,
        places: Sequence[int] | None,
    ) -> tuple[Reads, tuple[Alternative, ...]]:
        """Run an operation in a state, once for each list of answers it may get."""
        learned, recorder, script = self.operations[number], self._recorder, Script()
        kernel = self._kernel
        alternatives = []
        rule, kernel.rule = kernel.rule, script

        def birth(count: int) -> Birth:
            return Birth(
                operation=number,
                task=task,
                state=tuple(state),
                places=tuple(places or ()),
                answers=tuple(script.answers),
                number=count,
            )

        recorder.start()
        try:
            while True:
                recorder.is_active = False
                self._set_up(learned, state)
                script.restart()
                self._crowd.enter(task, places, birth)
                recorder.is_active = True
                try:
                    found = self._run(learned.operation, script)
                except Unlearned as first:
                    failing = self._crowd.tasks[first.task]
                    with recorder.aside():
                        failing.next_failed(first.place, first.failure)
                    continue
                if found is None:
                    break
                alternatives.append(found)
                if not script.advance():
                    break
        except BaseException:
            self._shared.forget()  # the parts are as the step left them
            kernel.journal.clear()
            raise
        finally:
            recorder.is_active = False
            kernel.rule = rule
        if recorder.is_task_asked:
            raise refuse(
                f"statement {learned.operation.statement.name!r} looks at the tasks",
                task=self._task_name(learned),
                likely="a fault, or a part that keeps an owner without being told who",
            )
        return recorder.reads, tuple(alternatives)

    def _set_up(self, learned: LearnedOperation, state: Sequence[int]) -> None:
        """Bring world and parts to where an operation can be run."""
        shared = self._shared
        numbers = [*state, *[0] * (len(shared.components) - len(state))]
        if learned.prepare is not None:
            learned.prepare(lambda: shared.load(numbers))
            shared.forget()
        shared.load(numbers)

    def give_birth(self, birth: Birth) -> Task:
        """Run a statement once more to get the coroutine of a task that it spawns."""
        learned, kernel, script = (
            self.operations[birth.operation],
            self._kernel,
            Script(),
        )
        self._set_up(learned, birth.state)
        script.answers = list(birth.answers)
        rule, kernel.rule = kernel.rule, script
        self._crowd.enter(birth.task, birth.places, lambda count: birth)
        self._recorder.start()
        try:
            statement = learned.operation.statement
            statement.function(learned.operation.owner, *learned.operation.args)
        finally:
            self._recorder.is_active = False
            kernel.rule = rule
            kernel.journal.clear()
            self._shared.forget()
        return self._crowd.spawned[birth.number]

    def _task_name(self, learned: LearnedOperation) -> str:
        return self._crowd.tasks[learned.task].name

    def _run(self, operation: Operation[Any], script: Script) -> Alternative | None:
        """Perform an operation on the loaded parts; None if it is not enabled."""
        kernel, statement = self._kernel, operation.statement
        self.runs_count += 1
        if statement.enabled is not None and not statement.enabled(
            operation.owner, *operation.args
        ):
            return None
        kernel.journal.clear()
        error: Exception | None = None
        value = None
        try:
            value = statement.function(operation.owner, *operation.args)
        except (CannotLearn, CrowdGrew, Unlearned):
            raise
        except Exception as raised:
            error = raised
        changes = list(kernel.journal)
        violated: dict[int, None] = {}
        for part, key, before, after in changes:
            for index, check in self._checks[part.name]:
                self._recorder.note(part, self._shared.key(part, key))
                if check(self._world, key, before, after) is not None:
                    violated[index] = None
        self._recorder.is_active = False
        kernel.journal.clear()
        shared = self._shared
        writes = []
        for component in shared.touched(changes):
            one = shared.components[component]
            if self._reduction.leaves_out(one.part, one.key):
                continue
            new = shared.number(component, shared.value(one.part, one.key))
            writes.append((component, new))
            self._recorder.note(one.part, one.key)
        return Alternative(
            choices=tuple(script.answers),
            result=self.results.number(value, error),
            writes=tuple(writes),
            violated=tuple(violated),
            moves=tuple(sorted(self._crowd.moves.items())),
        )


def _known(reads: Reads, components_count: int) -> tuple[tuple[int, Hashable], ...]:
    """Return the reads of the components that there were, in a form to compare."""
    return tuple(
        [
            (component, projection and projection.name)
            for component, projection in reads
            if component < components_count
        ]
    )

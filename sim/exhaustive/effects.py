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

from sim.exhaustive.identity import Identity, Key
from sim.exhaustive.recording import Projection, Recorder
from sim.exhaustive.reduction import Reduction
from sim.exhaustive.refusal import refuse
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

Reads = list[tuple[int, Projection | None]]
"""(component, what was seen of it), distinct, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One thing that a step may do.

    Attributes:
        choices: what the kernel's rule answered inside the step.
        result: number of the result that the task gets.
        writes: (component, number of the new value).
        violated: indexes of the properties that the step violates.
    """

    choices: tuple[int, ...]
    result: int
    writes: tuple[tuple[int, int], ...]
    violated: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Node:
    """One read of a decision tree, or, where `component` is None, a leaf."""

    component: int | None = None
    projection: Projection | None = None
    children: dict[Hashable, "Node"] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()


@dataclass(slots=True, kw_only=True)
class LearnedOperation:
    """One statement with its arguments, and what is known about it.

    Attributes:
        operation: as the first task that came to it made it.
        task: index of the task it was made by.
        root: of the decision tree; None while nothing is known.
        whole_parts: parts of which it has looked at every row.
    """

    operation: Operation[Any]
    task: int
    root: Node | None = None
    whole_parts: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Performed:
    """What one run of an operation showed; kept to run it again.

    Attributes:
        operation: number of it.
        state: number of the value of each component that was known before.
        reads: those of these components that it read.
        alternatives: what it did.
    """

    operation: int
    state: tuple[int, ...]
    reads: tuple[tuple[int, Hashable], ...]
    alternatives: tuple[Alternative, ...]


class Results:
    """The distinct results of statements, numbered; an error raised is one as well."""

    def __init__(self, identity: Callable[[], Identity]) -> None:
        self.values: list[tuple[Any, Exception | None]] = []
        self._numbers: dict[Key, int] = {}
        self._identity = identity

    def number(self, value: Any, error: Exception | None) -> int:
        """Return the number of a result."""
        if error is None:
            key = self._identity().key(value)
        else:
            key = ("raised", type(error), self._identity().key(error.args))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.values)
            self.values.append((value, error))
        return number


class _Script:
    """A rule that answers from a list, then with 0, and notes how many options were."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.options: list[int] = []

    def pick(self, enabled: list[Task]) -> int:
        return 0

    def choose(self, options_count: int) -> int:
        self.options.append(options_count)
        if len(self.answers) < len(self.options):
            self.answers.append(0)
        return self.answers[len(self.options) - 1]

    def restart(self) -> None:
        self.options = []

    def advance(self) -> bool:
        """Go to the next list of answers; return whether there is one."""
        while self.answers:
            if self.answers[-1] + 1 < self.options[len(self.answers) - 1]:
                self.answers[-1] += 1
                return True
            self.answers.pop()
        return False


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
        identity: Callable[[], Identity],
    ) -> None:
        self.operations: list[LearnedOperation] = []
        self.results = Results(identity)
        self.runs_count = 0
        self._numbers: dict[Key, int] = {}
        self._of_one_task: set[Key] = set()
        self._performed: Thinning[_Performed] = Thinning(RERUNS_MAX)
        self._kernel: Kernel = world.kernel
        self._world = world
        self._shared = shared
        self._recorder = recorder
        self._reduction = reduction
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
        if statement in self._of_one_task:
            key = (key, task)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.operations)
            self.operations.append(LearnedOperation(operation=operation, task=task))
        return number

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
        self, number: int, state: Sequence[int]
    ) -> tuple[list[int], tuple[Alternative, ...]]:
        """Return which components an operation reads in a state, and what it does.

        Args:
            number: of the operation.
            state: number of the value of each component.
        """
        learned = self.operations[number]
        if learned.root is None:
            self._learn(number, state)
        while True:
            # Learning may have found components; they are at 0 in this state.
            state = [*state, *[0] * (len(self._shared.components) - len(state))]
            node = learned.root
            reads: dict[int, None] = {}
            while node is not None and node.component is not None:
                component, projection = node.component, node.projection
                reads[component] = None
                seen: Hashable = state[component]
                if projection is not None:
                    seen = self._shared.seen(component, state[component], projection)
                node = node.children.get(seen)
            if node is not None:
                return list(reads), node.alternatives
            self._learn(number, state)

    def _learn(self, number: int, state: Sequence[int]) -> None:
        """Run an operation in a state and add what it read and did to its tree."""
        learned = self.operations[number]
        reads, alternatives = self._perform(learned, state)
        self._reduction.check()
        learned.whole_parts |= self._recorder.whole_parts
        self._performed.offer(
            _Performed(
                operation=number,
                state=tuple(state),
                reads=_known(reads, len(state)),
                alternatives=alternatives,
            )
        )
        numbers = [*state, *[0] * (len(self._shared.components) - len(state))]
        self._grow(learned, reads, numbers, alternatives)

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
                reads, alternatives = self._perform(learned, before.state)
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
        self, learned: LearnedOperation, state: Sequence[int]
    ) -> tuple[Reads, tuple[Alternative, ...]]:
        """Run an operation in a state, once for each list of answers it may get."""
        shared, recorder, script = self._shared, self._recorder, _Script()
        kernel = self._kernel
        alternatives = []
        rule, kernel.rule = kernel.rule, script
        # Between executions there are no tasks; a statement must not ask for its own.
        kernel.current = kernel.tasks[learned.task] if kernel.tasks else None
        recorder.start()
        try:
            while True:
                recorder.is_active = False
                numbers = [*state, *[0] * (len(shared.components) - len(state))]
                shared.load(numbers)
                script.restart()
                recorder.is_active = True
                found = self._run(learned.operation, script)
                if found is None:
                    break
                alternatives.append(found)
                if not script.advance():
                    break
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

    def _task_name(self, learned: LearnedOperation) -> str:
        tasks = self._kernel.tasks
        return tasks[learned.task].name if tasks else f"number {learned.task}"

    def _run(self, operation: Operation[Any], script: _Script) -> Alternative | None:
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
        )

    def _grow(
        self,
        learned: LearnedOperation,
        reads: Reads,
        state: Sequence[int],
        alternatives: tuple[Alternative, ...],
    ) -> None:
        """Add one path to a decision tree."""
        if learned.root is None:
            learned.root = Node()
        node, is_new = learned.root, not learned.root.children
        for component, projection in reads:
            if is_new:
                node.component, node.projection = component, projection
            elif node.component != component or (
                (node.projection and node.projection.name)
                != (projection and projection.name)
            ):
                raise refuse(
                    f"statement {learned.operation.statement.name!r} reads other"
                    " things in the same state",
                    task=self._task_name(learned),
                    likely="randomness, a clock or hidden state inside the statement",
                )
            seen: Hashable = state[component]
            if projection is not None:
                seen = self._shared.seen(component, state[component], projection)
            child = node.children.get(seen)
            is_new = child is None
            if child is None:
                child = node.children[seen] = Node()
            node = child
        node.alternatives = alternatives


def _known(reads: Reads, components_count: int) -> tuple[tuple[int, Hashable], ...]:
    """Return the reads of the components that there were, in a form to compare."""
    return tuple(
        [
            (component, projection and projection.name)
            for component, projection in reads
            if component < components_count
        ]
    )

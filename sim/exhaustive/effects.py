"""What an operation does to shared state, learned once per footprint.

Knows parts, statements and properties, nothing of tasks' local state. The outcome of
an atomic statement is a function of what it reads, in the order in which it reads it;
so what is learned is a decision tree per operation: each inner node says which
component is read next, each branch what was seen there, each leaf what happens.

A leaf has several alternatives where the statement lets the kernel choose, and none
where its guard says that it is not enabled.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from wavecheck.sim.exhaustive.crowd import SELF, Birth, Crowd, task_of
from wavecheck.sim.exhaustive.decisions import (
    Alternative,
    Node,
    Reads,
    ReadsDiffer,
    grow,
)
from wavecheck.sim.exhaustive.identity import Identity, Key, names_passing
from wavecheck.sim.exhaustive.performing import LearnedOperation, Performer, Prepare
from wavecheck.sim.exhaustive.recording import Projection, Recorder
from wavecheck.sim.exhaustive.reduction import Reduction
from wavecheck.sim.exhaustive.refusal import CannotCompare, refuse
from wavecheck.sim.exhaustive.results import Results
from wavecheck.sim.exhaustive.shared import SharedState
from wavecheck.sim.exhaustive.thinning import Thinning
from wavecheck.sim.operation import Operation
from wavecheck.sim.property import Property
from wavecheck.sim.task import Task

RERUNS_MAX: Final = 4_000
"""Learned effects that are run again at the end, at most."""

_RERUNS_MIN: Final = 64
_ROUNDS_MAX: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
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
        names_passing: some operation belongs to, or mentions, an object that each
            execution makes anew and its tasks share.
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
        self.names_passing = False
        self.results = Results(identity)
        self._numbers: dict[Key, int] = {}
        self._performed: Thinning[Performed] = Thinning(RERUNS_MAX)
        self._shared = shared
        self._recorder = recorder
        self._reduction = reduction
        self._crowd = crowd
        self._identity = identity
        self._performer = Performer(
            world,
            properties,
            shared,
            recorder=recorder,
            reduction=reduction,
            crowd=crowd,
            results=self.results,
        )

    @property
    def runs_count(self) -> int:
        """How often a statement was run in Python."""
        return self._performer.runs_count

    def give_birth(self, birth: Birth) -> Task:
        """Run a statement once more to get the coroutine of a task that it spawns."""
        return self._performer.give_birth(self.operations[birth.operation], birth)

    def number(self, operation: Operation[Any], task: int) -> int:
        """Return the number of an operation that a task stands at."""
        key = self._key(operation)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self.add(operation, task)
            self.names_passing |= names_passing(key)
        return number

    def known_number(self, operation: Operation[Any]) -> int:
        """Return the number of an operation, -1 if no task has come to it."""
        try:
            return self._numbers.get(self._key(operation), -1)
        except CannotCompare:
            return -1

    def _key(self, operation: Operation[Any]) -> Key:
        identity = self._identity()
        return (
            operation.statement,
            identity.key(operation.owner),
            identity.key(operation.args),
        )

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
        reads, alternatives = self._performer.perform(
            number, learned, state, task=task, places=places
        )
        self._reduction.check()
        learned.whole_parts |= self._recorder.whole_parts
        self._performed.offer(
            Performed(
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
                task=self._performer.task_name(learned),
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
                self._compare(before, self.operations[before.operation])
        return count * rounds

    def performed_by_operation(self) -> dict[int, list[Performed]]:
        """Return a sample of what statements have shown, by number of the operation."""
        found: dict[int, list[Performed]] = {}
        for one in self._performed:
            found.setdefault(one.operation, []).append(one)
        return found

    def recheck_as(
        self, operation: Operation[Any], sample: Sequence[Performed]
    ) -> None:
        """Run what one operation has shown again, as it was made in this execution.

        Raises:
            CannotLearn: it comes out differently.
        """
        self._shared.forget()
        for before in sample:
            learned = replace(self.operations[before.operation], operation=operation)
            self._compare(before, learned)

    def _compare(self, before: Performed, learned: LearnedOperation) -> None:
        """Run what was learned again.

        Raises:
            CannotLearn: it comes out differently.
        """
        reads, alternatives = self._performer.perform(
            before.operation,
            learned,
            before.state,
            task=before.task,
            places=before.places,
        )
        is_same = alternatives == before.alternatives
        if not is_same or _known(reads, len(before.state)) != before.reads:
            name = learned.operation.statement.name
            raise refuse(
                f"statement {name!r} comes out differently in the same state",
                task=self._performer.task_name(learned),
                likely="randomness, a clock or hidden state inside it",
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

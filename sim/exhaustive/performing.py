"""Runs a statement on loaded parts, once for each list of answers that it may get.

Knows how to bring parts and tasks to a state and what a run has read and changed;
keeps nothing of what it finds out.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

from wavecheck.sim.exhaustive.crowd import Birth, Crowd, CrowdGrew, Unlearned
from wavecheck.sim.exhaustive.decisions import Alternative, Node, Reads
from wavecheck.sim.exhaustive.recording import Recorder
from wavecheck.sim.exhaustive.reduction import Reduction
from wavecheck.sim.exhaustive.refusal import CannotLearn, refuse
from wavecheck.sim.exhaustive.results import Results, Script
from wavecheck.sim.exhaustive.shared import SharedState
from wavecheck.sim.guards import ask
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.property import NO_ERROR, Property
from wavecheck.sim.task import Task
from wavecheck.sim.watchdog import watched

Prepare = Callable[[Sequence[int], Callable[[Sequence[int]], None]], None]
"""Given the state in which to run an operation, and how to load any state."""

ALTERNATIVES_MAX: Final = (1 << 16) - 1
ONE_IN_MAX: Final = (1 << 32) - 1


@dataclass(slots=True, kw_only=True)
class LearnedOperation:
    """One statement with its arguments, and what is known about it.

    Attributes:
        operation: as the first task that came to it made it.
        task: index of the task it was made by.
        root: of the decision tree; None while nothing is known.
        prepare: makes the world ready to run it; None:
            nothing is needed.
        whole_parts: parts of which it has looked at every row.
    """

    operation: Operation[Any]
    task: int
    prepare: Prepare | None = None
    root: Node | None = None
    whole_parts: set[str] = field(default_factory=set)


class Performer:
    """Performs operations on the parts of one world.

    Attributes:
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
        results: Results,
    ) -> None:
        self.runs_count = 0
        self._kernel: Kernel = world.kernel
        self._world = world
        self._shared = shared
        self._recorder = recorder
        self._reduction = reduction
        self._crowd = crowd
        self._results = results
        self._no_error = properties.index(NO_ERROR)
        self._checks: Mapping[str, list[tuple[int, Any]]] = {
            part: [
                (index, one.on_change[part])
                for index, one in enumerate(properties)
                if part in one.on_change
            ]
            for part in self._kernel.parts
        }

    def perform(
        self,
        number: int,
        learned: LearnedOperation,
        state: Sequence[int],
        *,
        task: int,
        places: Sequence[int] | None,
    ) -> tuple[Reads, tuple[Alternative, ...]]:
        """Run an operation in a state, once for each list of answers it may get.

        Args:
            number: of the operation.
            learned: the operation.
            state: number of the value of each component.
            task: who performs it.
            places: number of the local state of each task; None: unknown.

        Returns:
            What it read, in that order, and what it did, once for each list of answers.
        """
        recorder, script = self._recorder, Script()
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
                with suppress(Unlearned), watched(kernel):
                    found = self._run(learned.operation, script)
                if self._crowd.unlearned is not None:
                    self._learn_first()
                    continue
                if found is None:
                    break
                alternatives.append(found)
                self._bound(learned, len(alternatives), found.one_in)
                if not script.advance():
                    break
        except BaseException:
            self._crowd.drop_standing()
            self._shared.forget()  # the parts are as the step left them
            kernel.journal.clear()
            raise
        finally:
            recorder.is_active = False
            kernel.rule = rule
        self._refuse_questions(learned)
        return recorder.reads, tuple(alternatives)

    def _learn_first(self) -> None:
        """Learn what a step needs to know about another task.

        Not while an error is handled: code under test would see it as the context of
        its own errors.
        """
        what, self._crowd.unlearned = self._crowd.unlearned, None
        assert what is not None
        other = self._crowd.tasks[what.task]
        with self._recorder.aside():
            if what.failure is not None:
                other.next_failed(what.place, what.failure)
                return
            task = other.stand(what.place)
            if task in self._kernel.tasks:
                self._kernel.tasks.remove(task)  # a later start must not end it
            self._crowd.standing[what.task, what.place] = task

    def _refuse_questions(self, learned: LearnedOperation) -> None:
        """Refuse a step that asked what no learned step can be told."""
        if self._recorder.is_task_asked:
            raise refuse(
                f"statement {learned.operation.statement.name!r} looks at the tasks",
                task=self.task_name(learned),
                likely="a fault, or a part that keeps an owner without being told who",
            )

    def _bound(self, learned: LearnedOperation, count: int, one_in: int) -> None:
        """Refuse a step of more choices than the tables have room for."""
        if count > ALTERNATIVES_MAX or one_in > ONE_IN_MAX:
            raise refuse(
                f"statement {learned.operation.statement.name!r} chooses among more"
                f" than {ALTERNATIVES_MAX:,} outcomes, or with odds below 1 in"
                f" {ONE_IN_MAX:,}",
                task=self.task_name(learned),
                likely="several choices in one step where several steps should choose",
            )

    def _set_up(self, learned: LearnedOperation, state: Sequence[int]) -> None:
        """Bring world and parts to where an operation can be run."""
        shared = self._shared
        if learned.prepare is not None:
            learned.prepare(state, shared.load_afresh)
            shared.forget()
        shared.load(state)

    def give_birth(self, learned: LearnedOperation, birth: Birth) -> Task:
        """Run a statement once more to get the coroutine of a task that it spawns."""
        while True:
            with suppress(Unlearned):
                self._repeat(learned, birth)
                return self._crowd.spawned[birth.number]
            self._learn_first()

    def _repeat(self, learned: LearnedOperation, birth: Birth) -> None:
        """Run a statement once more as it was run when it spawned a task."""
        kernel, script = self._kernel, Script()
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

    def task_name(self, learned: LearnedOperation) -> str:
        """Return the name of the task that came to an operation first."""
        return self._crowd.tasks[learned.task].name

    def _run(self, operation: Operation[Any], script: Script) -> Alternative | None:
        """Perform an operation on the loaded parts; None if it is not enabled."""
        kernel, statement = self._kernel, operation.statement
        self.runs_count += 1
        if statement.enabled is not None and not ask(kernel.parts, operation):
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
        if self._crowd.has_failed:
            violated[self._no_error] = None
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
            result=self._results.number(value, error),
            writes=tuple(writes),
            violated=tuple(violated),
            moves=tuple(sorted(self._crowd.moves.items())),
            one_in=prod(script.options),
        )

"""Executions on the kernel that accompany a proof: a second opinion without any list.

Whatever the engine has overlooked (state that it does not see, values that it takes for
equal and are not) makes some execution go on differently than what was learned. So
every complete exploration is accompanied by ordinary executions, drawn by several
strategies and, some of them, run again in the opposite order. Each is walked through
the learned steps: who performs which statement with which arguments, who could, what
it changes, and which states it comes through, all of which must have been visited.

Known gap: executions are sampled. A difference that few executions show may be missed.

Determinism: how many there are depends on what was learned, never on a clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from wavecheck.sim.blame import call_text
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.learning import Learner, Step
from wavecheck.sim.exhaustive.recording import unrecorded
from wavecheck.sim.exhaustive.refusal import CannotLearn
from wavecheck.sim.exhaustive.seen import store_in_place
from wavecheck.sim.exhaustive.symmetry import sort_in_place
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.pct import PCTStrategy
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.strategy import Strategy
from wavecheck.sim.task import Rule, Task

EXECUTIONS_MIN: Final = 200
"""Executions, at least."""

STEPS_EACH_MAX: Final = 400
"""An execution is cut after so many steps: it may have no end."""

SAMPLES: Final = 12
"""Executions that are handed on, to be run in another process."""

_PER_CALL: Final = 0.7
_PER_TRANSITION: Final = 1 / 8_000
"""Steps on the kernel that cost a tenth of what learning and exploring cost."""

_AGAIN: Final = 20
_UNKNOWN: Final = -1

Choices = tuple[int, ...]


@dataclass(slots=True)
class _Happened:
    """One step on the kernel, by the numbers of the learner.

    Attributes:
        task: index of the task.
        operation: number of its statement with its arguments; -1: never learned.
        made: the statement with its arguments.
        answers: of the choices inside the step.
        changes: component, number of its value after the step, and that value.
        could: indexes of the tasks that could have stepped; empty if nobody asked.
    """

    task: int
    operation: int
    made: Operation[Any]
    answers: tuple[int, ...]
    changes: list[tuple[int, int, Any]] = field(default_factory=list)
    could: frozenset[int] = frozenset()


@dataclass(slots=True)
class Accompaniment:
    """What accompanied a proof.

    Attributes:
        executions: how many.
        steps: of all of them.
        samples: the choices of some, to be run again elsewhere.
    """

    executions: int = 0
    steps: int = 0
    samples: tuple[Choices, ...] = ()


def accompany(search: Search) -> Accompaniment:
    """Run executions on the kernel and walk each through what was learned.

    Args:
        search: that visited every reachable state.

    Raises:
        CannotLearn: one of them goes on differently; task, place and both behaviours
            are named.
    """
    learner = search.learner
    found = Accompaniment()
    budget = learner.python_calls * _PER_CALL + search.transitions * _PER_TRANSITION
    strategies: list[Strategy] = [
        RandomWalk(0),
        PCTStrategy(0, 2),
        RandomWalk(1),
        PCTStrategy(1, 3),
    ]
    kept: list[Choices] = []
    walk = _Walk(search)
    # An execution without any step (all end at their start) counts as one.
    while (
        found.executions < EXECUTIONS_MIN - _AGAIN
        or max(found.steps, found.executions) < budget
    ):
        strategy = strategies[found.executions % len(strategies)]
        strategy.begin(learner.world.kernel)
        choices, steps = walk.execute(strategy)
        strategy.end(learner.world.kernel)
        found.executions += 1
        found.steps += steps
        if len(kept) < EXECUTIONS_MIN:
            kept.append(choices)
    for choices in kept[-_AGAIN:][::-1]:
        walk.execute(RecordedChoices(choices))
        found.executions += 1
    walk.check_visited()
    longest = sorted(kept, key=len, reverse=True)
    found.samples = tuple(longest[: SAMPLES // 2] + kept[: SAMPLES // 2])
    learner.shared.forget()
    learner.world.kernel.rewind()
    return found


class _Walk:
    """Runs executions and compares them with what was learned."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._learner: Learner = search.learner
        self._kernel: Kernel = search.learner.world.kernel
        self._numbers = {one.name: one.index for one in self._learner.tasks}
        self._states: set[tuple[int, ...]] = set()
        self._at: tuple[int, _Happened] | None = None
        self._known: dict[tuple[int, tuple[int, ...], tuple[int, ...]], Any] = {}
        self._happened: list[_Happened] = []
        self._answers: list[int] = []
        self._could: frozenset[int] = frozenset()
        self._components = len(self._learner.shared.components)

    def execute(self, rule: Rule) -> tuple[Choices, int]:
        """Run one execution and walk it; return its choices and number of steps."""
        kernel, listener = self._kernel, self._kernel.on_step
        self._happened, self._answers = [], []
        kernel.on_step = self._note
        before = kernel.rule
        try:
            with unrecorded(kernel):
                execute(
                    self._learner.world,
                    _Listening(rule, self),
                    once_started=self._started,
                    cuts=True,
                )
            choices, is_cut = tuple(kernel.choices), kernel.is_stopped
        finally:
            kernel.on_step, kernel.rule = listener, before
        self._learner.shared.forget()
        self._replay(is_cut=is_cut)
        return choices, len(self._happened)

    def _started(self) -> None:
        self._learner.take_constants(self._kernel.tasks)

    def note_enabled(self, tasks: Sequence[Task]) -> None:
        """Note who could take the next step."""
        self._could = frozenset(
            [self._numbers.get(task.name, _UNKNOWN) for task in tasks]
        )

    def note_answer(self, answer: int) -> None:
        """Note the answer to a choice inside a step."""
        self._answers.append(answer)

    def _note(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        handed_on = task.operation or operation  # of a process: one of several
        self._happened.append(
            _Happened(
                task=self._numbers.get(task.name, _UNKNOWN),
                operation=self._learner.effects.known_number(handed_on),
                made=handed_on,
                answers=tuple(self._answers),
                changes=list(self._changed(changes)),
                could=self._could,
            )
        )
        self._answers, self._could = [], frozenset()
        if len(self._happened) >= STEPS_EACH_MAX:
            self._kernel.is_stopped = True

    def _changed(self, changes: list[Change]) -> Iterator[tuple[int, int, Any]]:
        """Yield the components that a step has changed, with what they hold now."""
        shared, leaves_out = self._learner.shared, self._learner.reduction.leaves_out
        for part, key, _, _ in changes:
            key = shared.key(part, key)
            if leaves_out(part, key):
                continue
            component = shared.known(part, key)
            value = shared.value(part, key)
            number = _UNKNOWN
            if component is not None:
                number = shared.known_number(component, value)
            yield (_UNKNOWN if component is None else component), number, value

    def _replay(self, *, is_cut: bool) -> None:
        """Walk what has happened through the learned steps."""
        learner = self._learner
        places = [0] * len(learner.tasks)
        shared = [0] * self._components
        self._states.add((*places, *shared))
        for number, one in enumerate(self._happened, start=1):
            self._heal(places, shared, one)
            self._at = (number, one)
            step = self._step(places, shared, one)
            places[one.task] = step.local
            for component, value in step.writes:
                shared[component] = value
            for other, place in step.moves:
                places[other] = place
            for component, value, held in one.changes:
                if component == _UNKNOWN or shared[component] != value:
                    part = "something that no learned step changes"
                    if component != _UNKNOWN:
                        part = learner.shared.components[component].part.name
                    raise self._refusal(one.task, f"another value of {part}", held)
            self._states.add((*places, *shared))
        if not is_cut:
            self._check_end(places, shared)

    def _step(self, places: list[int], shared: list[int], one: _Happened) -> Step:
        """Return the learned step that is the one on the kernel."""
        learner = self._learner
        if one.task == _UNKNOWN:
            raise self._refusal(one.task, "no such task", "a step of it")
        expected = learner.tasks[one.task].states[places[one.task]].operation
        if expected is None or expected != one.operation:
            learned = "its end"
            if expected is not None:
                operation = learner.effects.operations[expected].operation
                learned = call_text(operation.statement, operation.args)
            shown = call_text(one.made.statement, one.made.args)
            raise self._refusal(one.task, learned, shown)
        if one.could:
            could = {
                task
                for task in range(len(places))
                if task != learner.healing and self._steps(task, places, shared)
            }
            if could != one.could:
                raise self._refusal(
                    one.task, self._names(could), self._names(one.could)
                )
        for step in self._steps(one.task, places, shared):
            if step.choices == one.answers:
                return step
        raise self._refusal(one.task, "no such step", f"answers {one.answers!r}")

    def _steps(
        self, task: int, places: list[int], shared: list[int]
    ) -> tuple[Step, ...]:
        state = (task, tuple(places), tuple(shared))
        found = self._known.get(state)
        if found is None:
            found = self._known[state] = tuple(
                self._learner.resolve(task, places, shared)[1]
            )
        steps: tuple[Step, ...] = found
        return steps

    def _heal(self, places: list[int], shared: list[int], one: _Happened) -> None:
        """Take the rounds of healing that lie before a step, if there are any."""
        healing = self._learner.healing
        if healing is None:
            return
        while not self._steps(one.task, places, shared):
            rounds = self._steps(healing, places, shared)
            if not rounds:
                return
            places[healing] = rounds[0].local
            for component, value in rounds[0].writes:
                shared[component] = value
            for other, place in rounds[0].moves:
                places[other] = place

    def _check_end(self, places: list[int], shared: list[int]) -> None:
        """See that nobody could go on where the kernel has ended."""
        for task in range(len(places)):
            if task != self._learner.healing and self._steps(task, places, shared):
                raise self._refusal(task, "a step after this one", "the end")

    def check_visited(self) -> None:
        """See that every state that was passed was visited by the exploration."""
        layout, states = self._search.system.layout, sorted(self._states)
        fields = np.array(states, np.uint64).reshape(len(states), -1)
        words = [np.zeros(len(states), np.uint64) for _ in range(layout.words_count)]
        for field_, column in enumerate(fields.T):
            if layout.widths[field_]:
                words[layout.word[field_]] |= column << np.uint64(layout.shift[field_])
        sort_in_place(layout, words, self._learner.groups)
        store_in_place(words)
        fresh = self._search.seen.add(words)
        if len(fresh[0]):
            visited = self._search.seen.count - len(fresh[0])
            raise self._refusal(
                _UNKNOWN, f"{visited:,} states", f"{len(fresh[0]):,} states more"
            )

    def _name(self, task: int) -> str:
        return "(unknown)" if task == _UNKNOWN else self._learner.tasks[task].name

    def _names(self, tasks: set[int] | frozenset[int]) -> str:
        return f"enabled: {', '.join(self._name(one) for one in sorted(tasks))}"

    def _refusal(self, task: int, learned: str, got: object) -> CannotLearn:
        where = "its start"
        if self._at is not None:
            number, one = self._at
            shown = call_text(one.made.statement, one.made.args)
            where = f"step {number}, {self._name(one.task)}: {shown}"
        return CannotLearn(
            "cannot be proved: an execution on the kernel goes on differently than"
            " what was learned\n"
            f"  in task  {self._name(task)}\n"
            f"  at       {where}\n"
            f"  learned  {learned}\n"
            f"  kernel   {got}\n"
            "likely: state that the engine does not see, or a value that says it is"
            " equal and is not\n"
            "next: keep state in the store, or search with --strategy random instead"
        )


class _Listening:
    """A rule that tells who could step, and what was answered."""

    def __init__(self, rule: Rule, walk: _Walk) -> None:
        self._rule = rule
        self._walk = walk

    def pick(self, enabled: list[Task]) -> int:
        """Return the index of the task that steps next."""
        self._walk.note_enabled(enabled)
        return self._rule.pick(enabled)

    def choose(self, options_count: int) -> int:
        """Return the next answer inside the step."""
        answer = self._rule.choose(options_count)
        self._walk.note_answer(answer)
        return answer

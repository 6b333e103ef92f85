"""Executions on the kernel that accompany a proof: a second opinion without any list.

Whatever the engine has overlooked (state that it does not see, values that it takes for
equal and are not) makes some execution go on differently than what was learned. So
every complete exploration is accompanied by ordinary executions: all that there are,
twice and the second time in the opposite order, if they are few; else those that
several strategies draw, some of them again. Each is walked through the learned steps:
who performs which statement with which arguments, who could, what it changes, and which
states it comes through, all of which must have been visited.

Known gap: where there are many, executions are sampled. A difference that few of them
show may be missed.

Determinism: how many there are depends on what was learned, never on a clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from wavecheck.sim.blame import call_text
from wavecheck.sim.errors import OutOfTime
from wavecheck.sim.exhaustive.escapes import check_escapes
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.identity import is_fixed, is_surely_equal
from wavecheck.sim.exhaustive.learning import Learner, Step
from wavecheck.sim.exhaustive.recording import unrecorded
from wavecheck.sim.exhaustive.refusal import CannotLearn
from wavecheck.sim.exhaustive.seen import store_in_place
from wavecheck.sim.exhaustive.symmetry import sort_in_place
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.pct import PCTStrategy
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.strategy import Strategy
from wavecheck.sim.task import Rule, Task

EXECUTIONS_MIN: Final = 200
"""Executions, at least, unless there are not as many."""

STEPS_EACH_MAX: Final = 400
"""An execution is cut after so many steps: it may have no end."""

SAMPLES: Final = 12
"""Executions that are handed on, to be run in another process."""

_PER_CALL: Final = 0.7
_PER_TRANSITION: Final = 1 / 8_000
"""Steps on the kernel that cost a tenth of what learning and exploring cost."""

_AGAIN: Final = 20
_UNKNOWN: Final = -1
_NOBODY: Final[frozenset[str]] = frozenset()
_COUNTED_MAX: Final = 4 * EXECUTIONS_MIN

Choices = tuple[int, ...]


@dataclass(slots=True)
class _Happened:
    """One step on the kernel.

    Attributes:
        task: its name.
        made: the statement with its arguments.
        number: of these, if they may change later; -1: never learned.
        answers: of the choices inside the step.
        changes: component, its value after the step, and the number of that if it may
            change later.
        could: names of the tasks that could have stepped; empty if nobody asked.
    """

    task: str
    made: Operation[Any]
    number: int | None
    answers: tuple[int, ...]
    changes: Sequence[tuple[int, Any, int | None]]
    could: frozenset[str]


@dataclass(slots=True, eq=False)
class _Place:
    """A state that executions have come through.

    Attributes:
        places: number of the local state of each task.
        shared: number of the value of each component.
        could: names of the tasks that have a step; None: not looked up yet.
        edges: what steps lead to, by task and answers.
    """

    places: tuple[int, ...]
    shared: tuple[int, ...]
    could: frozenset[str] | None = None
    edges: dict[tuple[str, tuple[int, ...]], "_Edge"] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Edge:
    """A learned step: from a state, healed before if need be, to the next one."""

    source: _Place
    operation: int
    made: Operation[Any]
    target: _Place


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
        OutOfTime: the limits of the search ended it, so it is no proof.
    """
    learner, walk = search.learner, _Walk(search)
    found, kept = Accompaniment(), list[Choices]()
    is_complete = walk.has_few_schedules()
    for strategy in _drawn(search, found, is_complete=is_complete):
        if search.stopped_by_time():
            raise OutOfTime
        choices, steps = walk.execute(strategy)
        found.executions += 1
        found.steps += steps
        if len(kept) < EXECUTIONS_MIN:
            kept.append(choices)
    for choices in kept[::-1] if is_complete else kept[-_AGAIN:][::-1]:
        walk.execute(RecordedChoices(choices))
        found.executions += 1
    walk.check_visited()
    longest = sorted(kept, key=len, reverse=True)
    found.samples = tuple(longest[: SAMPLES // 2] + kept[: SAMPLES // 2])
    learner.shared.forget()
    learner.world.kernel.rewind()
    return found


def _drawn(
    search: Search, found: Accompaniment, *, is_complete: bool
) -> Iterator[Strategy]:
    """Yield what decides about each execution: all of them, or as many as pay."""
    kernel = search.learner.world.kernel
    if is_complete:
        every = DepthFirst()
        while every.begin(kernel):
            yield every
            every.end(kernel)
        return
    calls, transitions = search.learner.python_calls, search.transitions
    budget = calls * _PER_CALL + transitions * _PER_TRANSITION
    strategies: list[Strategy] = [
        RandomWalk(0),
        PCTStrategy(0, 2),
        RandomWalk(1),
        PCTStrategy(1, 3),
    ]
    # An execution without any step (all end at their start) counts as one.
    while (
        found.executions < EXECUTIONS_MIN - _AGAIN
        or max(found.steps, found.executions) < budget
    ):
        strategy = strategies[found.executions % len(strategies)]
        strategy.begin(kernel)
        yield strategy
        strategy.end(kernel)


class _Walk:
    """Runs executions and compares them with what was learned."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._learner: Learner = search.learner
        self._kernel: Kernel = search.learner.world.kernel
        self._numbers = {one.name: one.index for one in self._learner.tasks}
        self._at: tuple[int, _Happened] | None = None
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], _Place] = {}
        self._happened: list[_Happened] = []
        self._answers: tuple[int, ...] = ()
        self._could = _NOBODY
        tasks, components = self._learner.tasks, self._learner.shared.components
        self._steps_count = 0
        self._place_now = self._start = self._place(
            (0,) * len(tasks), (0,) * len(components)
        )

    def _place(self, places: Sequence[int], shared: Sequence[int]) -> _Place:
        key = (tuple(places), tuple(shared))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _Place(*key)
        return found

    def has_few_schedules(self) -> bool:
        """Return whether running all of them, twice, is no more work than a sample."""
        search, count = self._search, EXECUTIONS_MIN // 2
        # Each transition that leads to a state seen before is one schedule more.
        if search.transitions - search.seen.count > count:
            return False
        if self._learner.healing is not None:
            return False
        try:
            return self._schedules_count(self._start, {}) <= count
        except _Many:
            return False

    def _schedules_count(self, at: _Place, counts: dict[_Place, int | None]) -> int:
        """Return in how many ways executions go on from a place.

        Raises:
            _Many: too many, or without end.
        """
        if at in counts:
            known = counts[at]
            if known is None:
                raise _Many  # a circle
            return known
        if len(counts) == _COUNTED_MAX:
            raise _Many
        counts[at] = None
        ways = [
            self._schedules_count(self._after(at, task, step), counts)
            for task in range(len(at.places))
            for step in self._steps(task, at)
        ]
        counts[at] = found = sum(ways) if ways else 1
        return found

    def execute(self, rule: Rule) -> tuple[Choices, int]:
        """Run one execution and walk it; return its choices and number of steps."""
        kernel, listener = self._kernel, self._kernel.on_step
        self._happened, self._answers, self._could = [], (), _NOBODY
        self._place_now, self._steps_count = self._start, 0
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
        check_escapes()
        self._learner.shared.forget()
        self._walk(is_cut=is_cut)
        return choices, self._steps_count

    def _started(self) -> None:
        self._learner.take_constants(self._kernel.tasks)

    def note_enabled(self, tasks: Sequence[Task]) -> None:
        """Note who could take the next step."""
        self._could = frozenset([task.name for task in tasks])

    def note_answer(self, answer: int) -> None:
        """Note the answer to a choice inside a step."""
        self._answers = (*self._answers, answer)

    def _note(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        made = task.operation or operation  # of a process: one of several
        self._steps_count += 1
        if self._steps_count >= STEPS_EACH_MAX:
            self._kernel.is_stopped = True
        if not self._happened:
            edge = self._place_now.edges.get((task.name, self._answers))
            if edge is not None and self._is_as_learned(edge, made, changes):
                self._place_now = edge.target
                self._answers, self._could = (), _NOBODY
                return
        number = None
        if not is_fixed(made.args):
            number = self._learner.effects.known_number(made)
        self._happened.append(
            _Happened(
                task.name,
                made,
                number,
                self._answers,
                self._changed(changes) if changes else (),
                self._could,
            )
        )
        self._answers, self._could = (), _NOBODY

    def _is_as_learned(
        self, edge: _Edge, made: Operation[Any], changes: list[Change]
    ) -> bool:
        """Return whether a step is a known one; False: it is looked at afterwards.

        Most steps of most executions were walked before, by another one.
        """
        shared = self._learner.shared
        components, expected = shared.components, edge.target.shared
        for part, key, _, _ in changes:
            key = shared.key(part, key)
            component = shared.known(part, key)
            if component is None:
                return False
            held = components[component].values[expected[component]]
            if not is_surely_equal(shared.value(part, key), held):
                return False
        operation = edge.made
        return (
            made.statement is operation.statement
            and made.owner is operation.owner
            and (not self._could or self._could == edge.source.could)
            and is_surely_equal(made.args, operation.args)
        )

    def _changed(self, changes: list[Change]) -> list[tuple[int, Any, int | None]]:
        """Return the components that a step has changed, with what they hold now."""
        shared, leaves_out = self._learner.shared, self._learner.reduction.leaves_out
        found: list[tuple[int, Any, int | None]] = []
        for part, key, _, _ in changes:
            key = shared.key(part, key)
            if leaves_out(part, key):
                continue
            component = shared.known(part, key)
            value, number = shared.value(part, key), None
            if component is None:
                component = number = _UNKNOWN
            elif not is_fixed(value):
                number = shared.known_number(component, value)
            found.append((component, value, number))
        return found

    def _walk(self, *, is_cut: bool) -> None:
        """Walk what has happened through the learned steps."""
        at, before = self._place_now, self._steps_count - len(self._happened)
        for number, one in enumerate(self._happened, start=before + 1):
            self._at = (number, one)
            edge = at.edges.get((one.task, one.answers))
            if edge is None:
                edge = at.edges[one.task, one.answers] = self._edge(at, one)
            self._check(edge, one)
            at = edge.target
        if not is_cut:
            self._check_end(at)

    def _edge(self, at: _Place, one: _Happened) -> _Edge:
        """Return the learned step that is the one on the kernel."""
        task = self._numbers.get(one.task)
        if task is None:
            raise self._refusal(one.task, "no such task", "a step of it")
        at = self._healed(at, task)
        expected = self._learner.tasks[task].states[at.places[task]].operation
        if expected is None:
            shown = call_text(one.made.statement, one.made.args)
            raise self._refusal(one.task, "its end", shown)
        for step in self._steps(task, at):
            if step.choices == one.answers:
                made = self._learner.effects.operations[expected].operation
                return _Edge(at, expected, made, self._after(at, task, step))
        self._check_enabled(at, one)
        self._check_operation(expected, one)
        raise self._refusal(one.task, "no such step", f"answers {one.answers!r}")

    def _check(self, edge: _Edge, one: _Happened) -> None:
        """See that a step on the kernel is a learned one."""
        self._check_operation(edge.operation, one)
        self._check_enabled(edge.source, one)
        shared, components = edge.target.shared, self._learner.shared.components
        for component, value, number in one.changes:
            if component == _UNKNOWN:
                part = "something that no learned step changes"
                raise self._refusal(one.task, f"another value of {part}", value)
            expected = shared[component]
            if number is None:
                held = components[component].values[expected]
                if is_surely_equal(value, held):
                    continue
                number = self._learner.shared.known_number(component, value)
            if number != expected:
                part = components[component].part.name
                raise self._refusal(one.task, f"another value of {part}", value)

    def _check_operation(self, expected: int, one: _Happened) -> None:
        effects, made, number = self._learner.effects, one.made, one.number
        operation = effects.operations[expected].operation
        if number is None:
            if (
                made.statement is operation.statement
                and made.owner is operation.owner
                and is_surely_equal(made.args, operation.args)
            ):
                return
            number = effects.known_number(made)
        if number != expected:
            learned = call_text(operation.statement, operation.args)
            raise self._refusal(one.task, learned, call_text(made.statement, made.args))

    def _check_enabled(self, at: _Place, one: _Happened) -> None:
        if one.could and self._could_at(at) != one.could:
            learned, got = _enabled(self._could_at(at)), _enabled(one.could)
            raise self._refusal(one.task, learned, got)

    def _could_at(self, at: _Place) -> frozenset[str]:
        """Return the names of the tasks that have a step."""
        if at.could is None:
            healing, tasks = self._learner.healing, self._learner.tasks
            at.could = frozenset(
                [
                    locals_.name
                    for task, locals_ in enumerate(tasks)
                    if task != healing and self._steps(task, at)
                ]
            )
        return at.could

    def _steps(self, task: int, at: _Place) -> Sequence[Step]:
        return self._learner.known(task, at.places, at.shared)[1]

    def _after(self, at: _Place, task: int, step: Step) -> _Place:
        """Return where a learned step leads to."""
        places, shared = list(at.places), list(at.shared)
        places[task] = step.local
        for component, value in step.writes:
            shared[component] = value
        for other, place in step.moves:
            places[other] = place
        return self._place(places, shared)

    def _healed(self, at: _Place, task: int) -> _Place:
        """Take the rounds of healing that lie before a step, if there are any."""
        healing = self._learner.healing
        while healing is not None and not self._steps(task, at):
            rounds = self._steps(healing, at)
            if not rounds:
                break
            at = self._after(at, healing, rounds[0])
        return at

    def _check_end(self, at: _Place) -> None:
        """See that nobody could go on where the kernel has ended."""
        for name in sorted(self._could_at(at)):
            raise self._refusal(name, "a step after this one", "the end")

    def check_visited(self) -> None:
        """See that every state that was passed was visited by the exploration."""
        layout, states = (
            self._search.system.layout,
            sorted(places + shared for places, shared in self._known),
        )
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
                "(unknown)", f"{visited:,} states", f"{len(fresh[0]):,} states more"
            )

    def _refusal(self, task: str, learned: str, got: object) -> CannotLearn:
        where = "its start"
        if self._at is not None:
            number, one = self._at
            shown = call_text(one.made.statement, one.made.args)
            where = f"step {number}, {one.task}: {shown}"
        return CannotLearn(
            "cannot be proved: an execution on the kernel goes on differently than"
            " what was learned\n"
            f"  in task  {task}\n"
            f"  at       {where}\n"
            f"  learned  {learned}\n"
            f"  kernel   {got}\n"
            "likely: state that the engine does not see, or a value that says it is"
            " equal and is not\n"
            "next: keep state in the store, or search with --strategy random instead"
        )


class _Many(Exception):
    """There are too many schedules to run all of them."""


def _enabled(names: frozenset[str]) -> str:
    return f"enabled: {', '.join(sorted(names))}"


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

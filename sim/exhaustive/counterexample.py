"""From a violation found in packed states to an execution that the kernel performs.

Knows the search and the kernel. The execution is walked back level by level: a
predecessor of a state on level n is found by expanding level n - 1 once more. Then it
is performed on the kernel with an ordinary judge, and only if that judge sees the same
violation is it returned.

Complexity: one more expansion of the levels up to the violation.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wavecheck.sim.errors import HarnessBug
from wavecheck.sim.exhaustive.exploration import Counterexample
from wavecheck.sim.exhaustive.explore import CHUNK, Found, Search
from wavecheck.sim.exhaustive.layout import Words
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.lookup import Ints
from wavecheck.sim.exhaustive.symmetry import position
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.property import Judge, Property
from wavecheck.sim.task import Task

Path = list[tuple[int, tuple[int, ...]]]
"""(task index, choices) of each step."""


def path_to(search: Search, level: int, state: tuple[int, ...]) -> Path:
    """Return steps that lead from the initial state to one of a level.

    Where tasks are interchangeable, to a state that it stands for.
    """
    return _exchanged(search, _sorted_path_to(search, level, state))


def _exchanged(search: Search, path: Path) -> Path:
    """Return the same path by the tasks that really take its steps.

    Each step of a path is told of the state that stands for all orders of the
    interchangeable tasks; who stands there is found by walking it from the start.
    """
    system, groups = search.system, search.learner.groups
    if not groups:
        return path
    state, steps = system.initial(), []
    for task, choices in path:
        standing = system.standing_for(state)
        task = position(system.layout, standing, state, task, groups)
        steps.append((task, choices))
        state = system.step(state, task, choices)
    return steps


def _sorted_path_to(search: Search, level: int, state: tuple[int, ...]) -> Path:
    steps: Path = []
    for earlier in range(level - 1, -1, -1):
        task, choices, state = _predecessor(search, earlier, state)
        steps.append((task, choices))
    return steps[::-1]


def _predecessor(
    search: Search, level: int, target: tuple[int, ...]
) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    states = search.levels.get(level)
    for start in range(0, len(states[0]), CHUNK):
        chunk = [np.ascontiguousarray(word[start : start + CHUNK]) for word in states]
        for task, outcome in enumerate(search.system.settled_outcomes(chunk)):
            found = _step_to(search, chunk, task, outcome, target)
            if found is not None:
                choices, place = found
                return task, choices, tuple([int(w[place]) for w in chunk])
    raise HarnessBug(
        f"a state of level {level + 1} has no predecessor on level {level}"
    )


def _step_to(
    search: Search, chunk: Words, task: int, outcome: Ints, target: tuple[int, ...]
) -> tuple[tuple[int, ...], int] | None:
    """Return the choices by which a task steps to a state, and its place in a chunk."""
    system = search.system
    for words, where, alternatives in system.successors(chunk, task, outcome):
        is_target = np.ones(len(where), np.bool_)
        for word, wanted in zip(words, target, strict=True):
            is_target &= word == np.uint64(wanted)
        if is_target.any():
            first = int(is_target.argmax())
            one = system.tables[task].outcomes.alternatives[int(alternatives[first])]
            assert one is not None
            return one.choices, int(where[first])
    return None


def step_between(
    search: Search, source: tuple[int, ...], task: int, target: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the choices by which a task steps from one state to another."""
    chunk = [np.array([word], np.uint64) for word in source]
    outcome = search.system.settled_outcomes(chunk)[task]
    found = _step_to(search, chunk, task, outcome, target)
    if found is None:
        raise HarnessBug("a step of the graph cannot be taken any more")
    return found[0]


def violating_path(search: Search, index: int, found: Found) -> Path:
    """Return the steps of a shortest violation of a property, the violating one last.

    Args:
        search: that found it.
        index: of the property.
        found: where.
    """
    steps = _sorted_path_to(search, found.level, found.state)
    if found.task is None:
        return _exchanged(search, steps)
    chunk = [np.array([word], np.uint64) for word in found.state]
    outcome = int(search.system.settled_outcomes(chunk)[found.task][0])
    held = search.system.tables[found.task].outcomes
    for one in held.alternatives[outcome : outcome + int(held.count[outcome])]:
        assert one is not None
        if one.violated >> index & 1:
            return _exchanged(search, [*steps, (found.task, one.choices)])
    raise HarnessBug("a violating step does not violate any more")


def named(learner: Learner, path: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Return the steps that the kernel takes on a path, with the tasks' names."""
    return [
        (learner.tasks[task].name, choices)
        for task, choices in path
        if task != learner.healing
    ]


class Follow:
    """A rule that takes given steps and gives the answers inside them.

    After the last one it takes whatever is first.
    """

    def __init__(
        self, kernel: Kernel, steps: Sequence[tuple[str, tuple[int, ...]]]
    ) -> None:
        self._kernel = kernel
        self._steps = steps
        self._step = 0
        self._asked = 0

    def pick(self, enabled: list[Task]) -> int:
        """Return the index of the task that steps next."""
        if self._kernel.steps_count >= len(self._steps):
            return 0
        name = self._steps[self._kernel.steps_count][0]
        names = [task.name for task in enabled]
        if name not in names:
            raise HarnessBug(f"task {name} is not enabled as it was when explored")
        return names.index(name)

    def choose(self, options_count: int) -> int:
        """Return the next answer inside the step."""
        step = self._kernel.steps_count
        if step > len(self._steps):
            return 0
        if step != self._step:
            self._step, self._asked = step, 0
        self._asked += 1
        return self._steps[step - 1][1][self._asked - 1]


def replay(
    world: Any, judged: Property, steps: Sequence[tuple[str, tuple[int, ...]]]
) -> Counterexample:
    """Perform an execution on the kernel and see that it violates a property.

    Raises:
        HarnessBug: it does not.
    """
    kernel: Kernel = world.kernel
    kernel.rewind()
    judge = Judge(kernel, world, [judged])
    rule, kernel.rule = kernel.rule, Follow(kernel, steps)
    on_step = kernel.on_step
    performed: list[str] = []

    def note(task: Task, operation: Operation[Any], result: Any, changes: Any) -> None:
        performed.append(task.name)
        if len(performed) == len(steps):
            kernel.is_stopped = True

    kernel.on_step = note
    try:
        world.start()
        if steps:
            kernel.run_to_quiescence()
            while not kernel.is_stopped and world.heal():
                kernel.run_to_quiescence()
        if not kernel.enabled:
            judge.judge_end()
        choices = tuple(kernel.choices)
    finally:
        judge.close()
        kernel.rule, kernel.on_step = rule, on_step
        kernel.rewind()
    violation = judge.violations.get(judged.name)
    if performed != [name for name, _ in steps] or violation is None:
        raise HarnessBug(
            f"a counterexample to {judged.name} was explored and cannot be replayed"
        )
    return Counterexample(steps=tuple(steps), choices=choices, violation=violation)


def counterexample(search: Search, index: int) -> Counterexample:
    """Return a shortest, replayed counterexample to a violated property."""
    learner = search.learner
    path = violating_path(search, index, search.found[index])
    steps = named(learner, path)
    learner.shared.forget()  # the parts will hold what the kernel leaves in them
    return replay(learner.world, learner.properties[index], steps)

"""The packed transition system: states as words, successors as arrays.

Joins the learner and the tables. When a field outgrows its bits, a row is found that
nobody had inserted before, or a window is cut, the layout is made anew and whoever
holds states is told to convert them; nothing overflows silently.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wavecheck.sim.errors import HarnessBug, OutOfTime
from wavecheck.sim.exhaustive.crowd import SELF, task_of
from wavecheck.sim.exhaustive.layout import Layout, Words
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.lookup import OCCUPIED, Ints
from wavecheck.sim.exhaustive.symmetry import sort_in_place
from wavecheck.sim.exhaustive.tables import Alternative, Relaid, TaskTable
from wavecheck.sim.exhaustive.windows import Windows

Converter = Callable[[Layout, Layout], None]
"""Called with the new and the old layout, to convert states that are held."""


class PackedSystem:
    """States and steps of one world as words.

    Args:
        learner: runs Python where no table has the answer.

    Attributes:
        layout: of the states now.
        tables: of each task.
        converters: called when the layout changes.
        stop: asked before each step is learned; what it answers ends the exploration.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.converters: list[Converter] = []
        self.stop: Callable[[], str | None] | None = None
        self._windows: dict[tuple[int, int], Windows] = {}
        self._components_count = 0
        self.layout = Layout(self.counts())
        self._make_tables()

    def counts(self) -> list[int]:
        """Return how many numbers each field has: tasks first, then components.

        A component that is left out has none.
        """
        learner = self.learner
        leaves_out = learner.reduction.leaves_out
        return [
            *(len(task.states) for task in learner.tasks),
            *(
                0 if leaves_out(one.part, one.key) else len(one.values)
                for one in learner.shared.components
            ),
        ]

    def _make_tables(self) -> None:
        self._components_count = len(self.learner.shared.components)
        self.tables = [
            TaskTable(index, self.layout, self._resolver(index))
            for index in range(len(self.learner.tasks))
        ]

    def relay(self) -> None:
        """Make the layout fit what is known, and convert every state that is held."""
        old, counts = self.layout, self.counts()
        if not old.fits(counts):
            self.layout = Layout(counts)
            for convert in self.converters:
                convert(self.layout, old)
        if len(self.learner.shared.components) != self._components_count:
            self._windows.clear()
        self._make_tables()

    def relay_to(self, counts: Sequence[int]) -> None:
        """Take the layout of an earlier search that had learned the same."""
        self.layout = Layout(counts)
        self._windows.clear()
        self._make_tables()

    def _resolver(self, task: int) -> Callable[..., Any]:
        learner, layout = self.learner, self.layout
        tasks_count = len(learner.tasks)

        def resolve(
            fields: list[int],
        ) -> tuple[Windows, Sequence[int], tuple[Alternative, ...]]:
            if self.stop is not None and self.stop():
                raise OutOfTime
            places, shared = fields[:tasks_count], fields[tasks_count:]
            local = places[task]
            reads, steps = learner.resolve(task, places, shared)
            if learner.take_growth():
                raise Relaid
            alternatives = []
            for step in steps:
                changes = [(task, local, step.local)]
                changes.extend(
                    (tasks_count + component, shared[component], number)
                    for component, number in step.writes
                )
                # Where another task stood need not be known: its bits are set.
                moves = [(other, 0, number) for other, number in step.moves]
                changes.extend(moves)
                if any(after >> layout.widths[field] for field, _, after in changes):
                    raise Relaid
                alternatives.append(
                    Alternative(
                        choices=step.choices,
                        delta=layout.delta(changes),
                        cleared=layout.masks([other for other, _ in step.moves]),
                        violated=sum(1 << one for one in step.violated),
                        one_in=step.one_in,
                    )
                )
            operation = learner.tasks[task].states[local].operation
            windows = Windows()
            if operation is not None:
                windows = self._windows.setdefault((operation, task), windows)
            read = [
                tasks_count + one if one >= 0 else task_of(one)
                for one in reads
                if one != SELF
            ]
            return windows, read, tuple(alternatives)

        return resolve

    def step(self, state: Words, task: int, choices: tuple[int, ...]) -> Words:
        """Return what one state becomes by a task's step; no task is exchanged.

        Args:
            state: one state that was expanded before, or one that it stands for.
            task: who steps.
            choices: answers of the kernel's rule inside the step.
        """
        outcome = int(self.settled_outcomes(state)[task][0])
        held = self.tables[task].outcomes
        for number in range(outcome, outcome + int(held.count[outcome])):
            one = held.alternatives[number]
            if one is not None and one.choices == choices:
                where = np.zeros(1, np.intp)
                return held.applied(state, where, np.array([number], np.int32))
        raise HarnessBug("a step of an execution was never explored")

    def standing_for(self, state: Words) -> Words:
        """Return the state that stands for a state."""
        found = [word.copy() for word in state]
        sort_in_place(self.layout, found, self.learner.groups)
        return found

    def initial(self) -> Words:
        """Return the initial state: no bit is set, in any layout."""
        return [np.zeros(1, np.uint64) for _ in range(self.layout.words_count)]

    def outcomes(self, words: Words) -> list[Ints]:
        """Return what each task's next step does in each of some states.

        Raises:
            Relaid: call `relay`, and ask again with the converted states.
        """
        tagged = [words[0] | OCCUPIED, *words[1:]]
        healing = self.learner.healing
        found = [
            table.find(tagged)
            for index, table in enumerate(self.tables)
            if index != healing
        ]
        if healing is not None:
            found.insert(healing, self._healed(tagged, found))
        return found

    def _healed(self, tagged: Words, found: list[Ints]) -> Ints:
        """Return what heals the states in which no task has a step."""
        outcomes = np.zeros(len(tagged[0]), np.int32)
        idle = np.flatnonzero(~np.any(np.stack(found), axis=0))
        if len(idle):
            words = [word[idle] for word in tagged]
            outcomes[idle] = self.tables[self.learner.healing or 0].find(words)
        return outcomes

    def settled_outcomes(self, words: Words) -> list[Ints]:
        """Return the outcomes for states that were expanded before."""
        layout = self.layout
        while True:
            try:
                return self.outcomes(words)
            except Relaid:
                # Tables were dropped since; everything was learned, so nothing grows.
                self.relay()
                if self.layout is not layout:
                    raise HarnessBug("expanded states have unknown steps") from None

    def shared_of(self, state: Sequence[int]) -> list[int]:
        """Return the number of the value of each component in one state."""
        return self.layout.unpack(state)[len(self.learner.tasks) :]

    def successors(
        self, words: Words, task: int, outcomes: Ints
    ) -> Iterator[tuple[Words, npt.NDArray[np.intp], Ints]]:
        """Yield the successors by one task's step, one batch per alternative.

        Yields:
            The successors (of interchangeable tasks in the order that stands for all),
            the index of the state each comes from, and the number of
            the alternative that leads there.
        """
        held = self.tables[task].outcomes
        counts = held.count.take(outcomes)
        depth = 0
        while True:
            where = np.flatnonzero(counts > depth)
            if not len(where):
                return
            alternatives = outcomes[where] + np.int32(depth)
            after = held.applied(words, where, alternatives)
            sort_in_place(self.layout, after, self.learner.groups)
            yield after, where, alternatives
            depth += 1
            if not held.has_several:
                return

"""Sampling as arrays: tens of thousands of executions at once over learned tables.

Knows packed states and properties by index. Every execution of a block is one element
of each array; a round takes one step of each that can still go on. The Python code of
the world runs only for what no table holds yet, exactly as in an exploration.

A violation is returned as a list of steps, rebuilt from the recorded picks; whoever
asked replays it on the kernel. What was seen is counted as a search on the kernel
counts it: distinct schedules (by a 63-bit hash of their steps, so two of two million
are taken for one with odds of 1 in 4 million) and distinct final states.

Source of PCT: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with
Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.

Determinism: the raw stream of PCG64 under one seed; the block size is part of the seed.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from wavecheck.sim.exhaustive.layout import Layout, Words
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.lookup import Ints
from wavecheck.sim.exhaustive.mixing import FIRST, SECOND
from wavecheck.sim.exhaustive.packed import PackedSystem
from wavecheck.sim.exhaustive.refusal import refuse
from wavecheck.sim.exhaustive.seen import SeenStates, store_in_place
from wavecheck.sim.exhaustive.tables import Outcomes, Relaid
from wavecheck.sim.operation import Statement

Array = npt.NDArray[Any]

BLOCK: Final = 1 << 14
STEPS_MAX: Final = 2_000
DISTINCT_MAX: Final = 2_000_000
_HALF: Final = np.uint64(32)
_TOP: Final = np.uint64(1)

Steps = list[tuple[str, tuple[int, ...]]]
"""(task name, answers to the choices inside the step) of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """The shortest violation of one property in a block.

    Attributes:
        property_index: of the property.
        execution: number of the execution, counted from 1 over all blocks.
        steps: up to the violation.
    """

    property_index: int
    execution: int
    steps: Steps


class Draw:
    """Endless raw numbers from one seed, as arrays."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(seed))

    def below(self, limits: Array) -> Array:
        """Return for each limit a number from 0 to one less."""
        raw = self._bits.random_raw(len(limits)) >> _HALF
        return np.asarray((raw * limits.astype(np.uint64)) >> _HALF).astype(np.intp)

    def raw(self, count: int) -> Array:
        """Return 64-bit numbers."""
        return np.asarray(self._bits.random_raw(count))


class UniformPicks:
    """Each enabled task is equally likely to be next."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def start(self, executions: int, tasks: int) -> None:
        """Begin a block."""

    def pick(self, enabled: Array, which: Array, step: int) -> Array:
        """Return the index of the next task of each execution.

        Args:
            enabled: shape (tasks, executions that go on).
            which: numbers of these executions in their block.
            step: number of the step, from 0.
        """
        ranks = enabled.cumsum(axis=0, dtype=np.int16)
        wanted = self._draw.below(ranks[-1]) + 1
        return np.asarray((ranks >= wanted).argmax(axis=0))


class PCTPicks:
    """The enabled task of highest priority is next; priorities change a few times.

    Args:
        draw: where the numbers come from.
        depth: bug depth; priorities change depth - 1 times in an execution.
        steps: how long executions are assumed to be.

    Attributes:
        steps: as given; for blocks that start from here on.
    """

    def __init__(self, draw: Draw, *, depth: int, steps: int) -> None:
        self._draw = draw
        self._depth = depth
        self.steps = steps
        self._priorities: Array = np.zeros((0, 0), np.intp)
        self._points: Array = self._priorities

    def start(self, executions: int, tasks: int) -> None:
        """Draw priorities and change points of a block."""
        raw = self._draw.raw(tasks * executions).reshape(tasks, executions)
        self._priorities = raw.argsort(axis=0).argsort(axis=0) + self._depth
        limits = np.full((self._depth - 1) * executions, self.steps)
        self._points = self._draw.below(limits).reshape(self._depth - 1, executions)

    def pick(self, enabled: Array, which: Array, step: int) -> Array:
        """Return the index of the next task of each execution."""
        chosen = self._highest(enabled, which)
        for index, points in enumerate(self._points):
            changes = np.flatnonzero(points[which] == step)
            if len(changes):
                lowered = which[changes]
                self._priorities[chosen[changes], lowered] = index
                chosen[changes] = self._highest(enabled[:, changes], lowered)
        return chosen

    def _highest(self, enabled: Array, which: Array) -> Array:
        masked = np.where(enabled, self._priorities[:, which], -1)
        return np.asarray(masked.argmax(axis=0))


Picks = UniformPicks | PCTPicks


class Sampler:
    """Runs blocks of executions of one world.

    Args:
        learner: of the world.
        picks: who is next.
        draw: for choices inside steps.

    Attributes:
        executions: complete ones.
        steps: of all of them.
        steps_max: of the longest one.
        violations: how many executions violate each property, by index.
        at_risk: indexes of the properties at risk in some final state.
        final_states: how many executions ended in each state, by component numbers.
        last_new_final_state: number of the execution that last ended in a new one.
    """

    def __init__(self, learner: Learner, picks: Picks, draw: Draw) -> None:
        self.learner = learner
        self.system = PackedSystem(learner)
        self.system.converters.append(self._convert)
        self.executions = 0
        self.steps = 0
        self.steps_max = 0
        self.violations = dict.fromkeys(range(len(learner.properties)), 0)
        self.at_risk: set[int] = set()
        self.final_states: dict[tuple[int, ...], int] = {}
        self.last_new_final_state = 0
        self._picks = picks
        self._draw = draw
        self._words: Words = []
        self._schedules = SeenStates(1)
        self._stepped = [np.zeros(1, np.bool_) for _ in learner.tasks]
        self._ends: dict[tuple[int, ...], tuple[tuple[int, ...], int]] = {}

    def _convert(self, new: Layout, old: Layout) -> None:
        self._words = new.converted(self._words, old)
        self._ends.clear()

    @property
    def schedules_count(self) -> int:
        """Distinct schedules, of the first `DISTINCT_MAX`."""
        return self._schedules.count

    def run(self, executions: int) -> list[Hit]:
        """Run so many executions more, at most `BLOCK` of them.

        Returns:
            The shortest violation of each property that some of them violate.

        Raises:
            CannotLearn: the code under test hides state, or does not come to an end.
        """
        block = _Block(executions, len(self.learner.properties))
        layout = self.system.layout
        self._words = [
            np.zeros(executions, np.uint64) for _ in range(layout.words_count)
        ]
        self._picks.start(executions, len(self.learner.tasks))
        which = np.arange(executions)
        for step in range(STEPS_MAX):
            outcomes = self._outcomes()
            enabled = np.stack([one != 0 for one in outcomes])
            goes_on: Array = np.asarray(enabled.any(axis=0))
            if not goes_on.all():
                self._end(~goes_on, which, block, step)
                rest = np.flatnonzero(goes_on)
                if not len(rest):
                    break
                which, enabled = which[rest], enabled[:, rest]
                outcomes = [one[rest] for one in outcomes]
                self._words = [word[rest] for word in self._words]
            tasks = self._picks.pick(enabled, which, step)
            ranks = self._step(tasks, outcomes, which, block, step)
            block.note(which, tasks, ranks)
            self.steps += len(which)
        else:
            raise refuse(
                f"an execution takes more than {STEPS_MAX} steps",
                task="(any)",
                likely="tasks that never come to an end",
            )
        self.steps_max = max(self.steps_max, step)
        return self._count(block, executions)

    def _outcomes(self) -> list[Ints]:
        while True:
            try:
                return self.system.outcomes(self._words)
            except Relaid:
                self.system.relay()

    def _step(
        self,
        tasks: Array,
        outcomes: list[Ints],
        which: Array,
        block: "_Block",
        step: int,
    ) -> Ints:
        """Take one step of each execution; return the rank of the alternative taken.

        A rank, and not its number in a table: tables are made anew now and then.
        """
        ranks = np.zeros(len(which), np.int32)
        for task, outcome in enumerate(outcomes):
            mine = np.flatnonzero(tasks == task)
            if not len(mine):
                continue
            self._note_stepped(task, mine)
            held = self.system.tables[task].outcomes
            chosen = outcome[mine]
            if held.has_several:
                ranks[mine] = self._draw_ranks(held, chosen)
                chosen = chosen + ranks[mine]
            after = held.applied(self._words, mine, chosen)
            for word, changed in zip(self._words, after, strict=True):
                word[mine] = changed
            if held.violates:
                block.violate(which[mine], held.violated.take(chosen), step + 1)
        return ranks

    def _draw_ranks(self, held: Outcomes, outcomes: Ints) -> Array:
        """Return which alternative each step takes, by the odds of its choices."""
        counts = held.count.take(outcomes)
        if not held.is_uneven:
            return self._draw.below(counts)
        drawn = self._draw.raw(len(outcomes)) / 2.0**64
        ranks = np.zeros(len(outcomes), np.intp)
        passed = np.zeros(len(outcomes))
        for depth in range(int(counts.max()) - 1):
            passed += 1 / held.one_in.take(outcomes + np.int32(depth), mode="clip")
            ranks += (drawn >= passed) & (counts > depth + 1)
        return ranks

    def _note_stepped(self, task: int, mine: Array) -> None:
        """Note the local states out of which a task steps."""
        layout, flags = self.system.layout, self._stepped[task]
        if len(flags) < 1 << layout.widths[task]:
            flags = np.resize(flags, 1 << layout.widths[task])
            flags[len(self._stepped[task]) :] = False
            self._stepped[task] = flags
        word = self._words[layout.word[task]][mine] >> np.uint64(layout.shift[task])
        word &= np.uint64((1 << layout.widths[task]) - 1)
        flags[word] = True

    def performed(self) -> set[Statement]:
        """Return the statements that some execution has performed."""
        operations = self.learner.effects.operations
        found = set()
        for task, flags in zip(self.learner.tasks, self._stepped, strict=True):
            for number in np.flatnonzero(flags).tolist():
                operation = task.states[number].operation
                assert operation is not None, "who has ended takes no step"
                found.add(operations[operation].operation.statement)
        return found

    def _end(self, ended: Array, which: Array, block: "_Block", step: int) -> None:
        """Judge and count executions that have come to their ends."""
        layout = self.system.layout
        fields = range(len(self.learner.tasks), len(layout.widths))
        masks = layout.masks(fields)
        shared = np.stack(
            [w[ended] & np.uint64(m) for w, m in zip(self._words, masks, strict=True)]
        )
        kinds, inverse, counts = np.unique(
            shared, axis=1, return_inverse=True, return_counts=True
        )
        inverse = inverse.reshape(-1)
        judged = []
        for kind, count in zip(
            map(tuple, kinds.T.tolist()), counts.tolist(), strict=True
        ):
            if kind not in self._ends:
                numbers = self.system.shared_of(kind)
                violated, at_risk = self.learner.judge_end(numbers)
                self.at_risk.update(at_risk)
                while numbers and numbers[-1] == 0:  # components found later are 0
                    numbers.pop()
                bits = sum(1 << one for one in violated)
                self._ends[kind] = tuple(numbers), bits
            state, bits = self._ends[kind]
            judged.append(bits)
            if state not in self.final_states and len(self.final_states) < DISTINCT_MAX:
                first = int(which[ended][inverse == len(judged) - 1][0])
                self.final_states[state] = 0
                self.last_new_final_state = max(
                    self.last_new_final_state, self.executions + first + 1
                )
            if state in self.final_states:
                self.final_states[state] += count
        block.violate(which[ended], np.array(judged, np.uint32)[inverse], step)

    def _count(self, block: "_Block", executions: int) -> list[Hit]:
        """Count a finished block; return its shortest violations."""
        hits = []
        for index in self.violations:
            steps = block.violated_at[index]
            self.violations[index] += int(np.count_nonzero(steps))
            if steps.any():
                execution = int(np.where(steps, steps, STEPS_MAX + 1).argmin())
                hits.append(
                    Hit(
                        property_index=index,
                        execution=self.executions + execution + 1,
                        steps=self._steps_of(execution, int(steps[execution]), block),
                    )
                )
        self.executions += executions
        if self._schedules.count < DISTINCT_MAX:
            hashes = [block.hashes >> _TOP]
            store_in_place(hashes)
            self._schedules.add(hashes)
        return hits

    def _steps_of(self, execution: int, count: int, block: "_Block") -> Steps:
        """Return the first steps of one execution, walked again from the start."""
        steps: Steps = []
        self._words = self.system.initial()
        for which, tasks, ranks in block.taken[:count]:
            place = int(np.searchsorted(which, execution))
            task = int(tasks[place])
            outcome = int(self._outcomes()[task][0])
            held = self.system.tables[task].outcomes
            one = held.alternatives[outcome + int(ranks[place])]
            assert one is not None
            alternative = np.array([outcome + int(ranks[place])], np.int32)
            self._words = held.applied(self._words, slice(None), alternative)
            if task != self.learner.healing:
                steps.append((self.learner.tasks[task].name, one.choices))
        return steps


class _Block:
    """What the executions of one block did.

    Attributes:
        taken: for each step, who went on, which task stepped, the rank of what it did.
        hashes: of each execution's steps so far.
        violated_at: for each property and execution, the step; 0: not violated.
    """

    def __init__(self, executions: int, properties: int) -> None:
        self.taken: list[tuple[Array, Array, Array]] = []
        self.hashes = np.zeros(executions, np.uint64)
        self.violated_at = np.zeros((properties, executions), np.int32)

    def note(self, which: Array, tasks: Array, ranks: Ints) -> None:
        """Note one step of the executions that go on."""
        self.taken.append((which, tasks.astype(np.int16), ranks))
        mixed = self.hashes[which] * FIRST
        mixed ^= mixed >> _HALF
        mixed += (tasks.astype(np.uint64) << _HALF) + ranks.astype(np.uint64) + _TOP
        mixed *= SECOND
        self.hashes[which] = mixed

    def violate(self, which: Array, violated: Array, step: int) -> None:
        """Note which properties some executions have violated by now."""
        if not violated.any():
            return
        for index, held in enumerate(self.violated_at):
            hit = which[(violated >> np.uint32(index) & 1).astype(np.bool_)]
            held[hit[held[hit] == 0]] = max(1, step)

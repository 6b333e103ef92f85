"""Sampling as arrays: tens of thousands of executions at once over learned tables.

Knows packed states and properties by index. Every execution of a block is one element
of each array; a round takes one step of each that can still go on. The Python code of
the world runs only for what no table holds yet, exactly as in an exploration.

The first violation of each property is rebuilt as a list of steps from the recorded
picks and replayed on the kernel before it is returned.

Source of PCT: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with
Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.

Determinism: the raw stream of PCG64 under one seed; the block size is part of the seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sim.errors import CoordinatorError
from sim.exhaustive.counterexample import replay
from sim.exhaustive.exploration import Counterexample
from sim.exhaustive.layout import Layout, Words
from sim.exhaustive.learning import Learner
from sim.exhaustive.lookup import Ints
from sim.exhaustive.packed import PackedSystem
from sim.exhaustive.tables import Relaid

Array = npt.NDArray[Any]

BLOCK: Final = 1 << 14
STEPS_MAX: Final = 100_000
_HALF: Final = np.uint64(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What some sampled executions showed.

    Attributes:
        executions: complete ones.
        steps: of all of them.
        violations: executions that violate, by property name.
        counterexamples: the first of each violated property, replayed.
    """

    executions: int
    steps: int
    violations: dict[str, int]
    counterexamples: dict[str, Counterexample]


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
    """

    def __init__(self, draw: Draw, *, depth: int, steps: int) -> None:
        self._draw = draw
        self._depth = depth
        self._steps = steps
        self._priorities: Array = np.zeros((0, 0), np.intp)
        self._points: Array = self._priorities

    def start(self, executions: int, tasks: int) -> None:
        """Draw priorities and change points of a block."""
        raw = self._draw.raw(tasks * executions).reshape(tasks, executions)
        self._priorities = raw.argsort(axis=0).argsort(axis=0) + self._depth
        limits = np.full((self._depth - 1) * executions, self._steps)
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
    """

    def __init__(self, learner: Learner, picks: Picks, draw: Draw) -> None:
        self.learner = learner
        self.system = PackedSystem(learner)
        self.system.converters.append(self._convert)
        self.executions = 0
        self.steps = 0
        self.violations = dict.fromkeys(range(len(learner.properties)), 0)
        self.counterexamples: dict[int, Counterexample] = {}
        self._picks = picks
        self._draw = draw
        self._words: Words = []
        self._ends: dict[tuple[int, ...], int] = {}

    def _convert(self, new: Layout, old: Layout) -> None:
        self._words = new.converted(self._words, old)
        self._ends.clear()

    def run(self, executions: int, stop: Callable[[], bool] | None = None) -> Samples:
        """Run at least so many executions, in whole blocks.

        Args:
            executions: how many.
            stop: asked after each block.
        """
        names = [one.name for one in self.learner.properties]
        while self.executions < executions:
            self._block(BLOCK)
            if stop is not None and stop():
                break
        return Samples(
            executions=self.executions,
            steps=self.steps,
            violations={names[one]: n for one, n in self.violations.items()},
            counterexamples={names[one]: c for one, c in self.counterexamples.items()},
        )

    def _block(self, count: int) -> None:
        layout = self.system.layout
        self._words = [np.zeros(count, np.uint64) for _ in range(layout.words_count)]
        self._picks.start(count, len(self.learner.tasks))
        which = np.arange(count)
        violated = np.zeros(count, np.uint32)
        taken: list[tuple[Array, Array, Array]] = []
        for step in range(STEPS_MAX):
            outcomes = self._outcomes()
            enabled = np.stack([one != 0 for one in outcomes])
            goes_on: Array = np.asarray(enabled.any(axis=0))
            if not goes_on.all():
                self._end(~goes_on, which, violated)
                rest = np.flatnonzero(goes_on)
                if not len(rest):
                    break
                which, enabled = which[rest], enabled[:, rest]
                outcomes = [one[rest] for one in outcomes]
                self._words = [word[rest] for word in self._words]
            tasks = self._picks.pick(enabled, which, step)
            alternatives = self._step(tasks, outcomes, which, violated)
            taken.append((which, tasks.astype(np.int16), alternatives))
        else:
            raise CoordinatorError(f"an execution takes more than {STEPS_MAX} steps")
        self.executions += count
        self._note(violated, taken)

    def _outcomes(self) -> list[Ints]:
        while True:
            try:
                return self.system.outcomes(self._words)
            except Relaid:
                self.system.relay()

    def _step(
        self, tasks: Array, outcomes: list[Ints], which: Array, violated: Array
    ) -> Ints:
        """Take one step of each execution; return which alternative each took."""
        self.steps += len(which)
        alternatives = np.zeros(len(which), np.int32)
        for task, outcome in enumerate(outcomes):
            mine = np.flatnonzero(tasks == task)
            if not len(mine):
                continue
            held = self.system.tables[task].outcomes
            chosen = outcome[mine]
            if held.has_several:
                counts = held.count.take(chosen)
                chosen = chosen + self._draw.below(counts).astype(np.int32)
            for word, delta in zip(self._words, held.delta, strict=True):
                word[mine] ^= delta.take(chosen)
            if held.violates:
                violated[which[mine]] |= held.violated.take(chosen)
            alternatives[mine] = chosen
        return alternatives

    def _end(self, ended: Array, which: Array, violated: Array) -> None:
        """Judge executions that have come to their ends."""
        layout = self.system.layout
        fields = range(len(self.learner.tasks), len(layout.widths))
        masks = layout.masks(fields)
        shared = np.stack(
            [w[ended] & np.uint64(m) for w, m in zip(self._words, masks, strict=True)]
        )
        kinds, inverse = np.unique(shared, axis=1, return_inverse=True)
        judged = []
        for kind in map(tuple, kinds.T.tolist()):
            if kind not in self._ends:
                found = self.learner.judge_end(self.system.shared_of(kind))[0]
                self._ends[kind] = sum(1 << one for one in found)
            judged.append(self._ends[kind])
        violated[which[ended]] |= np.array(judged, np.uint32)[inverse.reshape(-1)]

    def _note(self, violated: Array, taken: list[tuple[Array, Array, Array]]) -> None:
        for index, judged in enumerate(self.learner.properties):
            hits = np.flatnonzero(violated >> np.uint32(index) & 1)
            self.violations[index] += len(hits)
            if len(hits) and index not in self.counterexamples:
                steps = self._steps_of(int(hits[0]), index, taken)
                self.counterexamples[index] = replay(self.learner.world, judged, steps)

    def _steps_of(
        self, execution: int, index: int, taken: list[tuple[Array, Array, Array]]
    ) -> list[tuple[str, tuple[int, ...]]]:
        """Return the steps of one execution, up to its violation."""
        steps = []
        for which, tasks, alternatives in taken:
            place = int(np.searchsorted(which, execution))
            if place == len(which) or which[place] != execution:
                break
            task = int(tasks[place])
            held = self.system.tables[task].outcomes
            one = held.alternatives[int(alternatives[place])]
            assert one is not None
            steps.append((self.learner.tasks[task].name, one.choices))
            if one.violated >> index & 1:
                break
        return steps

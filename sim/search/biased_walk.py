"""A random walk that leans towards certain steps, and says by how much.

For estimating the odds of rare violations: steps that lead there are drawn more often,
and each execution carries the weight that makes up for it, so that the mean of weight
times violation is exactly the odds under the uniform random walk.

With probability `share` a whole execution is drawn uniformly, otherwise with the bias;
its weight is the odds under the uniform walk over the odds under this mixture. Hence no
weight exceeds 1 / share, whatever the bias: a poor one makes the estimate wide, never
wrong.

Source: importance sampling by likelihood ratio; the defensive mixture is Hesterberg,
"Weighted average importance sampling and defensive mixture distributions",
Technometrics 1995, here over whole paths; the weights of steps are learned as in the
cross-entropy method (Rubinstein, EJOR 1997), one ratio of counts per kind of step.
"""

from collections.abc import Mapping
from typing import Final

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.prng import Stream
from wavecheck.sim.property import Judge, Property
from wavecheck.sim.search.execution import execute
from wavecheck.sim.task import Task
from wavecheck.sim.world import World

ONE: Final = 1_000
"""The weight of a step that is drawn as often as others."""

LEAST: Final = 20
MOST: Final = 50_000
SHARE: Final = 0.5
_ROUNDS: Final = 4
_RANDOM_WEIGHTS: Final = (ONE // 16, ONE // 4, ONE, ONE * 4)

Weights = Mapping[str, int]
"""How often a kind of step is drawn, by its name; `ONE` where it is not named."""


def kind_of(task: Task) -> str:
    """Return the kind of a task's next step: who takes it, and which statement."""
    operation = task.operation
    return f"{task.name} {'' if operation is None else operation.statement.name}"


class BiasedWalk:
    """Picks in proportion to weights, or uniformly for a whole execution.

    Args:
        weights: by kind of step, each at least 1.
        share: of the executions that are drawn uniformly; 1: all of them.
        seed: of the stream of random numbers; `begin` may be given another.

    Determinism: weights are whole numbers and the ratio is a product of quotients, so
    an execution has the same weight on every machine.
    """

    def __init__(self, weights: Weights, share: float, seed: int = 0) -> None:
        self._weights = weights
        self._share = share
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Begin an execution that depends on this seed alone."""
        self._below = Stream(seed, "biased walk").below
        self._is_uniform = self._below(1_000_000) < self._share * 1_000_000
        self._ratio = 1.0

    def pick(self, enabled: list[Task]) -> int:
        """Return an index, drawn uniformly or in proportion to the weights."""
        weights = [self._weights.get(kind_of(task), ONE) for task in enabled]
        total = sum(weights)
        if self._is_uniform:
            index = self._below(len(enabled))
        else:
            left = self._below(total)
            index = 0
            while left >= weights[index]:
                left -= weights[index]
                index += 1
        self._ratio *= weights[index] * len(enabled) / total
        return index

    def choose(self, options_count: int) -> int:
        """Return a uniformly drawn option."""
        return self._below(options_count)

    def weight(self) -> float:
        """Return the weight of the execution so far."""
        return 1.0 / (self._share + (1.0 - self._share) * self._ratio)


class _Counting(BiasedWalk):
    """Also counts how often each kind of step was taken, and would be uniformly."""

    def reseed(self, seed: int) -> None:
        super().reseed(seed)
        self.taken: dict[str, float] = {}
        self.expected: dict[str, float] = {}

    def pick(self, enabled: list[Task]) -> int:
        index = super().pick(enabled)
        for task in enabled:
            kind = kind_of(task)
            self.expected[kind] = self.expected.get(kind, 0.0) + 1.0 / len(enabled)
        kind = kind_of(enabled[index])
        self.taken[kind] = self.taken.get(kind, 0.0) + 1.0
        return index


def learn_weights(world: World, judged: Property, executions_count: int) -> Weights:
    """Return weights under which a property is violated often.

    The first round draws the weights of every task at random, which starves some tasks
    as a uniform walk hardly ever does; each later round leans on what the violating
    executions of the one before had in common.

    Args:
        world: on an untimed kernel.
        judged: what should be violated.
        executions_count: of all rounds together.

    Returns:
        No weights at all if nothing was violated.
    """
    judge = Judge(world.kernel, world, [judged], stops_at=judged.name)
    weights: Weights = {}
    try:
        for number in range(_ROUNDS):
            taken: dict[str, float] = {}
            expected: dict[str, float] = {}
            for execution in range(executions_count // _ROUNDS):
                seed = number * executions_count + execution
                used = weights or _RandomWeights(seed)
                walk = _Counting(used, SHARE, seed)
                judge.violations.clear()
                execute(world, walk)
                judge.judge_end()
                if not judge.violations:
                    continue
                weight = walk.weight()
                for kind, count in walk.taken.items():
                    taken[kind] = taken.get(kind, 0.0) + weight * count
                for kind, count in walk.expected.items():
                    expected[kind] = expected.get(kind, 0.0) + weight * count
            if expected:
                weights = _ratios(taken, expected)
    finally:
        judge.close()
    return weights


def _ratios(taken: Mapping[str, float], expected: Mapping[str, float]) -> Weights:
    """Return how often each kind was taken, over how often it could have been."""
    least = max(expected.values()) / 1_000
    return {
        kind: max(
            LEAST,
            min(MOST, round(ONE * (taken.get(kind, 0.0) + least) / (count + least))),
        )
        for kind, count in sorted(expected.items())
    }


class _RandomWeights(dict[str, int]):
    """A weight for each task, drawn when it is first asked for."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._below = Stream(seed, "weights").below

    def get(self, kind: str, default: int = ONE) -> int:  # type: ignore[override]  # the default is never asked for
        task = kind.partition(" ")[0]
        if task not in self:
            self[task] = _RANDOM_WEIGHTS[self._below(len(_RANDOM_WEIGHTS))]
        return self[task]


def run_walk(world: World, walk: BiasedWalk, judge: Judge) -> Kernel:
    """Run one execution and judge it; return the kernel, with its choices."""
    judge.violations.clear()
    execute(world, walk)
    judge.judge_end()
    return world.kernel

"""Faults as steps: an adversary that strikes a bounded number of times.

Each fault in the plan is a task of its own whose only step picks, as a choice, one of
the targets that the world offers at that moment. So every strategy, replay, shrinking
and the exhaustive engine treat faults like any other step. What a fault does is the
world's business; this file knows kinds by name only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, statement

FAULT_TASK_PREFIX: Final = "fault "
FAULTS_MAX: Final = 100
"""Of each kind in one execution; each is a task of its own."""

FaultPlan = Mapping[str, int]
"""How many faults of each kind may strike in one execution."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a fault can do now.

    Attributes:
        label: what it does, for people.
        strike: does it.
    """

    label: str
    strike: Callable[[], None]


Targets = Callable[[], list[Target]]


class Adversary:
    """Strikes as often as the plan allows.

    Args:
        kernel: whose tasks and parts are struck.
        sources: for each kind of fault that the world knows, what it could hit now.
        plan: how often each may strike.

    Raises:
        InvalidScenario: the plan names a kind that this world does not have, or a
            number out of range.
    """

    def __init__(
        self, kernel: Kernel, sources: Mapping[str, Targets], plan: FaultPlan
    ) -> None:
        for kind, count in plan.items():
            if kind not in sources:
                known = list(sources) or ["none, for nothing here fails"]
                raise unknown_name("kind of fault", kind, known)
            if not 0 <= count <= FAULTS_MAX:
                raise InvalidScenario(
                    f"fault {kind!r}: {count} times; expected 0 to {FAULTS_MAX}"
                )
        self._kernel = kernel
        self._sources = sources
        self._plan = plan

    def start(self) -> None:
        """Spawn one task for each fault of the plan."""
        for kind in sorted(self._plan):
            for number in range(1, self._plan[kind] + 1):
                name = f"{FAULT_TASK_PREFIX}{kind}-{number}"
                self._kernel.spawn(self._once(kind), name, is_daemon=True)

    def interchangeable(self) -> list[list[str]]:
        """Return the names of the tasks of each kind; they differ in nothing else."""
        return [
            [f"{FAULT_TASK_PREFIX}{kind}-{one}" for one in range(1, count + 1)]
            for kind, count in sorted(self._plan.items())
        ]

    async def _once(self, kind: str) -> None:
        await self.strike(kind)

    @statement(kind=Kind.EXTERNAL)
    def strike(self, kind: str) -> str:
        """Hit one of the targets there are now; say what happened."""
        targets = self._sources[kind]()
        if not targets:
            return "nothing to hit"
        target = targets[self._kernel.choose(len(targets))]
        target.strike()
        return target.label

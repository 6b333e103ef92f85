"""What the engine asks of a world; every domain is one."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from wavecheck.sim.faults import FaultPlan
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Statement, statements_of
from wavecheck.sim.property import Property


class World(Protocol):
    """Shared parts on a kernel, properties, and the tasks of one execution.

    A world is built once: its parts are filled, then the kernel is marked. `start`
    spawns the tasks; the kernel can be rewound and the world started again, thousands
    of times a second. So `start` must create everything that an execution may alter
    outside the parts.
    """

    @property
    def kernel(self) -> Kernel:
        """The kernel that the parts belong to."""
        ...

    @property
    def properties(self) -> tuple[Property, ...]:
        """What is judged."""
        ...

    @property
    def store(self) -> object:
        """The object that offers the world's statements."""
        ...

    @property
    def under_test(self) -> object | None:
        """The code under test in the current execution; it must keep no state."""
        ...

    def start(self) -> None:
        """Spawn the tasks of one execution."""
        ...

    def plan_faults(self, plan: FaultPlan) -> None:
        """Let faults strike in every execution from here on.

        Raises:
            InvalidScenario: the world has nothing that such a fault could hit.
        """
        ...

    def heal(self) -> bool:
        """Spawn what recovers a world after faults; False: it is as well as it gets.

        Called when nothing is enabled any more, until it returns False.
        """
        ...


def statements_in(world: World) -> dict[str, Statement]:
    """Return the statements that a world offers, by name.

    They are the methods of its store, unless the world lists them itself.
    """
    listed = getattr(world, "statements", None)
    return statements_of(world.store) if listed is None else dict(listed())


@runtime_checkable
class Symmetric(Protocol):
    """What a world has beside, if some of its tasks are alike.

    A proof then explores one order of them only. The declaration is checked: where the
    code under test tells such tasks apart, all is explored in full, and the result says
    so.
    """

    def interchangeable(self) -> Sequence[Sequence[str]]:
        """Return groups of names of tasks at the start that could be exchanged."""
        ...

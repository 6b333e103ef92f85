"""One untimed execution: start, run until nothing is enabled, heal, run again.

Under an unfair schedule a retry loop may spin for ever. That is no error of the code: a
search lets every task have its turn after `FAIR_AFTER` steps, and an execution that
goes on all the same is cut, and says nothing of properties that are judged at its end.
"""

from collections.abc import Callable
from typing import Final

from wavecheck.sim.errors import StepLimitReached
from wavecheck.sim.task import Rule
from wavecheck.sim.watchdog import watched
from wavecheck.sim.world import World

FAIR_AFTER: Final = 10_000
"""Steps that a strategy decides upon; from there on every task has its turn."""


class StateIsKnown(Exception):
    """Raised by a rule instead of a choice: all that follows from here is explored."""


def fair_after(steps_count: int) -> int:
    """Return after how many steps a variation of so many is given up as unfair."""
    return min(FAIR_AFTER, 1_000 + 10 * steps_count)


def execute(
    world: World,
    rule: Rule,
    *,
    once_started: Callable[[], None] | None = None,
    cuts: bool = False,
    fair_after: int | None = None,
) -> None:
    """Run one execution of a world from its mark.

    Every strategy, replay and re-check runs executions through here, so that they all
    mean the same by one.

    Args:
        world: on an untimed kernel.
        rule: makes the choices.
        once_started: called when the tasks are there and no step was taken yet.
        cuts: an execution that does not end is cut at the kernel's limit of steps.
        fair_after: steps after which the rule is asked no more.

    Raises:
        StepLimitReached: it does not end, and is not to be cut.
    """
    kernel = world.kernel
    kernel.rule = rule
    kernel.fair_after = fair_after
    kernel.rewind()
    with watched(kernel):
        world.start()
        if once_started is not None:
            once_started()
        try:
            kernel.run_to_quiescence()
            while not kernel.is_stopped and world.heal():
                kernel.run_to_quiescence()
        except StateIsKnown:
            kernel.is_stopped = kernel.was_known = True
        except StepLimitReached:
            if not cuts:
                raise
            kernel.is_stopped = kernel.was_cut = True

"""One untimed execution: start, run until nothing is enabled, heal, run again."""

from collections.abc import Callable

from wavecheck.sim.task import Rule
from wavecheck.sim.world import World


def execute(
    world: World, rule: Rule, *, once_started: Callable[[], None] | None = None
) -> None:
    """Run one execution of a world from its mark.

    Every strategy, replay and re-check runs executions through here, so that they all
    mean the same by one.

    Args:
        world: on an untimed kernel.
        rule: makes the choices.
        once_started: called when the tasks are there and no step was taken yet.
    """
    kernel = world.kernel
    kernel.rule = rule
    kernel.rewind()
    world.start()
    if once_started is not None:
        once_started()
    kernel.run_to_quiescence()
    while not kernel.is_stopped and world.heal():
        kernel.run_to_quiescence()

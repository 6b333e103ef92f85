"""Healing rounds: what a world does when nothing can happen any more after faults.

Knows a world's `heal` and how steps are learned. A round is taken for a step of one
more task, which is enabled only where no other task is. Where it stands is how many
rounds there were; `heal` keeps that count on the world, behind the engine's back, so a
round is learned by doing the rounds before it again, in states in which they healed:
in the state at hand they might find nothing to heal any more, and count nothing.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from wavecheck.sim.exhaustive.effects import Effects
from wavecheck.sim.exhaustive.locals import Executions, LocalState, TaskLocals
from wavecheck.sim.operation import Kind, Operation, Statement

HEALING: Final = "(healing)"
"""The name of the task that heals; its steps are no steps of the kernel."""


def _heal(healing: "HealingLocals", rounds: int) -> bool:
    return healing.heal()


_heal.__name__ = "heal"
_HEAL: Final = Statement(_heal, Kind.EXTERNAL, None, None)


class HealingLocals(TaskLocals):
    """The rounds of healing, in the form of a task's local states.

    Attributes:
        name: of the pseudo-task.
        states: number k: k rounds are over.
    """

    def __init__(
        self, index: int, world: Any, executions: Executions, effects: Effects
    ) -> None:
        super().__init__(index, HEALING, executions, effects)
        self._world = world
        self._healed_in: list[Sequence[int]] = []
        self._at: tuple[int, Sequence[int]] = (0, ())
        self._add()

    def _add(self) -> None:
        rounds = len(self.states)
        operation: Operation[bool] = Operation(_HEAL, self, (rounds,))
        number = self._effects.add(
            operation, self.index, partial(self._prepare, rounds)
        )
        self.states.append(LocalState(operation=number, history=()))

    def _prepare(
        self,
        rounds: int,
        state: Sequence[int],
        load: Callable[[Sequence[int]], None],
    ) -> None:
        """Bring the world to where so many rounds are over."""
        self._executions.start()
        for healed_in in self._healed_in[:rounds]:
            load(healed_in)
            self._world.heal()
        self._at = rounds, tuple(state)

    def heal(self) -> bool:
        """Do one more round; what the world counts of it is no hidden change."""
        try:
            is_healed = bool(self._world.heal())
        finally:
            self._executions.watch.expect_changes()
        rounds, state = self._at
        if is_healed and rounds == len(self._healed_in):
            self._healed_in.append(state)
        return is_healed

    def is_over(self, result: int) -> bool:
        """Return whether a round's result says that there is nothing to heal.

        Raises:
            Exception: the world's `heal` has raised it.
        """
        is_healed, error, _ = self._effects.results.values[result]
        if error is not None:
            raise error
        return not is_healed

    def next(self, number: int, result: int) -> int:
        """Return the state after a round."""
        if number + 1 == len(self.states):
            self._add()
        return number + 1

    def recheck(self, number: int) -> int:
        """Compare nothing: rounds have one history, and their effects are rechecked."""
        return 0

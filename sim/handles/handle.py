"""What code in a world holds of a part: each of its methods is a step.

A handle offers the usual statements on one part (a table's select, a queue's take), so
that a world need not write them. In coroutines its methods are awaited; in blocking
code that the kernel runs they return their results. `now` is the part itself, for what
looks without a step: properties, guards, statements of the world's own.

A handle keeps nothing: all state is in its part.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from wavecheck.sim.blocking import current_blocking, wait_for
from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.parts import Part
from wavecheck.sim.surroundings import RUNNING, refuse_here
from wavecheck.sim.trace import Written

P = TypeVar("P", bound=Part)


class Act(NamedTuple):
    """One thing that can be done with a part, in one step.

    Attributes:
        function: does it; called with the handle and the arguments.
        enabled: whether it can be done now, by the same arguments; None: always.
    """

    function: Callable[..., Any]
    enabled: Callable[..., bool] | None = None


class Handle(Written, Generic[P]):
    """One part, as code in a world sees it.

    Args:
        part: what it stands for.
    """

    acts: Mapping[str, Act] = MappingProxyType({})

    def __init__(self, part: P) -> None:
        self._part = part
        self.statements = {
            verb: _statement(part, verb, act) for verb, act in self.acts.items()
        }

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The part's name."""
        return self._part.name

    def act_otherwise(self, verb: str, function: Callable[..., Any]) -> None:
        """Let a verb do something else from here on, such as something weaker."""
        enabled = self.acts[verb].enabled if verb in self.acts else None
        self.acts = {**self.acts, verb: Act(function, enabled)}
        if verb in self.statements:
            made = _statement(self._part, verb, self.acts[verb])
            self.statements[verb] = made

    @property
    def now(self) -> P:
        """The part as it is now, to be looked at without a step.

        Raises:
            CoordinatorError: code under test looks, which no step would show.
        """
        refuse_outside_of_a_step(self.name)
        return self._part

    def perform(self, verb: str, *args: Any) -> Operation[Any]:
        """Return the step, to be awaited; in blocking code perform it."""
        step: Operation[Any] = performed(Operation(self.statements[verb], self, args))
        return step


def refuse_outside_of_a_step(name: str) -> None:
    """Refuse that code under test looks at parts, which no step would show.

    Raises:
        CoordinatorError: with the line of the code.
    """
    if RUNNING.kernel is not None:
        refuse_here(
            f"code under test looks at {name}.now outside of a step",
            f"await a statement of {name}, or write one: @w.statement",
        )


def performed(step: Awaitable[Any]) -> Any:
    """Return what is to be awaited; in blocking code its result."""
    return step if current_blocking() is None else wait_for(step)


def _statement(part: Part, verb: str, act: Act) -> Statement:
    wakes_on = None if act.enabled is None else lambda *_: part
    made = Statement(act.function, Kind.STATEMENT, act.enabled, wakes_on)
    made.name = f"{part.name}.{verb}"
    made.is_general = True
    return made

"""Statements of a world's own: a function on its parts that is one atomic step."""

from collections.abc import Callable
from functools import update_wrapper
from inspect import Signature, signature
from typing import Any

from wavecheck.sim.handles.handle import performed
from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.parts import Part


class OwnStatement:
    """A function that is one step when it is awaited, or called in blocking code.

    Args:
        function: acts on parts.
        when: whether it can act now; None: always.
        any_part: gives the part whose waiters are asked at every change.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        when: Callable[..., object] | None,
        any_part: Callable[[], Part],
    ) -> None:
        self._function = function
        self._when = when
        self._signature: Signature = signature(function)
        update_wrapper(self, function)

        def act(owner: "OwnStatement", *args: Any) -> Any:
            return function(*args)

        def may_act(owner: "OwnStatement", *args: Any) -> bool:
            return bool(when(*args)) if when is not None else True

        act.__name__, act.__doc__ = function.__name__, function.__doc__
        self.statement = Statement(
            act,
            Kind.STATEMENT,
            None if when is None else may_act,
            None if when is None else lambda *_: any_part(),
        )

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Return the step, to be awaited; in blocking code perform it."""
        if keywords:
            args = self._signature.bind(*args, **keywords).args
        return performed(Operation(self.statement, self, args))


def waiting(name: str) -> Callable[..., bool]:
    """Return a function that does nothing, for a step that only waits."""

    def wait(*args: Any) -> bool:
        """Wait until it is time."""
        return True

    wait.__name__ = name
    return wait

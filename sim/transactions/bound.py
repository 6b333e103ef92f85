"""Statements in a transaction as steps: attempt, wait, attempt again.

Whatever offers statements in one transaction is a `Bound`: it names the transaction,
and `perform` makes steps of a plain function on it. A blocked task stands at a guarded
step, so it is simply not enabled; kernel and engines need not know of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.parts import Part
from wavecheck.sim.transactions.level import Blocked, Failed, Level
from wavecheck.sim.transactions.manager import Transactions


class Bound(Protocol):
    """What offers statements in one transaction.

    Attributes:
        transactions: of the database.
        slot: of the transaction.
    """

    @property
    def transactions(self) -> Transactions:
        """The transactions of the database."""
        ...

    @property
    def slot(self) -> int:
        """Which of them."""
        ...


async def perform(bound: Bound, function: Callable[..., Any], *args: Any) -> Any:
    """Perform a statement in a transaction; it may take several steps.

    Args:
        bound: the transaction.
        function: acts on `bound` and the arguments; its name is that of the statement.
        args: of the statement.

    Returns:
        What the function returned, or `Failed`.
    """
    first, again = _steps(function)
    result = await Operation[Any](first, bound, args)
    while type(result) is Blocked:
        result = await Operation[Any](again, bound, args)
    return result


@cache
def _steps(function: Callable[..., Any]) -> tuple[Statement, Statement]:
    """Return the two statements of a function: at first, and after a wait."""

    def attempt(bound: Bound, *args: Any) -> Any:
        return bound.transactions.attempt(bound.slot, lambda: function(bound, *args))

    def may_go_on(bound: Bound, *args: Any) -> bool:
        return bound.transactions.may_go_on(bound.slot)

    def locks(bound: Bound, *args: Any) -> Part:
        return bound.transactions.locks.rows

    attempt.__name__ = function.__name__
    return (
        Statement(attempt, Kind.STATEMENT, None, None),
        Statement(attempt, Kind.STATEMENT, may_go_on, locks),
    )


class Lone(Protocol):
    """What offers statements outside of transactions, on tables that have some."""

    @property
    def transactions(self) -> Transactions:
        """The transactions of the database."""
        ...

    def in_slot(self, slot: int) -> Bound:
        """Return the same statements in one transaction."""
        ...


async def perform_alone(lone: Lone, function: Callable[..., Any], *args: Any) -> Any:
    """Perform a statement that must wait for open transactions, as one of its own.

    Returns:
        What the function returned, or `Failed`.
    """
    first, again = _lone_steps(function)
    result = await Operation[Any](first, lone, args)
    while type(result) is Blocked:
        result = await Operation[Any](again, _InSlot(lone, result.slot), args)
    return result


@dataclass(frozen=True, slots=True)
class _InSlot:
    """A statement outside of transactions that waits in a slot of its own."""

    lone: Lone
    slot: int

    @property
    def transactions(self) -> Transactions:
        return self.lone.transactions


@cache
def _lone_steps(function: Callable[..., Any]) -> tuple[Statement, Statement]:
    """Return the two statements of a function that is a transaction of its own."""

    def go_on(waiting: _InSlot, *args: Any) -> Any:
        transactions, slot = waiting.transactions, waiting.slot
        bound = waiting.lone.in_slot(slot)
        result = transactions.attempt(slot, lambda: function(bound, *args))
        if type(result) is Failed:
            transactions.roll_back(slot)
        elif type(result) is not Blocked:
            transactions.commit(slot)
        return result

    def attempt(lone: Lone, *args: Any) -> Any:
        slot = lone.transactions.begin(Level.READ_COMMITTED)
        assert isinstance(slot, int)
        return go_on(_InSlot(lone, slot), *args)

    again = _steps(function)[1]
    attempt.__name__ = go_on.__name__ = function.__name__
    return (
        Statement(attempt, Kind.STATEMENT, None, None),
        Statement(go_on, Kind.STATEMENT, again.enabled, again.wakes_on),
    )

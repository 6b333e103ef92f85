"""Mutants: the code under test with one of its statements replaced by a weaker one.

A coordinator knows its database by a protocol. A stand-in for that database passes
everything on, except one statement, in whose place another atomic step acts on the same
arguments. So a guard, a re-check or a claim can be dropped from any class, without its
source. Which statement is weaker, and what that means, is the domain's business.

Used to ask whether a search is able to find faults at all.

Source: DeMillo, Lipton, Sayward, "Hints on Test Data Selection: Help for the Practicing
Programmer", IEEE Computer 1978, for mutants as a measure of a test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation, Statement

EVERY_COORDINATOR = ""


def _always(*args: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One statement made weaker.

    Attributes:
        name: what is dropped, in a few words.
        statement: name of the statement that is replaced.
        weaker: what happens instead, on the owner and the arguments of the statement.
        replaces: whether a call with these arguments is replaced.
        harmless: why a built-in coordinator does not need what is dropped, by name;
            `EVERY_COORDINATOR`: none can.
    """

    name: str
    statement: str
    weaker: Callable[..., Any]
    replaces: Callable[..., bool] = _always
    harmless: Mapping[str, str] = field(default_factory=dict)

    def excuse(self, coordinator: str) -> str:
        """Return why a coordinator can do without; empty: not known."""
        return self.harmless.get(coordinator, self.harmless.get(EVERY_COORDINATOR, ""))

    def was_performed(self, kernel: Kernel) -> bool:
        """Return whether the weaker statement has acted in any execution."""
        return any(one.function is self.weaker for one in kernel.performed)


class _StandIn:
    """A database that passes everything on but one statement."""

    def __init__(self, database: Any, mutant: Mutant) -> None:
        self._database = database
        self._mutant = mutant
        setattr(self, mutant.statement, self._perform)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def _perform(self, *args: Any, **keywords: Any) -> Operation[Any]:
        mutant = self._mutant
        make = getattr(self._database, mutant.statement)
        operation: Operation[Any] = make(*args, **keywords)
        if not mutant.replaces(*operation.args):
            return operation
        weaker = _weaker_statement(mutant.weaker, operation.statement)
        return Operation(weaker, operation.owner, operation.args)


@cache
def _weaker_statement(weaker: Callable[..., Any], full: Statement) -> Statement:
    """Return the one statement that replaces another: steps are compared by it."""
    return Statement(weaker, full.kind, full.enabled, full.wakes_on)


def weakened(coordinator_type: type[Any], mutant: Mutant) -> type[Any]:
    """Return a coordinator class that differs by one weaker statement.

    Args:
        coordinator_type: a class that is made with the database alone.
        mutant: what is dropped.
    """

    def initialise(self: Any, db: Any) -> None:
        coordinator_type.__init__(self, _StandIn(db, mutant))

    return type(
        coordinator_type.__name__,
        (coordinator_type,),
        {"__init__": initialise, "__module__": coordinator_type.__module__},
    )

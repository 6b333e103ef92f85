"""Statements and operations: how a coroutine says what its next step is.

A *statement* is a plain function on shared state that the kernel runs as one atomic
step. Calling its awaitable form makes an *operation*: the statement with its arguments.
Awaiting the operation hands it to the kernel, which decides when it runs; the result
comes back from the await. Nothing else may be awaited inside a task. A statement that
would have to wait in the middle of its step raises `Postponed`.

    class Store:
        @statement
        def claim(self, key: str) -> bool: ...

        @statement(enabled=lambda self: len(self.q) > 0, wakes_on=lambda self: self.q)
        def take(self) -> str: ...

    if await store.claim("a"): ...
"""

from _thread import get_ident
from collections.abc import Callable, Coroutine, Generator
from enum import Enum
from functools import update_wrapper
from inspect import signature
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    TypeVar,
    overload,
)

if TYPE_CHECKING:
    from wavecheck.sim.parts import Part

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")


class Kind(Enum):
    """What an operation is counted as.

    A statement or a message takes its latency before it acts; a sleep takes its own
    time; something external happens at its moment.
    """

    STATEMENT = "statement"
    MESSAGE = "message"
    SLEEP = "sleep"
    EXTERNAL = "external"


class Statement:
    """The static description of one kind of step.

    Attributes:
        name: as shown in traces.
        function: runs atomically; first argument is the object it belongs to.
        kind: what it is counted as.
        enabled: whether the step could be taken now; None means always. It may only
            read shared state.
        wakes_on: the part whose changes can alter `enabled`.
        cost: what it adds to a task's count of statements.
        is_plain: nothing guards it, and it takes its latency: the common case.
        before: makes the step that must come before it, if any.
        is_general: a part offers it, whether or not a world has a use for it.
        acts_outside: on what no part can take back, such as a server; so it is never
            performed just to see what it would answer.
    """

    __slots__ = (
        "acts_outside",
        "before",
        "cost",
        "enabled",
        "function",
        "is_general",
        "is_plain",
        "kind",
        "name",
        "wakes_on",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        kind: Kind,
        enabled: Callable[..., bool] | None,
        wakes_on: Callable[..., "Part"] | None,
    ) -> None:
        assert (enabled is None) == (wakes_on is None), "a guard needs its part"
        self.name = function.__name__
        self.function = function
        self.kind = kind
        self.enabled = enabled
        self.wakes_on = wakes_on
        self.cost = 1 if kind is Kind.STATEMENT else 0
        self.is_general = False
        self.acts_outside = False
        self.before: Callable[[], Operation[None]] | None = None
        self.is_plain = enabled is None and kind in (Kind.STATEMENT, Kind.MESSAGE)


class Postponed(Exception):
    """Raised by a statement that cannot act yet: something else is awaited instead.

    Attributes:
        instead: makes of the operation what is awaited in its place.
    """

    def __init__(
        self, why: str, instead: "Callable[[Operation[Any]], Coroutine[Any, Any, Any]]"
    ) -> None:
        super().__init__(why)
        self.instead = instead


class Operation(Generic[T]):
    """One statement with its arguments, waiting to become a step."""

    __slots__ = ("args", "owner", "statement")

    def __init__(
        self, statement: Statement, owner: object, args: tuple[Any, ...]
    ) -> None:
        self.statement = statement
        self.owner = owner
        self.args = args

    def __await__(self) -> Generator["Operation[Any]", Any, T]:
        if self.statement.before is not None:
            yield self.statement.before()
        try:
            return (yield self)  # type: ignore[no-any-return]  # the driver's answer
        except Postponed as postponed:
            instead = postponed.instead
        return (yield from instead(self).__await__())  # type: ignore[no-any-return]  # as above


class Making:
    """Who is told of each operation that is made.

    Attributes:
        listeners: by thread; empty: nobody.
        awaited: by thread, operations that a flow of a process awaits, while there is a
            listener.
    """

    __slots__ = ("awaited", "listeners")

    def __init__(self) -> None:
        self.awaited: dict[int, list[Operation[Any]]] = {}
        self.listeners: dict[int, Callable[[Operation[Any]], None]] = {}


making = Making()


@overload
def statement(
    function: Callable[Concatenate[S, P], T],
) -> Callable[Concatenate[S, P], Operation[T]]: ...
@overload
def statement(
    *,
    kind: Kind = ...,
    enabled: Callable[..., bool] | None = ...,
    wakes_on: Callable[..., "Part"] | None = ...,
) -> Callable[
    [Callable[Concatenate[S, P], T]], Callable[Concatenate[S, P], Operation[T]]
]: ...
def statement(
    function: Callable[..., Any] | None = None,
    *,
    kind: Kind = Kind.STATEMENT,
    enabled: Callable[..., bool] | None = None,
    wakes_on: Callable[..., "Part"] | None = None,
) -> Any:
    """Turn a method that acts on shared state into one that makes an operation.

    Args:
        function: the method; it runs atomically when the kernel takes the step.
        kind: what the step is counted as.
        enabled: called with the method's arguments; a task waits until it is true.
        wakes_on: called with the method's arguments; returns the part that `enabled`
            reads.
    """

    def decorate(method: Callable[..., Any]) -> Callable[..., Operation[Any]]:
        described = Statement(method, kind, enabled, wakes_on)
        parameters = signature(method)
        listeners = making.listeners

        def make(owner: object, *args: Any, **keywords: Any) -> Operation[Any]:
            if keywords:  # the atomic function takes its arguments by position
                args = parameters.bind(owner, *args, **keywords).args[1:]
            operation: Operation[Any] = Operation(described, owner, args)
            if listeners:
                listener = listeners.get(get_ident())
                if listener is not None:
                    listener(operation)
            return operation

        make.statement = described  # type: ignore[attr-defined]  # no field of a function
        return update_wrapper(make, method)

    return decorate if function is None else decorate(function)


def statements_of(owner: object) -> dict[str, Statement]:
    """Return the statements that an object offers, by name, in alphabetical order."""
    found = {}
    for name in dir(type(owner)):
        described = getattr(getattr(type(owner), name), "statement", None)
        if isinstance(described, Statement):
            found[name] = described
    return found

"""A coordinator written with ordinary blocking calls, as one that awaits.

For synchronous code (Django, plain DB-API): its methods run in a greenlet of their own,
and each call of the database leaves it with what is to be awaited. So the code stays as
it is, and each of its statements is a step that a simulator can put in any order.

Knows greenlets and awaitables; no simulator and no database.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet


def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Return what an awaitable gives, from inside of blocking code.

    Raises:
        RuntimeError: this is not called from code that `run_blocking` runs.
    """
    parent = getcurrent().parent
    if parent is None or not isinstance(getcurrent(), _Blocking):
        raise RuntimeError("a blocking call outside of run_blocking")
    return parent.switch(awaitable)


async def run_blocking(
    function: Callable[..., Any], *args: Any, owner: object = None
) -> Any:
    """Run blocking code up to its end, awaiting in its place.

    Args:
        function: the code; what it calls may `wait_for` awaitables.
        args: its arguments.
        owner: on whose behalf.

    Returns:
        What the function returns.
    """
    running = _Blocking(function)
    running.owner = owner
    handed = running.switch(*args)
    while not running.dead:
        try:
            result = await handed
        except Exception as error:
            handed = running.throw(error)
        except BaseException:
            # The task is over: so is the code, which may not go on to another call.
            running.throw(GreenletExit)
            raise
        else:
            handed = running.switch(result)
    return handed


class _Blocking(greenlet):
    """A greenlet whose parent awaits for it.

    Attributes:
        owner: on whose behalf it runs.
    """

    owner: object


class BlockingDatabase:
    """A database whose methods return their results instead of awaitables.

    Args:
        db: offers the statements as awaitables.
    """

    def __init__(self, db: Any) -> None:
        self._db = db

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(_call, getattr(self._db, name))


def _call(statement: Callable[..., Awaitable[Any]], *args: Any, **keywords: Any) -> Any:
    return wait_for(statement(*args, **keywords))


def awaiting(
    blocking: type[Any],
    methods: Sequence[str],
    connect: Callable[[Any], Any] = BlockingDatabase,
) -> type[Any]:
    """Return a coordinator class whose methods await, made from a blocking one.

    A method that the blocking code calls on itself goes through the class returned
    here, so whoever wraps that sees each call.

    Args:
        blocking: the class; it is made with what `connect` returns.
        methods: names of its methods that become coroutine methods.
        connect: makes of the database what the blocking class is made with.
    """

    class Awaiting:
        blocking: Any

        def __init__(self, db: Any) -> None:
            self.blocking = inner(connect(db))

    def forward(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **keywords: Any) -> Any:
            owner = getattr(getcurrent(), "owner", None)
            return wait_for(getattr(owner, name)(*args, **keywords))

        return method

    def run(name: str) -> Callable[..., Any]:
        async def method(self: Any, *args: Any) -> Any:
            function = getattr(blocking, name)
            return await run_blocking(function, self.blocking, *args, owner=self)

        return method

    inner: Any = type(blocking.__name__, (blocking,), {m: forward(m) for m in methods})
    inner.__module__ = blocking.__module__
    for name in methods:
        setattr(Awaiting, name, run(name))
    for policy in ("listener_policy", "worker_policy"):
        if hasattr(blocking, policy):
            setattr(Awaiting, policy, getattr(blocking, policy))
    Awaiting.blocking = blocking
    for detail in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Awaiting, detail, getattr(blocking, detail))
    return Awaiting

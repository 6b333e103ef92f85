"""A coordinator written with ordinary blocking calls, as one that awaits."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from wavecheck.sim.blocking import (
    current_blocking,
    is_unwinding,
    run_blocking,
    wait_for,
)


class BlockingDatabase:
    """A database whose methods return their results instead of awaitables.

    Args:
        db: offers the statements as awaitables.
    """

    def __init__(self, db: Any) -> None:
        self._db = db

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(_call, getattr(self._db, name))

    @contextmanager
    def transaction(self, *args: Any) -> Iterator["BlockingDatabase"]:
        """Begin a transaction, committed at the end of its block or rolled back."""
        block = self._db.transaction(*args)
        statements = wait_for(block.__aenter__())
        try:
            yield BlockingDatabase(statements)
        except BaseException as error:
            if not is_unwinding():
                wait_for(block.__aexit__(type(error), error, error.__traceback__))
            raise
        wait_for(block.__aexit__(None, None, None))


def _call(statement: Callable[..., Awaitable[Any]], *args: Any, **keywords: Any) -> Any:
    return wait_for(statement(*args, **keywords))


def awaiting(
    blocking: type[Any],
    methods: Sequence[str],
) -> type[Any]:
    """Return a coordinator class whose methods await, made from a blocking one.

    A method that the blocking code calls on itself goes through the class returned
    here, so whoever wraps that sees each call.

    Args:
        blocking: the class; it is made with what `connect` returns.
        methods: names of its methods that become coroutine methods.
    """

    class Awaiting:
        blocking: Any

        def __init__(self, db: Any) -> None:
            self.blocking = inner(BlockingDatabase(db))

    def forward(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **keywords: Any) -> Any:
            owner = getattr(current_blocking(), "owner", None)
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

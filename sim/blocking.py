"""Blocking code as a coroutine: it runs in a greenlet and leaves it to wait.

For synchronous code (plain DB-API, SQLAlchemy, Django): each call that would block
leaves the greenlet with what is to be awaited, so the code stays as it is and each of
its statements is a step that the kernel can put in any order.

Knows greenlets and awaitables only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from wavecheck.sim.blame import calling_at
from wavecheck.sim.errors import WavecheckError


def _with_line(error: WavecheckError, running: "Blocking") -> WavecheckError:
    """Return an error that says which line of the blocking code it came of."""
    said = str(error)
    if "\n  at " not in said and running.gr_frame is not None:
        fact, _, rest = said.partition("\n")
        place = calling_at(running.gr_frame)
        error.args = (f"{fact}\n  at        {place}" + (f"\n{rest}" if rest else ""),)
    return error


class Blocking(greenlet):
    """A greenlet whose parent awaits for it.

    Attributes:
        owner: on whose behalf it runs.
        is_over: its task has ended; it may only unwind.
    """

    owner: object = None
    is_over = False


def current_blocking() -> Blocking | None:
    """Return the blocking code that is running now, or None."""
    running = getcurrent()
    return running if isinstance(running, Blocking) else None


def is_unwinding() -> bool:
    """Return whether the running code belongs to a task that has ended.

    What it does in a `finally` its process would not have done.
    """
    running = current_blocking()
    return running is not None and running.is_over


def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Return what an awaitable gives, from inside of blocking code.

    Raises:
        RuntimeError: this is not called from code that `run_blocking` runs.
    """
    running = current_blocking()
    if running is None or running.parent is None:
        raise RuntimeError("a blocking call outside of run_blocking")
    if running.is_over:
        if isinstance(awaitable, Coroutine):
            awaitable.close()
        raise GreenletExit
    return running.parent.switch(awaitable)


async def run_blocking(
    function: Callable[..., Any], *args: Any, owner: object = None
) -> Any:
    """Run blocking code up to its end, awaiting in its place.

    An error of Wavecheck's own ends the code at once: it is not thrown into it, where
    an `except Exception` could swallow it.

    Args:
        function: the code; what it calls may `wait_for` awaitables.
        args: its arguments.
        owner: on whose behalf.

    Returns:
        What the function returns.
    """
    running = Blocking(function)
    running.owner = owner
    handed = _enter(running.switch, *args)
    try:
        while not running.dead:
            try:
                result = await handed
            except WavecheckError as error:
                raise _with_line(error, running) from error.__cause__
            except Exception as error:
                handed = _enter(running.throw, type(error), error, error.__traceback__)
            else:
                handed = _enter(running.switch, result)
    finally:
        if not running.dead:
            running.is_over = True
            with suppress(Exception):  # of a `finally` that a dead process never runs
                _enter(running.throw, GreenletExit)
    return handed


def _enter(switch: Callable[..., Any], *args: Any) -> Any:
    """Go on with blocking code, which is in no event loop (Django asks)."""
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return switch(*args)
    finally:
        asyncio._set_running_loop(loop)

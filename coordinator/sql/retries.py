"""Trying again what another process was in the way of.

A statement of the store that raises `StatementFailed` has changed nothing, and so has a
transaction that it ended; both may simply be tried again. What is tried again must not
have done anything else in between.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from wavecheck.coordinator.protocol import StatementFailed

Result = TypeVar("Result")


async def retrying(
    work: Callable[[], Awaitable[Result]],
    *,
    pause: Callable[[int], Awaitable[None]],
    attempts_max: int = 10,
) -> Result:
    """Do work that may fail because of other processes, until it succeeds.

        await retrying(lambda: book(db, order), pause=lambda n: asyncio.sleep(0.01 * n))

    Args:
        work: makes the awaitable of one attempt; usually one transaction.
        pause: called with the number of failed attempts; returns when it is time.
        attempts_max: how often to try.

    Raises:
        StatementFailed: the last attempt failed as well.
    """
    for attempt in range(1, attempts_max):
        try:
            return await work()
        except StatementFailed:
            await pause(attempt)
    return await work()

"""A task of code under test: what it is given, and what it leaves behind.

A function that blocks runs in a greenlet, a coroutine function as it is. What must be
new in each execution, such as a connection, is made when the task starts; sessions that
are open when it ends are closed, as those of a process that ends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import iscoroutine, iscoroutinefunction
from typing import Any, Final, Protocol

from wavecheck.sim.blocking import run_blocking
from wavecheck.sim.surroundings import RUNNING, task_locals

_SESSIONS: Final = "sessions"


class OpenSession(Protocol):
    """What a task may leave behind."""

    async def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        ...

    def cut_off(self) -> None:
        """End it here and now: the process has died. No step."""
        ...


@dataclass(frozen=True, slots=True)
class Fresh:
    """An argument that is made anew for each task of each execution.

    Attributes:
        make: makes it; called while the task runs.
    """

    make: Callable[[], Any]


def note_session(session: OpenSession) -> None:
    """Let a session be closed with the running task, if one is running."""
    if RUNNING.kernel is not None:
        task_locals().setdefault(_SESSIONS, []).append(session)


async def run_code(function: Callable[..., Any], args: Sequence[Any] = ()) -> Any:
    """Run a function of the code under test as a task.

    Args:
        function: blocks, or is a coroutine function.
        args: its arguments; a `Fresh` is made now.

    Returns:
        What the function returns.
    """
    held = task_locals()
    given = [one.make() if isinstance(one, Fresh) else one for one in args]
    try:
        if iscoroutinefunction(function):
            result = await function(*given)
        else:
            result = await run_blocking(function, *given)
            if iscoroutine(result):  # a lambda around a coroutine function
                result = await result
    except GeneratorExit:  # the process has died, or the execution is over
        for session in held.get(_SESSIONS, ()):
            session.cut_off()
        raise
    except Exception:
        await _close(held)
        raise
    await _close(held)
    return result


async def _close(held: dict[Any, Any]) -> None:
    for session in held.get(_SESSIONS, ()):
        await session.close()

"""Finds what the code under test makes and forgets to await: it would do nothing.

While an execution is listened to, every operation and coroutine that is made is noted
with the line that made it. One that nobody awaits and nothing refers to any more was
forgotten, whether it was thrown away at once or kept in a variable for a while; one
that is still referred to may be awaited later. What a task leaves behind that was
killed, or ended by an error, was not forgotten.

Listening costs a walk of the stack for each operation. It is on where an execution is
recorded or compared, and where a proof learns; elsewhere it costs one look-up.

Known gap: in other threads than the main one only forgotten operations are found, and
no coroutines, since Python's warnings belong to the whole process.
"""

import re
import sys
import threading  # noqa: TID251 - to see whether this is the main thread
import warnings
from _thread import get_ident
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from wavecheck.sim.blame import Place, call_text, calling_at, is_of_a_user
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.operation import Operation, making
from wavecheck.sim.task import Task

_REFERENCES: Final = 2
"""To an operation that nobody else holds: by our variable, and by the question."""

_COROUTINE: Final = re.compile(r"coroutine '(.+?)' was never awaited")
_ORIGIN: Final = re.compile(r'File "(.+)", line (\d+), in (\S+)')


class Forgotten:
    """Listens for what tasks make while it is entered.

    Args:
        tasks: all that there are, or will be.
        current: returns the one that runs.
    """

    def __init__(self, tasks: list[Task], current: Callable[[], Task | None]) -> None:
        self._tasks = tasks
        self._current = current
        self._made: list[tuple[Operation[Any], Task | None, Place | None]] = []
        # Warnings are noted for the whole process: two threads would undo each other's.
        self._is_main = threading.current_thread() is threading.main_thread()
        self._catching = warnings.catch_warnings(record=True)
        self._warned: list[warnings.WarningMessage] = []
        self._before: tuple[Any, int] = (None, 0)

    def __enter__(self) -> "Forgotten":
        """Begin to listen."""
        thread = get_ident()
        self._before = (
            making.listeners.get(thread),
            sys.get_coroutine_origin_tracking_depth(),
        )
        if self._is_main:
            self._warned = self._catching.__enter__()
            warnings.simplefilter("always", RuntimeWarning)
        sys.set_coroutine_origin_tracking_depth(1)
        making.listeners[thread] = self._note
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening."""
        listener, depth = self._before
        if listener is None:
            del making.listeners[get_ident()]
        else:
            making.listeners[get_ident()] = listener
        making.awaited.pop(get_ident(), None)
        sys.set_coroutine_origin_tracking_depth(depth)
        if self._is_main:
            self._catching.__exit__(kind, error, traceback)

    def _note(self, operation: Operation[Any]) -> None:
        if not is_of_a_user(sys._getframe(2).f_code.co_filename):
            return  # what wraps statements makes one operation of another
        self._made.append((operation, self._current(), calling_at()))

    def check(self) -> None:
        """See that nothing was forgotten so far; to be called after each step.

        Raises:
            CoordinatorError: it names the task, the statement and the line.
        """
        if self._made:
            awaited = making.awaited.pop(get_ident(), [])
            awaited.extend(task.operation for task in self._tasks if task.operation)
            made, self._made = self._made, []
            while made:
                operation, task, place = made.pop()
                if any(one is operation for one in awaited):
                    continue
                if sys.getrefcount(operation) > _REFERENCES:
                    self._made.append((operation, task, place))
                elif task is None or not task.was_cut:
                    what = call_text(operation.statement, operation.args)
                    raise _forgotten(task, what, place)
        for warning in self._warned:
            text = str(warning.message)
            name, origin = _COROUTINE.match(text), _ORIGIN.search(text)
            task = self._current()
            if name and origin and not (task is not None and task.was_cut):
                place = Place(origin[1], int(origin[2]), origin[3])
                raise _forgotten(task, f"{name[1]}(...)", place)
        self._warned.clear()


def _forgotten(task: Task | None, what: str, place: Place | None) -> CoordinatorError:
    who = "a task" if task is None else f"task {task.name}"
    return CoordinatorError(
        f"{who} makes {what} and never awaits it, so nothing happens\n"
        f"  at        {place}\n"
        f"  expected  await ...{what}"
    )

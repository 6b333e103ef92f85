"""One connection belongs to one task: two that use it at once are refused."""

from typing import Any

from wavecheck.sim.surroundings import RUNNING, refuse_here, running_task


class Ownership:
    """The lock of a connection, which nobody may have to wait for.

    A real driver lets a second thread wait, or fails; two tasks of a world are two
    processes, or two threads that should not share a transaction.

    Args:
        what: it is, for the message.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._task = ""
        self._depth = 0

    def release(self) -> None:
        """Let another task have it: it goes back to a pool."""
        self._task = ""

    def __enter__(self) -> None:
        kernel = RUNNING.kernel
        if kernel is not None:
            name = running_task(kernel).name
            if self._task not in ("", name):
                refuse_here(
                    f"tasks {self._task} and {name} use one {self._what}",
                    "give each task a connection of its own",
                )
            self._task = name
        self._depth += 1

    def __exit__(self, *details: object) -> None:
        self._depth -= 1

    async def __aenter__(self) -> None:
        if self._depth:
            refuse_here(
                f"two coroutines of {self._task} use one {self._what} at once",
                "give each of them a connection of its own, for example from a pool",
            )
        self.__enter__()

    async def __aexit__(self, *details: Any) -> None:
        self.__exit__(*details)

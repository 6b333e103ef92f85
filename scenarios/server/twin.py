"""What performs a model's steps on a real database: one connection for each task.

Knows connections, who waits for whom, and how transactions begin and end; a subclass
knows its tables and how their statements are sent.
"""

from typing import Any, Final

from wavecheck.coordinator import Isolation
from wavecheck.scenarios.server.sessions import LockstepSession, open_session
from wavecheck.scenarios.server.watching import circle_of
from wavecheck.scenarios.server.workspace import Workspace
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation

ENDS: Final = ("begin", "commit", "roll_back")


class SessionTwin:
    """The connections of a model's tasks in a workspace.

    Args:
        kernel: of the model.
        place: where they work.
        connects_each: a connection for each task, or one for all of them.
        stale_after: ticks, as of the store.
        lease: ticks, as of the store.

    Attributes:
        sessions: the connections by name of their task.
    """

    def __init__(
        self,
        kernel: Kernel,
        place: Workspace,
        *,
        connects_each: bool = True,
        stale_after: int = 0,
        lease: int = 0,
    ) -> None:
        self._kernel = kernel
        self._place = place
        self._connects_each = connects_each
        self._now = 0
        self.sessions: dict[str, LockstepSession] = {}
        self._victims: dict[str, None] = {}
        self._stale_after = stale_after
        self._lease = lease

    async def connect(self, task: str) -> LockstepSession:
        """Return the connection of a task; a new one at its first call."""
        key = task if self._connects_each else ""
        session = self.sessions.get(key)
        if session is None:
            session = self.sessions[key] = await open_session(
                self._place.engine,
                clock=lambda: self._now,
                stale_after=self._stale_after,
                lease=self._lease,
            )
        return session

    async def disconnect(self, task: str) -> None:
        """End the connection of a task, as its death does."""
        session = self.sessions.pop(task, None)
        if session is not None:
            await session.close()

    async def close(self) -> None:
        """End every connection."""
        for task in list(self.sessions):
            await self.disconnect(task)

    async def blockers(self, task: str) -> tuple[str, ...]:
        """Return for which tasks a task's statement is waiting."""
        session = self.sessions.get(task if self._connects_each else "")
        place = self._place.place
        if session is None or place is None:  # still connecting; SQLite never waits
            return ()
        names = {one.backend: name for name, one in self.sessions.items()}
        found = place.who_waits([session.backend])[session.backend]
        return tuple(names.get(one, f"connection {one}") for one in found)

    async def give_way(self, task: str) -> None:
        """End a statement that waits in a circle: the model has made it the victim."""
        place = self._place.place
        assert place is not None
        backend = self.sessions[task].backend
        waits = place.who_waits([one.backend for one in self.sessions.values()])
        if circle_of(waits, backend):
            place.cancel(backend)
            self._victims[task] = None

    async def _end(
        self,
        session: LockstepSession,
        name: str,
        operation: Operation[Any],
        result: Any,
    ) -> Any:
        """Begin or end a transaction on a connection."""
        if self._place.engine.dialect.name == "sqlite":
            raise InvalidScenario(
                "this execution has transactions that follow PostgreSQL's rules\n"
                "next: --db postgresql://USER@HOST/DATABASE"
            )
        if name == "begin":
            await session.begin(Isolation(str(operation.args[0])))
            return result  # the slot is the model's own number
        await (session.commit() if name == "commit" else session.roll_back())
        return None

    async def _bury(self) -> None:
        """End the connections of tasks that a fault has killed."""
        for task in self._kernel.tasks:
            if task.is_finished:
                await self.disconnect(task.name)

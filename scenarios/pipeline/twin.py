"""The pipeline's tables on a real database, one connection for each task.

A statement of the protocol is performed by `SQLStore`, the class that runs in
production. What comes from outside (a recorded creation, a fault) is no statement of
anybody: there the model's changes are written down as they are.

Units: ticks. In an untimed model, where a clock reading is a choice, the database's
clock shows for each statement what makes it choose the same.
"""

from typing import Any, Final

from wavecheck.coordinator import (
    Batch,
    Deadlock,
    Delivery,
    Isolation,
    Job,
    SerializationFailure,
    StatementFailed,
    Wave,
)
from wavecheck.coordinator.sql import add_rows
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.scenarios.server import recording as put
from wavecheck.scenarios.server.sessions import LockstepSession, open_session
from wavecheck.scenarios.server.watching import circle_of
from wavecheck.scenarios.server.workspace import Workspace
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.operation import Kind, Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.transactions import Failed, Failure

_NOTES: Final = ("sends", "covered", "in_flight")
"""Parts in which the model takes notes; the database has no such tables."""
_ENDS: Final = ("begin", "commit", "roll_back")
_MOMENTS: Final = ("created_at", "dispatched_at", "completed_at", "lease_until")


class PipelineTwin:
    """A pipeline world's tables in a workspace.

    Args:
        world: whose statements are performed.
        place: empty tables.
        connects_each: a connection for each task, or one for all of them.
        epoch: ticks that the world's time zero has in the database.

    Attributes:
        sessions: the connections by name of their task.
    """

    def __init__(
        self,
        world: PipelineWorld,
        place: Workspace,
        *,
        connects_each: bool = True,
        epoch: int = 0,
    ) -> None:
        self._world = world
        self._place = place
        self._connects_each = connects_each
        self._epoch = epoch
        self._now = epoch
        self.sessions: dict[str, LockstepSession] = {}
        self._victims: dict[str, None] = {}
        store, settings = world.store, world.settings
        self._stale_after = round(settings.stale_after_seconds * 1_000_000)
        self._lease = round(settings.lease_seconds * 1_000_000)
        self._rows = (list(store.jobs), list(store.waves), list(store.batches))

    async def open(self) -> None:
        """Put the rows in that the world starts with."""
        jobs, waves, batches = self._rows
        await add_rows(
            self._place.control,
            jobs,
            [_shifted(wave, self._epoch) for wave in waves],
            [_shifted(batch, self._epoch) for batch in batches],
        )

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

    async def perform(
        self,
        task: str,
        operation: Operation[Any],
        result: Any,
        changes: list[Change],
        time: int,
    ) -> Any:
        """Perform one statement on the connection of a task; return its result."""
        kind, name = operation.statement.kind, operation.statement.name
        self._now = self._epoch + time
        session = await self.connect(task)
        if kind is Kind.EXTERNAL:
            for part, key, before, after in changes:
                await self._write(session, part.name, key, before, after)
            await self._bury()
            return result
        if not self._world.kernel.is_timed:
            self._now += clock_offset(
                name, result, stale_after=self._stale_after, lease=self._lease
            )
        try:
            if name in _ENDS:
                return await self._end(session, name, operation, result)
            answer = await getattr(session.store, name)(*operation.args)
        except StatementFailed as failed:
            if task in self._victims:
                del self._victims[task]
                return Failed(Failure.DEADLOCK)
            return Failed(_failure_of(failed))
        return _shifted(answer, -self._epoch)

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
        for task in self._world.kernel.tasks:
            if task.is_finished:
                await self.disconnect(task.name)

    async def _write(
        self, session: LockstepSession, part: str, key: Any, before: Any, after: Any
    ) -> None:
        connection = session.connection
        if part in _NOTES:
            return
        kind, _, job_id = part.partition(" ")
        if kind == "parent_ids":
            change = put.put_parent if before is None else put.lose_parent
            await change(connection, job_id, key)
        elif kind == "creation_finished":
            await put.put_flag(connection, job_id, is_set=after)
        elif part == "queue" and before is None:
            await put.return_message(connection, *key)
        elif part == "queue":
            await put.lose_message(connection, key[0], key[1], self._now)
        else:
            await put.put_row(connection, _shifted(after, self._epoch))


def clock_offset(statement: str, result: Any, *, stale_after: int, lease: int) -> int:
    """Return how late the clock must show for a statement to choose as the model did.

    Args:
        statement: its name.
        result: what it answered in an untimed model.
        stale_after: ticks, as of the store.
        lease: ticks, as of the store.
    """
    if statement == "is_stale" and result:
        return stale_after + 1
    return lease + 1 if statement == "expire_leases" else 0


def _failure_of(error: StatementFailed) -> Failure:
    if isinstance(error, Deadlock):
        return Failure.DEADLOCK
    if isinstance(error, SerializationFailure):
        return Failure.SERIALIZATION
    return Failure.ABORTED


def _shifted(value: Any, by: int) -> Any:
    """Return rows with their moments moved by some ticks; anything else as it is."""
    if not by:
        return value
    if isinstance(value, Wave):
        return value._replace(updated_at=value.updated_at + by)
    if isinstance(value, Delivery):
        return value._replace(batch=_shifted(value.batch, by))
    if isinstance(value, Job | Batch):
        moments = {
            name: moment + by
            for name, moment in value._asdict().items()
            if moment is not None and name in _MOMENTS
        }
        return value._replace(**moments)
    if type(value) is tuple:
        return tuple(_shifted(one, by) for one in value)
    return value

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
    Job,
    SerializationFailure,
    StatementFailed,
    Wave,
)
from wavecheck.coordinator.sql import add_rows
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.scenarios.server import recording as put
from wavecheck.scenarios.server.sessions import LockstepSession
from wavecheck.scenarios.server.twin import ENDS, SessionTwin
from wavecheck.scenarios.server.workspace import Workspace
from wavecheck.sim.operation import Kind, Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.transactions import Failed, Failure

_NOTES: Final = ("sends", "covered", "in_flight")
"""Parts in which the model takes notes; the database has no such tables."""
_MOMENTS: Final = ("created_at", "dispatched_at", "completed_at", "lease_until")


class PipelineTwin(SessionTwin):
    """A pipeline world's tables in a workspace.

    Args:
        world: whose statements are performed.
        place: empty tables.
        connects_each: a connection for each task, or one for all of them.
        epoch: ticks that the world's time zero has in the database.
    """

    def __init__(
        self,
        world: PipelineWorld,
        place: Workspace,
        *,
        connects_each: bool = True,
        epoch: int = 0,
    ) -> None:
        store, settings = world.store, world.settings
        super().__init__(
            world.kernel,
            place,
            connects_each=connects_each,
            stale_after=round(settings.stale_after_seconds * 1_000_000),
            lease=round(settings.lease_seconds * 1_000_000),
        )
        self._world = world
        self._epoch = self._now = epoch
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
            if name in ENDS:
                return await self._end(session, name, operation, result)
            answer = await getattr(session.store, name)(*operation.args)
        except StatementFailed as failed:
            if task in self._victims:
                del self._victims[task]
                return Failed(Failure.DEADLOCK)
            return Failed(_failure_of(failed))
        return _shifted(answer, -self._epoch)

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

"""When derived batches are created: as parents finish, or all with the last parent.

A listener runs in the worker that finished a parent batch, so several run at once. It
knows the statements of `ListenerDatabase` and nothing of the dispatch rule.
"""

from typing import Final, Protocol

from wavecheck.coordinator.protocol import ImportPlan, ListenerDatabase
from wavecheck.coordinator.states import BatchState


class Listener(Protocol):
    """What runs after each finished parent batch, before the coordinator is called."""

    def __init__(self, db: ListenerDatabase, plan: ImportPlan) -> None: ...

    async def parent_completed(self, parent_ids: tuple[str, ...]) -> None:
        """Take note of the finished parents and create batches if it is time."""
        ...

    async def catch_up(self) -> None:
        """Do what an earlier listener may have left undone; called now and then."""
        ...


class ProgressiveListener:
    """Creates derived batches from the ids accumulated so far, past a threshold.

    Source: published report, "Progressive Creation Pattern". The ids that do not fill
    a batch wait for the next parent, or for the last one. The wave is sealed by the
    listener whose insert made its batches cover every parent; only then is the flag
    set that spares later listeners the work.
    """

    def __init__(self, db: ListenerDatabase, plan: ImportPlan) -> None:
        self.db = db
        self.plan = plan

    async def parent_completed(self, parent_ids: tuple[str, ...]) -> None:
        """Accumulate the ids; create the batches that are due; seal when all are."""
        db, plan = self.db, self.plan
        await db.accumulate_parents(plan.job_id, parent_ids)
        completed = await db.count_batches(
            plan.job_id, plan.parent_wave, BatchState.COMPLETED
        )
        if completed < plan.threshold * plan.parent_batches:
            return
        if await db.is_creation_finished(plan.job_id):
            return
        is_last = completed == plan.parent_batches
        has_inserted = False
        while (
            is_last or await db.count_accumulated(plan.job_id) >= plan.parents_per_batch
        ):
            taken = await db.take_parents(plan.job_id, plan.parents_per_batch)
            if not taken:
                break
            await db.insert_derived_batch(plan.job_id, plan.derived_wave, taken)
            has_inserted = True
        # Not only the last one seals: its count may be old, and the insert that covers
        # the last parent may be that of a listener which saw an earlier count.
        if has_inserted and await db.seal_wave(plan.job_id, plan.derived_wave):
            await db.set_creation_finished(plan.job_id)

    async def catch_up(self) -> None:
        """Do nothing: what the cache has lost is lost."""


class UpfrontListener:
    """Holds every id until the last parent batch completes, then creates all batches.

    Source: published report, "Alternative Approach: Batch All Upfront".
    """

    def __init__(self, db: ListenerDatabase, plan: ImportPlan) -> None:
        self.db = db
        self.plan = plan

    async def parent_completed(self, parent_ids: tuple[str, ...]) -> None:
        """Accumulate the ids; with the last parent, create every batch and seal."""
        db, plan = self.db, self.plan
        await db.accumulate_parents(plan.job_id, parent_ids)
        completed = await db.count_batches(
            plan.job_id, plan.parent_wave, BatchState.COMPLETED
        )
        if completed < plan.parent_batches:
            return
        has_inserted = False
        while taken := await db.take_parents(plan.job_id, plan.parents_per_batch):
            await db.insert_derived_batch(plan.job_id, plan.derived_wave, taken)
            has_inserted = True
        if has_inserted and await db.seal_wave(plan.job_id, plan.derived_wave):
            await db.set_creation_finished(plan.job_id)

    async def catch_up(self) -> None:
        """Do nothing: what the cache has lost is lost."""


class DurableListener:
    """Derives what is due from the tables, so that nothing depends on a cache.

    One statement finds completed parents that are in no derived batch and inserts the
    batch, so a listener that dies, or runs twice, leaves nothing out and nothing twice.
    """

    def __init__(self, db: ListenerDatabase, plan: ImportPlan) -> None:
        self.db = db
        self.plan = plan

    async def parent_completed(self, parent_ids: tuple[str, ...]) -> None:
        """Create the batches that are due, whoever finished their parents."""
        await self.catch_up()

    async def catch_up(self) -> None:
        """Create the batches that are due; seal the wave once it covers all parents."""
        db, plan = self.db, self.plan
        completed = await db.count_batches(
            plan.job_id, plan.parent_wave, BatchState.COMPLETED
        )
        if completed < plan.threshold * plan.parent_batches:
            return
        while await db.create_uncovered_batch(
            plan.job_id, plan.parent_wave, plan.derived_wave, plan.parents_per_batch
        ):
            pass
        await db.seal_wave(plan.job_id, plan.derived_wave)


LISTENERS: Final[dict[str, type[Listener]]] = {
    "progressive": ProgressiveListener,
    "upfront": UpfrontListener,
    "durable": DurableListener,
}
"""The listener policies that a coordinator class may name as `listener_policy`."""

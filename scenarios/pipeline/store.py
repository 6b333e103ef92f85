"""The pipeline's statements on the general parts: one method, one atomic statement.

Implements `Database`, `ListenerDatabase` and `WorkerDatabase` of the protocol. Knows
the parts and the rows; knows nothing of who calls it or in which order.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

from wavecheck.coordinator import (
    Batch,
    BatchState,
    Delivery,
    Isolation,
    Job,
    JobState,
    Transaction,
    Wave,
    WaveKind,
    WaveState,
)
from wavecheck.coordinator.states import ACTIVE_STATES
from wavecheck.scenarios.pipeline.dispatch_statements import DispatchStatements
from wavecheck.scenarios.pipeline.transaction import (
    PipelineTransaction,
    TransactionEnds,
    failure_error,
)
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, Operation, Postponed, statement
from wavecheck.sim.parts import Counter, Flag, Queue, Table
from wavecheck.sim.transactions import (
    Failed,
    Level,
    TableView,
    TransactionBlock,
    Transactions,
    perform_alone,
)


@dataclass(frozen=True, slots=True)
class ListenerCache:
    """What the listeners of one job share: accumulated ids and the flag."""

    parents: Queue[str]
    is_finished: Flag


Message = tuple[str, int]
"""Batch id and attempt; the attempt is 0 where the rule takes no leases."""


class InFlight(NamedTuple):
    """A message that a worker has taken and not yet confirmed."""

    worker: str
    batch_id: str
    attempt: int


class PipelineStore(DispatchStatements):
    """Jobs, waves, batches, the queue and the listeners' cache.

    Args:
        kernel: whose steps the statements are.
        stale_after: ticks without a change of status after which a wave is stale; in an
            untimed run staleness is a choice that goes both ways.
        lease: ticks for which a leased batch is left alone.

    Attributes:
        sends: how often each (batch, attempt) was put on the queue by a coordinator.
        in_flight: which worker has which message; None: nobody asks.
        covered: how many parent ids the derived batches of a wave hold.
    """

    jobs: Table[Job]
    waves: Table[Wave]
    batches: Table[Batch]

    def __init__(self, kernel: Kernel, *, stale_after: int, lease: int) -> None:
        super().__init__(kernel, stale_after=stale_after, lease=lease)
        self.jobs = Table(kernel, "jobs", Job, key=("job_id",))
        self.waves = Table(
            kernel,
            "waves",
            Wave,
            key=("job_id", "wave_number"),
            indexes=(("job_id",), ("job_id", "status")),
        )
        self.batches = Table(
            kernel,
            "wave_batches",
            Batch,
            key=("batch_id",),
            indexes=(
                ("job_id", "wave_number"),
                ("job_id", "wave_number", "status"),
            ),
        )
        self.queue: Queue[Message] = Queue(kernel, "queue")
        self.sends = Counter(kernel, "sends")
        self.covered = Counter(kernel, "covered")
        self.in_flight: Table[InFlight] | None = None
        self._caches: dict[str, ListenerCache] = {}
        self.transactions = Transactions(kernel, refused=self._postpone)
        for table in (self.jobs, self.waves, self.batches):
            self.transactions.add(table)
        self._ends = TransactionEnds(kernel, self.transactions, self._send)

    # Set-up and reading: not steps ------------------------------------------------

    def add_job(self, job_id: str, parents_total: int) -> None:
        """Add a job row and its listeners' cache."""
        self.jobs.insert(Job(job_id, JobState.PROCESSING, parents_total, None))
        self._caches[job_id] = ListenerCache(
            Queue(self._kernel, f"parent_ids {job_id}"),
            Flag(self._kernel, f"creation_finished {job_id}"),
        )

    def add_wave(
        self,
        job_id: str,
        wave_number: int,
        kind: WaveKind,
        record_type: str,
        batches: Sequence[tuple[str, tuple[str, ...]]],
    ) -> None:
        """Add a wave row and the (id, parent ids) batches that exist from the start."""
        self.waves.insert(
            Wave(
                job_id=job_id,
                wave_number=wave_number,
                kind=kind,
                record_type=record_type,
                status=WaveState.PENDING,
                is_sealed=kind is WaveKind.MAIN,
                updated_at=0,
            )
        )
        for batch_id, parent_ids in batches:
            self.insert_pending(batch_id, job_id, wave_number, parent_ids)

    def cache(self, job_id: str) -> ListenerCache:
        """Return the listeners' cache of a job."""
        return self._caches[job_id]

    def waves_of(self, job_id: str) -> Iterator[Wave]:
        """Yield the waves of a job, ascending."""
        return iter(self.waves.select(job_id=job_id))

    def insert_pending(
        self,
        batch_id: str,
        job_id: str,
        wave_number: int,
        parent_ids: tuple[str, ...],
    ) -> None:
        """Add a pending batch; statements that create batches call it."""
        self.batches.insert(
            Batch(
                batch_id=batch_id,
                job_id=job_id,
                wave_number=wave_number,
                status=BatchState.PENDING,
                parent_ids=parent_ids,
                created_at=self._now(),
                dispatched_at=None,
                completed_at=None,
            )
        )

    def expire(self, batch_id: str) -> None:
        """End the lease of a batch, whether or not somebody still works on it."""
        self.batches.update(batch_id, status=BatchState.PENDING, lease_until=None)

    def track_deliveries(self) -> None:
        """Note from here on which worker has which message."""
        self.in_flight = Table(self._kernel, "in_flight", InFlight, key=("worker",))

    # Transactions -------------------------------------------------------------------

    def transaction(
        self, isolation: Isolation = Isolation.READ_COMMITTED
    ) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction, committed at the end of its block or rolled back."""
        return TransactionBlock(self._ends, self._bind, Level(isolation.value))

    def _bind(self, slot: int) -> PipelineTransaction:
        return PipelineTransaction(self, self.transactions, slot)

    def _send(self, batch_id: str, attempt: int) -> None:
        self.sends.add((batch_id, attempt))
        self.queue.put((batch_id, attempt))

    def _postpone(self, holder: int) -> Exception:
        return Postponed(f"waits for transaction {holder}", self._alone)

    async def _alone(self, operation: Operation[Any]) -> Any:
        """Perform a statement that met an open transaction as a transaction."""
        function, args = operation.statement.function, operation.args
        result = await perform_alone(self, function, *args)
        if isinstance(result, Failed):
            raise failure_error(result)
        return result

    def in_slot(self, slot: int) -> "LoneStatement":
        """Return the same statements in one transaction."""
        return LoneStatement(self, slot)

    # Statements of the listener -----------------------------------------------------

    @statement
    def accumulate_parents(self, job_id: str, parent_ids: tuple[str, ...]) -> None:
        """Append ids of finished parents to the job's entry in the cache."""
        parents = self._caches[job_id].parents
        for parent_id in parent_ids:
            parents.put(parent_id)

    @statement
    def take_parents(self, job_id: str, limit: int) -> tuple[str, ...]:
        """Remove up to `limit` accumulated ids, oldest first, and return them."""
        parents = self._caches[job_id].parents
        return tuple(parents.take() for _ in range(min(limit, len(parents))))

    @statement
    def count_accumulated(self, job_id: str) -> int:
        """Read how many accumulated ids wait in the cache."""
        return len(self._caches[job_id].parents)

    @statement
    def is_creation_finished(self, job_id: str) -> bool:
        """Read the listener's flag."""
        return self._caches[job_id].is_finished.is_set()

    @statement
    def set_creation_finished(self, job_id: str) -> None:
        """Set the listener's flag."""
        self._caches[job_id].is_finished.set()

    @statement
    def insert_derived_batch(
        self, job_id: str, wave_number: int, parent_ids: tuple[str, ...]
    ) -> str:
        """Insert one pending batch made from these parents; return its id."""
        return self._insert_derived(job_id, wave_number, parent_ids)

    def _insert_derived(
        self, job_id: str, wave_number: int, parent_ids: tuple[str, ...]
    ) -> str:
        number = 1 + self.batches.count(job_id=job_id, wave_number=wave_number)
        batch_id = batch_name(job_id, wave_number, number)
        self.insert_pending(batch_id, job_id, wave_number, parent_ids)
        self.covered.add((job_id, wave_number), len(parent_ids))
        return batch_id

    @statement
    def create_uncovered_batch(
        self, job_id: str, parent_wave: int, wave_number: int, limit: int
    ) -> str | None:
        """Insert one batch from completed parents that are in no derived batch yet."""
        completed = self.batches.select(
            job_id=job_id, wave_number=parent_wave, status=BatchState.COMPLETED
        )
        covered = {
            parent_id
            for batch in self.batches.select(job_id=job_id, wave_number=wave_number)
            for parent_id in batch.parent_ids
        }
        uncovered = [
            parent_id
            for batch in completed
            for parent_id in batch.parent_ids
            if parent_id not in covered
        ]
        is_last = not self.unfinished_count(job_id, parent_wave)
        if not uncovered or (len(uncovered) < limit and not is_last):
            return None
        return self._insert_derived(job_id, wave_number, tuple(uncovered[:limit]))

    @statement
    def seal_wave(self, job_id: str, wave_number: int) -> bool:
        """Seal the wave if its batches cover every parent; say whether they do."""
        covered = self.covered.get((job_id, wave_number))
        if covered < self.jobs.get(job_id).parents_total:
            return False
        self.waves.update((job_id, wave_number), is_sealed=True)
        return True

    # What the record of an incident did -----------------------------------------------

    @statement(kind=Kind.EXTERNAL)
    def insert_recorded_batch(
        self, batch_id: str, job_id: str, wave_number: int, batches_total: int
    ) -> None:
        """Insert a batch at its recorded moment; the last one seals the wave."""
        self.insert_pending(batch_id, job_id, wave_number, ())
        created = self.batches.count(job_id=job_id, wave_number=wave_number)
        if created == batches_total:
            self.waves.update((job_id, wave_number), is_sealed=True)

    # Statements of the worker -------------------------------------------------------

    @statement(
        kind=Kind.MESSAGE,
        enabled=lambda self: len(self.queue) > 0,
        wakes_on=lambda self: self.queue,
    )
    def take_batch(self) -> Delivery:
        """Wait for the next message and read the batch that it names."""
        batch_id, attempt = self.queue.take()
        if self.in_flight is not None:
            # Asking for the next message confirms the one before.
            worker = self._kernel.current_task().name
            if worker in self.in_flight:
                self.in_flight.delete(worker)
            self.in_flight.insert(InFlight(worker, batch_id, attempt))
        return Delivery(self.batches.get(batch_id), attempt)

    @statement
    def start_leased(self, batch_id: str, attempt: int) -> bool:
        """Update a batch to PROCESSING if this attempt is the one DISPATCHED."""
        batch = self.batches.get(batch_id)
        if (batch.status, batch.attempt) != (BatchState.DISPATCHED, attempt):
            return False
        self.batches.update(
            batch_id,
            status=BatchState.PROCESSING,
            lease_until=self._now() + self._lease,
        )
        return True

    @statement
    def finish_leased(self, batch_id: str, attempt: int) -> bool:
        """Update a batch to COMPLETED if this attempt is the one PROCESSING."""
        batch = self.batches.get(batch_id)
        if (batch.status, batch.attempt) != (BatchState.PROCESSING, attempt):
            return False
        self.batches.update(
            batch_id,
            status=BatchState.COMPLETED,
            completed_at=self._now(),
            lease_until=None,
        )
        return True

    @statement
    def expire_leases(self, job_id: str) -> int:
        """Set active batches whose lease is over back to PENDING; return how many.

        In an untimed run this is asked only once nothing else happens any more: then
        nobody works on an active batch, and its lease will be over in time.
        """
        expired = [
            batch.batch_id
            for wave in self.waves.select(job_id=job_id)
            for status in ACTIVE_STATES
            for batch in self.batches.select(
                job_id=job_id, wave_number=wave.wave_number, status=status
            )
            if not self._kernel.is_timed
            or (batch.lease_until is not None and batch.lease_until < self._now())
        ]
        for batch_id in expired:
            self.expire(batch_id)
        return len(expired)

    @statement
    def start_batch(self, batch_id: str) -> None:
        """Update a batch to PROCESSING, whatever it was."""
        self.batches.update(batch_id, status=BatchState.PROCESSING)

    @statement
    def finish_batch(self, batch_id: str) -> None:
        """Update a batch to COMPLETED, whatever it was."""
        self.batches.update(
            batch_id, status=BatchState.COMPLETED, completed_at=self._now()
        )


class LoneStatement(PipelineStore):
    """The store as a single statement in a transaction of its own sees it.

    Args:
        store: whose statements these are; whatever is no table is the store's own.
        slot: of the transaction.
    """

    def __init__(self, store: PipelineStore, slot: int) -> None:
        vars(self).update(vars(store))
        self.slot = slot
        for name in ("jobs", "waves", "batches"):
            view = TableView(store.transactions, slot, getattr(store, name))
            setattr(self, name, view)


def batch_name(job_id: str, wave_number: int, number: int) -> str:
    """Return the id of a batch; ids of one wave sort in order of creation."""
    return f"{job_id}-w{wave_number}-{number:06d}"

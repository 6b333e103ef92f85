"""Transactions of a coordinator: the same statements, kept or undone together."""

import pytest

from wavecheck import find_scenario
from wavecheck.coordinator import (
    BatchState,
    Claiming,
    Deadlock,
    Isolation,
    SerializationFailure,
    StatementFailed,
    WaveKind,
    WaveState,
)
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import answer
from wavecheck.scenarios.verdicts.proving import prove
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.verdict import Outcome

JOB, WAVE = "job-1", 1
FIRST, SECOND = "job-1-w1-000001", "job-1-w1-000002"


class Outbox(Claiming):
    """Claims and sends in one transaction."""

    async def _send_claimed(self, job_id, wave_number):
        sent = 0
        for batch_id in await self.db.pending_batches(job_id, wave_number):
            async with self.db.transaction() as tx:
                if await tx.claim_batch(batch_id):
                    await tx.enqueue(batch_id)
                    sent += 1
        return sent


class SkippingLocked(Claiming):
    """Locks what is pending and nobody else has locked."""

    async def _send_claimed(self, job_id, wave_number):
        async with self.db.transaction() as tx:
            locked = await tx.lock_pending_batches(
                job_id, wave_number, skip_locked=True
            )
            for batch_id in locked:
                await tx.mark_dispatched(batch_id)
                await tx.enqueue(batch_id)
        return len(locked)


class Believing(Claiming):
    """Puts a select and its updates into one transaction, as if that were enough."""

    isolation = Isolation.READ_COMMITTED

    async def _send_claimed(self, job_id, wave_number):
        async with self.db.transaction(self.isolation) as tx:
            pending = await tx.pending_batches(job_id, wave_number)
            for batch_id in pending:
                await tx.mark_dispatched(batch_id)
                await tx.enqueue(batch_id)
        return len(pending)


class Retrying(Believing):
    """The same on a snapshot, and again if somebody else was first."""

    isolation = Isolation.REPEATABLE_READ

    async def _send_claimed(self, job_id, wave_number):
        while True:
            try:
                return await super()._send_claimed(job_id, wave_number)
            except SerializationFailure:
                pass


class SeriallyRetrying(Retrying):
    """The same, serializable."""

    isolation = Isolation.SERIALIZABLE


def subject(coordinator_type, parents="2"):
    """A small import job for a coordinator of this file."""
    scenario = find_scenario("import-job")
    made = Subject.of(scenario, "claiming", {"parents": parents})
    return made.__class__(
        scenario=scenario,
        coordinator=coordinator_type.__name__,
        coordinator_type=coordinator_type,
        settings=made.settings,
        faults={},
    )


@pytest.mark.parametrize(
    "coordinator_type", [Outbox, SkippingLocked, Retrying, SeriallyRetrying]
)
def test_transactions_are_searched(coordinator_type):
    """A search of 300 executions finds nothing in rules that hold their claims."""
    result = answer(subject(coordinator_type), Effort(executions=300))
    assert not result.has_violation()


def test_a_transaction_is_no_claim():
    """READ COMMITTED lets two calls send what both have selected, as in PostgreSQL."""
    judged = subject(Believing).judging("no_double_dispatch")
    result = answer(judged, Effort(executions=300))
    assert result.has_violation()


@pytest.mark.parametrize(
    "coordinator_type", [Outbox, SkippingLocked, Retrying, SeriallyRetrying]
)
def test_transactions_are_proved(coordinator_type):
    """The exhaustive engine visits every state of a world with transactions."""
    proof = prove(subject(coordinator_type, "1"))
    assert {one.outcome for one in proof.verdicts} == {Outcome.PROVED}


@pytest.fixture
def store():
    """A store of one wave with two pending batches."""
    made = PipelineStore(Kernel(timed=False), stale_after=100, lease=100)
    made.add_job(JOB, 2)
    made.add_wave(
        JOB, WAVE, WaveKind.MAIN, "SalesOrder", [(FIRST, ("a",)), (SECOND, ("b",))]
    )
    made._kernel.mark()
    return made


def run(store, *coroutines):
    """Run coroutines to quiescence, first in first out."""
    for number, coroutine in enumerate(coroutines):
        store._kernel.spawn(coroutine, f"task-{number}")
    store._kernel.run_to_quiescence()
    return [task.name for task in store._kernel.tasks if not task.is_finished]


def test_a_commit_shows_everything_at_once(store):
    """Nothing of a transaction is seen before its commit; then everything is."""
    seen = []

    async def look():
        batch, count = store.batches.get(FIRST), len(store.queue)
        return batch.status, count

    async def work():
        async with store.transaction() as tx:
            await tx.claim_batch(FIRST)
            await tx.enqueue(FIRST)
            seen.append(await look())
            assert await tx.count_batches(JOB, WAVE, BatchState.DISPATCHED) == 1
        seen.append(await look())

    assert run(store, work()) == []
    assert seen == [(BatchState.PENDING, 0), (BatchState.DISPATCHED, 1)]


def test_an_error_rolls_back(store):
    """An error that leaves the block undoes the transaction, messages included."""

    async def work():
        async with store.transaction() as tx:
            await tx.claim_batch(FIRST)
            await tx.enqueue(FIRST)
            raise ValueError("no")

    async def caller():
        with pytest.raises(ValueError, match="no"):
            await work()

    assert run(store, caller()) == []
    assert store.batches.get(FIRST).status is BatchState.PENDING
    assert (len(store.queue), len(store.transactions.open)) == (0, 0)


def test_a_statement_outside_waits_for_a_transaction(store):
    """A single claim waits for the row, and then finds it taken."""
    results = []

    async def holder():
        async with store.transaction() as tx:
            await tx.claim_batch(FIRST)
            await tx.wave_status(JOB, WAVE)
            await tx.wave_status(JOB, WAVE)

    async def other():
        await store.wave_status(JOB, WAVE)
        results.append(await store.claim_batch(FIRST))

    assert run(store, holder(), other()) == []
    assert results == [False]
    assert len(store.transactions.locks.rows) == len(store.transactions.open) == 0


def test_two_transactions_in_a_circle(store):
    """Who looks first is told of a deadlock; the other goes on."""
    results = []

    async def claim(first, second):
        try:
            async with store.transaction() as tx:
                await tx.claim_batch(first)
                await tx.claim_batch(second)
            results.append("committed")
        except Deadlock:
            results.append("deadlock")

    assert run(store, claim(FIRST, SECOND), claim(SECOND, FIRST)) == []
    assert results == ["deadlock", "committed"]


def test_a_failed_transaction_refuses_everything(store):
    """After a failure only the rollback is left, also at the end of the block."""

    async def other():
        await store.wave_status(JOB, WAVE)
        await store.mark_dispatched(FIRST)

    async def work():
        async with store.transaction(Isolation.REPEATABLE_READ) as tx:
            await tx.pending_batches(JOB, WAVE)
            await tx.wave_status(JOB, WAVE)
            await tx.wave_status(JOB, WAVE)
            with pytest.raises(SerializationFailure):
                await tx.claim_batch(FIRST)
            with pytest.raises(StatementFailed, match="failed already"):
                await tx.wave_status(JOB, WAVE)

    async def caller():
        with pytest.raises(StatementFailed, match="failed already"):
            await work()

    assert run(store, caller(), other()) == []


def test_locking_a_wave_makes_others_wait(store):
    """FOR UPDATE on a wave lets one transaction after another look and change."""
    order = []

    async def take(name):
        async with store.transaction() as tx:
            if await tx.lock_wave(JOB, WAVE) is WaveState.PENDING:
                await tx.set_wave_status(JOB, WAVE, WaveState.PROCESSING)
                order.append(name)

    assert run(store, take("a"), take("b")) == []
    assert order == ["a"]

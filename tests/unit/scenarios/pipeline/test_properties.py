"""Each property is violated by a planted fault, and by nothing else."""

import re

import pytest

from wavecheck.coordinator import (
    BatchState,
    Claiming,
    JobState,
    ProgressiveListener,
    WaveState,
)
from wavecheck.coordinator.worker import Worker
from wavecheck.scenarios.pipeline.properties import PIPELINE_PROPERTIES
from wavecheck.sim.property import Moment
from wavecheck.sim.verdict import Outcome

NAMES = [one.name for one in PIPELINE_PROPERTIES]


class EnqueuesTwice(Claiming):
    async def _send_claimed(self, job_id, wave_number):
        sent = 0
        for batch_id in await self.db.pending_batches(job_id, wave_number):
            if await self.db.claim_batch(batch_id):
                await self.db.enqueue(batch_id)
                await self.db.enqueue(batch_id)
                sent += 1
        return sent


class ClosesTheWave(Claiming):
    async def check_and_trigger_next_wave(self, job_id):
        await super().check_and_trigger_next_wave(job_id)
        await self.db.set_wave_status(job_id, 1, WaveState.COMPLETED)


class ForgetsTheJob(Claiming):
    async def check_and_trigger_next_wave(self, job_id):
        for wave in await self.db.open_waves(job_id):
            await self.dispatch_wave(job_id, wave.wave_number)
            if not await self.db.finish_wave(job_id, wave.wave_number):
                return


class SkipsTheMark(Claiming):
    async def _send_claimed(self, job_id, wave_number):
        pending = await self.db.pending_batches(job_id, wave_number)
        for batch_id in pending:
            await self.db.enqueue(batch_id)
        return len(pending)


class LosesAParent(ProgressiveListener):
    async def parent_completed(self, parent_ids):
        if parent_ids == ("order-000003",):
            return
        await super().parent_completed(parent_ids)


class CoversTwice(ProgressiveListener):
    async def parent_completed(self, parent_ids):
        completed = await self.db.count_batches(
            self.plan.job_id, self.plan.parent_wave, BatchState.COMPLETED
        )
        if completed == self.plan.parent_batches:
            parent_ids = (*parent_ids, *parent_ids)
        await super().parent_completed(parent_ids)


def violations(run):
    """The violated properties with their messages."""
    return {
        one.property_name: one.violation.message
        for one in run.verdicts
        if one.outcome is Outcome.VIOLATED
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_right_coordinator_violates_nothing(small_job, name):
    """Claiming on a small job: each property at risk, none violated."""
    verdict = small_job("claiming").verdict(name)
    assert verdict.outcome is Outcome.NOT_FOUND
    assert verdict.executions_count == 1
    assert verdict.outcome is not Outcome.NOT_TESTED
    assert verdict.violation is None


def test_a_stalling_coordinator_strands_batches(small_job):
    """Pending batches at quiescence violate `no_stranded_batch`, by wave."""
    found = violations(small_job("stalling"))
    assert found["no_stranded_batch"] == "pending for ever: 2 in wave 3"
    assert set(found) == {"no_stranded_batch", "job_completes", "pending_bounded"}


def test_a_second_message_is_a_double_dispatch(small_job):
    """A batch enqueued twice violates `no_double_dispatch` at the second message."""
    run = small_job(EnqueuesTwice)
    violation = run.verdict("no_double_dispatch").violation
    assert violation.message == "batch job-1-w1-000001 was put on the queue 2 times"
    assert violation.step == 8


def test_one_message_a_batch_is_no_double_dispatch(small_job):
    """Claiming sends every batch exactly once."""
    run = small_job("claiming")
    assert run.messages_count == sum(run.batches_by_status.values())


def test_a_job_that_ends_before_its_derived_wave_is_premature(small_job):
    """`premature` completes the job while batches are open or still to come."""
    message = violations(small_job("premature"))["no_premature_completion"]
    assert message == "job completed while wave 3 has 2 unfinished batches"


def test_a_wave_that_is_closed_over_its_batches_is_premature(small_job):
    """A wave set to completed while its batches run."""
    message = violations(small_job(ClosesTheWave))["no_premature_completion"]
    assert message == "wave completed while wave 1 has 2 unfinished batches"


def at_once(world, check, part, key, **columns):
    """Update one row and judge the change."""
    table = getattr(world.store, part)
    before = table.get(key)
    table.update(key, **columns)
    return check(world, key, before, table.get(key))


class Facts:
    """A world of one store, for checks that are called directly."""

    def __init__(self, store):
        self.store = store
        self.plans = {}


@pytest.fixture
def check_of():
    """The check of a property for a change of one part."""

    def find(name, part):
        found = next(one for one in PIPELINE_PROPERTIES if one.name == name)
        return found.on_change[part]

    return find


def test_a_batch_that_appears_in_a_completed_wave_is_premature(store, check_of):
    """The wave was completed too early even if the batch came later."""
    store.waves.update(("job", 1), status=WaveState.COMPLETED)
    check = check_of("no_premature_completion", "wave_batches")
    message = check(Facts(store), "b1", None, store.batches.get("b1"))
    assert message == "batch b1 is pending in a completed wave"


def test_a_batch_that_appears_in_a_completed_job_is_premature(store, check_of):
    """Likewise for the job."""
    store.jobs.update("job", status=JobState.COMPLETED)
    check = check_of("no_premature_completion", "wave_batches")
    message = check(Facts(store), "b1", None, store.batches.get("b1"))
    assert message == "batch b1 is pending in a completed job"
    done = store.batches.get("b1")._replace(status=BatchState.COMPLETED)
    assert check(Facts(store), "b1", None, done) is None


def test_a_job_completed_with_an_unsealed_wave_is_premature(store, check_of):
    """A wave that may still get batches is not complete, even if it has none."""
    for batch_id in ("b1", "b2"):
        store.batches.update(batch_id, status=BatchState.COMPLETED)
    check = check_of("no_premature_completion", "jobs")
    message = at_once(Facts(store), check, "jobs", "job", status=JobState.COMPLETED)
    assert message == "job completed while wave 2 may still get batches"
    store.waves.update(("job", 2), is_sealed=True)
    job = store.jobs.get("job")
    assert check(Facts(store), "job", None, job) is None


def test_a_lost_parent_is_told_by_name(small_job, with_listener):
    """A listener that drops an id violates `every_parent_covered_once`."""
    found = violations(small_job(with_listener(LosesAParent)))
    assert found["every_parent_covered_once"] == (
        "1 parents in no derived batch, the first is order-000003"
    )


def test_a_parent_in_two_batches_is_told_by_name(small_job, with_listener):
    """A listener that notes an id twice violates `every_parent_covered_once`."""
    found = violations(small_job(with_listener(CoversTwice)))
    assert re.fullmatch(
        r"parent order-00000\d is in 2 derived batches",
        found["every_parent_covered_once"],
    )


def test_a_job_that_nobody_completes_is_told(small_job):
    """A coordinator that never completes the job violates `job_completes` alone."""
    assert violations(small_job(ForgetsTheJob)) == {
        "job_completes": "job job-1 is processing when nothing can happen any more"
    }


def test_a_batch_that_skips_a_state_moves_illegally(small_job):
    """Enqueued without DISPATCHED: pending to processing is no legal move."""
    found = violations(small_job(SkipsTheMark))
    assert found["legal_transitions"] == (
        "batch job-1-w1-000001 went from pending to processing"
    )


def test_a_worker_that_skips_a_state_moves_illegally(small_job, monkeypatch):
    """A worker that finishes what it never started."""

    async def serve(worker, delivery):
        await worker.db.finish_batch(delivery.batch.batch_id)

    monkeypatch.setattr(Worker, "serve", serve)
    found = violations(small_job("claiming"))
    assert found["legal_transitions"] == (
        "batch job-1-w1-000001 went from dispatched to completed"
    )


@pytest.mark.parametrize(
    ("part", "key", "before", "after", "message"),
    [
        ("waves", ("job", 1), "pending", "completed", "wave 1 went from"),
        ("waves", ("job", 1), "completed", "processing", "wave 1 went from"),
        ("waves", ("job", 1), "completed", "pending", "wave 1 went from"),
        ("waves", ("job", 1), "pending", "processing", None),
        ("waves", ("job", 1), "processing", "pending", None),
        ("waves", ("job", 1), "processing", "completed", None),
        ("wave_batches", "b1", "pending", "dispatched", None),
        ("wave_batches", "b1", "dispatched", "processing", None),
        ("wave_batches", "b1", "processing", "completed", None),
        ("wave_batches", "b1", "pending", "completed", "batch b1 went from"),
        ("wave_batches", "b1", "completed", "dispatched", "batch b1 went from"),
        ("wave_batches", "b1", "dispatched", "pending", "batch b1 went from"),
        ("jobs", "job", "processing", "completed", None),
        ("jobs", "job", "completed", "processing", "job job went from"),
    ],
)
def test_every_move_is_judged(store, check_of, part, key, before, after, message):
    """The published state machines, and nothing besides."""
    table = {"waves": store.waves, "wave_batches": store.batches, "jobs": store.jobs}
    row = table[part].get(key)
    state_type = type(row.status)
    check = check_of("legal_transitions", part)
    found = check(
        Facts(store),
        key,
        row._replace(status=state_type(before)),
        row._replace(status=state_type(after)),
    )
    expected = None if message is None else f"{message} {before} to {after}"
    assert found == expected


def test_a_batch_that_stays_pending_for_ever_is_unbounded(small_job):
    """Never dispatched: the message says for ever, and the limit."""
    found = violations(small_job("stalling"))
    assert found["pending_bounded"] == (
        "batch job-1-w3-000002 is pending for ever; the limit is 300 s"
    )


class SendsOne(Claiming):
    """Sends one batch a call, so that the others wait for later calls."""

    async def _send_claimed(self, job_id, wave_number):
        for batch_id in await self.db.pending_batches(job_id, wave_number):
            if await self.db.claim_batch(batch_id):
                await self.db.enqueue(batch_id)
                return 1
        return 0


def test_a_long_wait_is_told_with_its_length(small_job):
    """Dispatched too late: batch, seconds and limit; not so with a longer limit."""
    changed = {"service_spread": 0.0, "workers": 1}
    found = violations(small_job(SendsOne, pending_limit_seconds=10, **changed))
    message = found["pending_bounded"]
    assert message == "batch job-1-w2-000006 was pending for 25.2 s; the limit is 10 s"
    for limit, is_violated in ((25.0, True), (26.0, False)):
        found = violations(small_job(SendsOne, pending_limit_seconds=limit, **changed))
        assert ("pending_bounded" in found) is is_violated


# Vacuity ----------------------------------------------------------------------


class DoesNothing(Claiming):
    async def check_and_trigger_next_wave(self, job_id):
        await self.db.open_waves(job_id)


def test_a_coordinator_that_does_nothing_is_not_tested_for_some_faults(small_job):
    """Nothing sent, nothing completed: those verdicts say so."""
    run = small_job(DoesNothing)
    assert [
        one.property_name for one in run.verdicts if one.outcome is Outcome.NOT_TESTED
    ] == [
        "no_double_dispatch",
        "no_premature_completion",
        "legal_transitions",
    ]
    assert set(violations(run)) >= {"no_stranded_batch", "job_completes"}


def test_the_properties_are_those_of_the_design():
    """Names, moments and order of the design's table."""
    assert [(one.name, one.moment) for one in PIPELINE_PROPERTIES] == [
        ("no_stranded_batch", Moment.AT_QUIESCENCE),
        ("no_double_dispatch", Moment.ALWAYS),
        ("no_premature_completion", Moment.ALWAYS),
        ("every_parent_covered_once", Moment.AT_QUIESCENCE),
        ("job_completes", Moment.AT_QUIESCENCE),
        ("legal_transitions", Moment.ALWAYS),
        ("pending_bounded", Moment.TIMED),
    ]

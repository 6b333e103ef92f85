"""Every statement of the store: what it returns, and what it changes."""

import inspect

import pytest

from wavecheck.coordinator import (
    BatchState,
    Database,
    JobState,
    ListenerDatabase,
    WaveState,
    WorkerDatabase,
)
from wavecheck.scenarios.pipeline.store import PipelineStore, batch_name
from wavecheck.sim.errors import CoordinatorError

P, D, R, C = BatchState


def open_wave(store, number):
    """Set a wave to processing, as set-up."""
    store.waves.update(("job", number), status=WaveState.PROCESSING)
    store.kernel.mark()


@pytest.mark.parametrize("protocol", [Database, ListenerDatabase, WorkerDatabase])
def test_the_store_has_every_statement_of_the_protocol(protocol):
    """Same names and the same parameters in the same order, for each method."""
    for name, method in vars(protocol).items():
        if name.startswith("_"):
            continue
        expected = list(inspect.signature(method).parameters)
        found = list(inspect.signature(getattr(PipelineStore, name)).parameters)
        assert found == expected, name


def test_open_waves_have_batches_and_are_not_completed(store, perform):
    """A wave without batches or completed is not open; order is ascending."""
    assert [wave.wave_number for wave in perform(store.open_waves("job"))] == [1]
    perform(store.insert_derived_batch("job", 2, ("p1",)))
    assert [wave.wave_number for wave in perform(store.open_waves("job"))] == [1, 2]
    perform(store.set_wave_status("job", 1, WaveState.COMPLETED))
    assert [wave.wave_number for wave in perform(store.open_waves("job"))] == [2]


def test_wave_status_reads_the_status(store, perform):
    """The status of exactly this wave."""
    open_wave(store, 2)
    assert perform(store.wave_status("job", 1)) is WaveState.PENDING
    assert perform(store.wave_status("job", 2)) is WaveState.PROCESSING


def test_an_unknown_wave_fails_the_statement(store, perform):
    """A statement on a row that does not exist raises in the caller."""
    with pytest.raises(CoordinatorError, match="waves has no row with key"):
        perform(store.wave_status("job", 9))


def test_count_batches_sums_over_the_states(store, perform):
    """Several states are added up; none counts nothing."""
    perform(store.mark_dispatched("b1"))
    assert perform(store.count_batches("job", 1, P)) == 1
    assert perform(store.count_batches("job", 1, P, D)) == 2
    assert perform(store.count_batches("job", 1, R, C)) == 0
    assert perform(store.count_batches("job", 1)) == 0
    assert perform(store.count_batches("job", 2, P, D, R, C)) == 0


def test_pending_batches_are_selected_in_ascending_order(store, perform):
    """Ids of pending batches of this wave only, sorted."""
    assert perform(store.pending_batches("job", 1)) == ("b1", "b2")
    perform(store.claim_batch("b1"))
    assert perform(store.pending_batches("job", 1)) == ("b2",)


@pytest.mark.parametrize(("age", "is_stale"), [(99, False), (100, False), (101, True)])
def test_a_wave_is_stale_after_the_limit(store, perform, age, is_stale):
    """Older than the limit, counted from the last change of its status."""
    perform(store.set_wave_status("job", 1, WaveState.PROCESSING), at=1000)
    assert perform(store.is_stale("job", 1), at=1000 + age) is is_stale


@pytest.mark.parametrize("statement", ["set_wave_status", "compare_and_set_wave"])
def test_a_change_of_status_notes_the_moment(store, perform, statement):
    """Both ways to move a wave set `updated_at`."""
    args = (WaveState.PENDING,) if statement == "compare_and_set_wave" else ()
    perform(getattr(store, statement)("job", 1, *args, WaveState.PROCESSING), at=55)
    wave = store.waves.get(("job", 1))
    assert (wave.status, wave.updated_at) == (WaveState.PROCESSING, 55)


def test_compare_and_set_succeeds_once(store, perform):
    """Of two equal compare-and-sets the second one finds the status changed."""
    take = ("job", 1, WaveState.PENDING, WaveState.PROCESSING)
    assert perform(
        store.compare_and_set_wave(*take), store.compare_and_set_wave(*take)
    ) == [True, False]


def test_a_batch_is_claimed_once(store, perform):
    """Of two claims the second one fails and leaves the batch as it is."""
    assert perform(store.claim_batch("b1"), store.claim_batch("b1"), at=5) == [
        True,
        False,
    ]
    row = store.batches.get("b1")
    assert (row.status, row.dispatched_at) == (D, 5)


def test_mark_dispatched_asks_nothing(store, perform):
    """It sets the status whatever it was: that is the fault of a rule without claim."""
    perform(store.finish_batch("b1"), store.mark_dispatched("b1"))
    assert store.batches.get("b1").status is D


def test_a_batch_goes_through_the_queue_to_a_worker(store, perform):
    """Enqueue counts and queues; take gives the row; start and finish move it."""
    perform(store.claim_batch("b1"), store.enqueue("b1"))
    assert store.sends.get(("b1", 0)) == 1
    taken, attempt = perform(store.take_batch())
    assert attempt == 0
    assert (taken.batch_id, taken.status, taken.parent_ids) == ("b1", D, ("p1",))
    perform(store.start_batch("b1"))
    assert store.batches.get("b1").status is R
    perform(store.finish_batch("b1"), at=40)
    row = store.batches.get("b1")
    assert (row.status, row.completed_at) == (C, 40)
    assert len(store.queue) == 0


def finish_both(store):
    return [store.finish_batch("b1"), store.finish_batch("b2")]


def test_a_wave_is_finished_only_when_it_is(store, perform):
    """Not while pending, not with an unfinished batch, and only once."""
    finish = store.finish_wave("job", 1)
    assert perform(finish) is False
    open_wave(store, 1)
    assert perform(store.finish_batch("b1"), finish) == [None, False]
    assert perform(store.finish_batch("b2"), finish, at=9) == [None, True]
    assert perform(finish) is False
    wave = store.waves.get(("job", 1))
    assert (wave.status, wave.updated_at) == (WaveState.COMPLETED, 9)


def test_a_pending_wave_is_not_finished(store, perform):
    """All batches are done, but the wave was never taken (or was demoted)."""
    assert perform(*finish_both(store), store.finish_wave("job", 1))[-1] is False


def test_an_unsealed_wave_is_not_finished(store, perform):
    """A derived wave may still get batches until it is sealed."""
    open_wave(store, 2)
    batch_id = perform(store.insert_derived_batch("job", 2, ("p1", "p2")))
    perform(store.finish_batch(batch_id))
    assert perform(store.finish_wave("job", 2)) is False
    assert perform(store.seal_wave("job", 2), store.finish_wave("job", 2)) == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("completed", "waits", "is_finished"),
    [
        ((1, 2), True, True),
        ((1,), True, False),
        ((1,), False, True),
        ((2,), True, False),
        ((2,), False, False),
        ((), False, False),
    ],
)
def test_the_job_is_finished_when_its_waves_are(
    store, perform, completed, waits, is_finished
):
    """All waves, or the main ones only: that is the first published fix."""
    for number in completed:
        store.waves.update(("job", number), status=WaveState.COMPLETED)
    store.kernel.mark()
    finish = store.finish_job("job", waits_for_derived_waves=waits)
    assert perform(finish, finish, at=7) == [is_finished, False]
    job = store.jobs.get("job")
    assert job.status is (JobState.COMPLETED if is_finished else JobState.PROCESSING)
    assert job.completed_at == (7 if is_finished else None)


def test_parent_ids_are_taken_in_the_order_they_came(store, perform):
    """Oldest first, at most `limit`, and nothing twice."""
    results = perform(
        store.accumulate_parents("job", ("p1", "p2")),
        store.accumulate_parents("job", ("p3",)),
        store.count_accumulated("job"),
        store.take_parents("job", 2),
        store.take_parents("job", 2),
        store.take_parents("job", 2),
        store.count_accumulated("job"),
    )
    assert results == [None, None, 3, ("p1", "p2"), ("p3",), (), 0]


def test_a_derived_batch_gets_the_next_number(store, perform):
    """Ids are numbered by wave; the row is pending and holds its parents."""
    ids = perform(
        store.insert_derived_batch("job", 2, ("p1",)),
        store.insert_derived_batch("job", 2, ("p2",)),
        at=3,
    )
    assert ids == ["job-w2-000001", "job-w2-000002"]
    row = store.batches.get("job-w2-000002")
    assert row.status is P
    assert (row.parent_ids, row.created_at) == (("p2",), 3)
    assert row.dispatched_at is row.completed_at is None


def test_a_wave_is_sealed_when_its_batches_cover_every_parent(store, perform):
    """One of two parents is not enough."""
    assert perform(
        store.insert_derived_batch("job", 2, ("p1",)),
        store.seal_wave("job", 2),
        store.insert_derived_batch("job", 2, ("p2",)),
        store.seal_wave("job", 2),
    )[1::2] == [False, True]
    assert store.waves.get(("job", 2)).is_sealed


def test_the_flag_of_the_listeners_is_set_for_good(store, perform):
    """It reads false, is set, and reads true."""
    assert perform(
        store.is_creation_finished("job"),
        store.set_creation_finished("job"),
        store.is_creation_finished("job"),
    ) == [False, None, True]


def test_the_last_recorded_batch_seals_its_wave(store, perform):
    """A replayed wave is sealed by the number of its batches."""
    perform(store.insert_recorded_batch("x1", "job", 2, 2))
    assert not store.waves.get(("job", 2)).is_sealed
    perform(store.insert_recorded_batch("x2", "job", 2, 2))
    assert store.waves.get(("job", 2)).is_sealed


def test_batch_ids_sort_in_order_of_creation():
    """A million batches of one wave sort as they were numbered."""
    names = [batch_name("job", 7, number) for number in (1, 2, 10, 99_999, 100_000)]
    assert names == sorted(names)
    assert names[0] == "job-w7-000001"


def test_main_waves_are_sealed_from_the_start(store):
    """Only a derived wave is still to be filled."""
    assert store.waves.get(("job", 1)).is_sealed
    assert not store.waves.get(("job", 2)).is_sealed
    assert [wave.wave_number for wave in store.waves_of("job")] == [1, 2]
    assert store.unfinished_count("job", 1) == 2

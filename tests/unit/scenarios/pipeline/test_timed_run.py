"""What a timed run measures: histories, calls, times, log lines, the trace."""

import json
import logging
from io import StringIO

import pytest

from wavecheck.coordinator import VARIANTS, BatchState, Claiming, WaveState
from wavecheck.coordinator.listener import LISTENERS, ProgressiveListener
from wavecheck.coordinator.worker import WORKERS, Worker
from wavecheck.scenarios.pipeline.import_job import ImportJobWorld, policy_of
from wavecheck.scenarios.pipeline.incident import IncidentWorld, Timeline
from wavecheck.scenarios.pipeline.observation import BATCH_STATES
from wavecheck.scenarios.pipeline.settings import ImportJobSettings, IncidentSettings
from wavecheck.scenarios.pipeline.timed_run import LOGGER_NAME, simulate
from wavecheck.sim.draws import spread_evenly
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.prng import Stream

MS = 1_000


@pytest.fixture
def incident():
    """Run a record of two batches and three calls with one coordinator."""

    def run(coordinator_type, **changed):
        timeline = Timeline(
            job_id="j",
            wave_number=7,
            batches=((0, "b1"), (50 * MS, "b2")),
            calls=((10 * MS, 1), (60 * MS, 2), (90 * MS, 3)),
        )
        settings = IncidentSettings(service_seconds=1.0, **changed)
        world = IncidentWorld(Kernel(), coordinator_type, settings, timeline)
        return simulate(world, "x", collects_log=True)

    return run


def test_the_history_of_a_wave_is_its_batches_by_status(incident):
    """Every change of a batch is one row of counts, at its tick."""
    history = incident(Claiming).histories[7]
    assert tuple(BatchState) == BATCH_STATES
    # A first call has claimed after 4 statements of 1 ms and sent after 5.
    rows = list(zip(history.times.tolist(), history.counts.tolist(), strict=True))
    assert rows == [
        (0, [1, 0, 0, 0]),
        (14 * MS, [0, 1, 0, 0]),
        (17 * MS, [0, 0, 1, 0]),
        (50 * MS, [1, 0, 1, 0]),
        (64 * MS, [0, 1, 1, 0]),
        (67 * MS, [0, 0, 2, 0]),
        (1018 * MS, [0, 0, 1, 1]),
        (1068 * MS, [0, 0, 0, 2]),
    ]
    assert history.statuses == (
        (0, WaveState.PENDING),
        (12 * MS, WaveState.PROCESSING),
    )


def test_an_upfront_record_has_all_batches_at_the_last_moment(incident):
    """In a record, all batches of an upfront coordinator come with the last one."""
    created = [one.created_at for one in incident(VARIANTS["upfront"]).batches]
    assert created == [50 * MS, 50 * MS]


def test_every_dispatch_call_is_noted(incident):
    """Task, start, statements without messages, result and the wave's status."""
    run = incident(Claiming)
    assert [
        (
            call.task,
            call.started_at,
            call.statements,
            call.batches_dispatched,
            call.was_processing,
        )
        for call in run.calls
    ] == [
        ("call-1", 10 * MS, 4, 1, False),
        ("call-2", 60 * MS, 4, 1, True),
        ("call-3", 90 * MS, 3, 0, True),
    ]
    assert run.messages_count == 2
    # 11 in calls, and start and finish for each of two batches.
    assert run.statements_count == 15


def test_the_times_of_every_batch_are_kept(incident):
    """Created, dispatched and completed, in ticks; the makespan is the last."""
    run = incident(Claiming)
    assert [
        (one.batch_id, one.created_at, one.dispatched_at, one.completed_at)
        for one in run.batches
    ] == [
        ("b1", 0, 14 * MS, 1018 * MS),
        ("b2", 50 * MS, 64 * MS, 1068 * MS),
    ]
    assert run.makespan == 1068 * MS
    assert run.first_derived_dispatch == 15 * MS
    assert run.batches_by_status == run.derived_by_status
    assert run.batches_by_status["completed"] == 2
    assert run.job_status == "processing"


def test_the_log_lines_are_collected_with_time_and_task(incident):
    """Message and fields as published, at the tick and by the task that logged."""
    lines = incident(Claiming).log_lines
    assert [(line.time, line.task, line.level, line.message) for line in lines] == [
        (15 * MS, "call-1", "DEBUG", "Wave dispatched successfully"),
        (
            62 * MS,
            "call-2",
            "INFO",
            "Wave processing but has pending batches; dispatching progressive batches",
        ),
        (65 * MS, "call-2", "DEBUG", "Wave dispatched successfully"),
    ]
    assert [line.fields for line in lines] == [
        (("job_id", "j"), ("wave_number", 7), ("batches_dispatched", 1)),
        (("job_id", "j"), ("wave_number", 7), ("pending_batches", 1)),
        (("job_id", "j"), ("wave_number", 7), ("batches_dispatched", 1)),
    ]


def test_collecting_the_log_leaves_the_logger_as_it_was(small_job):
    """Handlers and level are those from before, also after a failure."""

    class Fails(Claiming):
        async def dispatch_wave(self, job_id, wave_number):
            await self.db.wave_status(job_id, wave_number)
            raise ValueError("mine")

    logger = logging.getLogger(LOGGER_NAME)
    before = (list(logger.handlers), logger.level)
    with pytest.raises(CoordinatorError):
        small_job(Fails, collects_log=True)
    small_job("claiming", collects_log=True)
    assert (logger.handlers, logger.level) == before


def test_without_the_wish_nothing_is_collected(small_job):
    """A comparison of long runs keeps no log."""
    assert small_job("claiming").log_lines == ()
    assert small_job("claiming", collects_log=True).log_lines != ()


def test_the_trace_has_a_line_for_every_step(small_job):
    """As many JSON lines as steps, numbered from one."""
    lines = StringIO()
    run = small_job("claiming", trace_lines=lines)
    steps = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [step["step"] for step in steps] == list(range(1, run.steps_count + 1))
    assert steps[0]["operation"] == "open_waves"
    times = [step["time"] for step in steps]
    assert times == sorted(times)
    assert times[-1] == run.makespan


def test_observing_does_not_change_the_run(small_job):
    """With trace, log and progress the measured numbers are the same."""
    plain = small_job("progressive")
    watched = small_job(
        "progressive",
        trace_lines=StringIO(),
        collects_log=True,
        progress=lambda steps: None,
    )
    for name in ("steps_count", "makespan", "statements_count", "calls", "batches"):
        assert getattr(plain, name) == getattr(watched, name)


def test_progress_is_reported_now_and_then(small_job):
    """A run with thousands of changes reports growing numbers of steps."""
    seen = []
    small_job("claiming", parents=1500, workers=50, progress=seen.append)
    assert seen
    assert seen == sorted(seen)


def test_held_ids_are_the_most_at_once(small_job):
    """Upfront holds every parent id; progressive creation far fewer."""
    assert small_job("upfront").held_ids_max == 6
    assert small_job("claiming").held_ids_max < 6


def test_upfront_batches_appear_with_the_last_parent(small_job):
    """Every derived batch is created after the last parent batch completed."""
    run = small_job("upfront")
    last_parent = max(one.completed_at for one in run.batches if one.wave_number == 2)
    derived = [one.created_at for one in run.batches if one.wave_number == 3]
    assert len(derived) == 3
    assert min(derived) > last_parent


def test_progressive_batches_appear_before_the_last_parent(small_job):
    """Past the threshold, batches are created while parents still run."""
    run = small_job("claiming")
    last_parent = max(one.completed_at for one in run.batches if one.wave_number == 2)
    assert min(one.created_at for one in run.batches if one.wave_number == 3) < (
        last_parent
    )


def test_a_later_main_wave_waits_for_the_earlier_one(small_job):
    """No batch of wave 2 is sent before every batch of wave 1 is completed."""
    run = small_job("claiming")
    done = max(one.completed_at for one in run.batches if one.wave_number == 1)
    sent = min(one.dispatched_at for one in run.batches if one.wave_number == 2)
    assert sent > done


# Callers ----------------------------------------------------------------------


def test_who_calls_decides_whether_a_stall_heals(small_job):
    """Stalling with completions that call and a short staleness dispatches all."""
    stalled = small_job("stalling", derived_call=False)
    assert stalled.batches_by_status["pending"] > 0
    healed = small_job(
        "stalling",
        pollers=1,
        polls=30,
        poll_interval_seconds=5,
        stale_after_seconds=1,
    )
    assert healed.batches_by_status["pending"] == 0


def test_nobody_calls_but_the_start(small_job):
    """With every caller off, parents run and derived batches stay pending."""
    run = small_job("claiming", parents_call=False, derived_call=False)
    assert run.derived_by_status["pending"] == 3
    tasks = {call.task for call in run.calls if call.wave_number > 1}
    assert all(task.startswith("worker-") for task in tasks)


def test_pollers_call_as_often_as_they_are_told(small_job):
    """Two pollers of three polls at 100 s make calls at 100, 200 and 300 s."""
    lines = StringIO()
    small_job(
        "claiming",
        pollers=2,
        polls=3,
        poll_interval_seconds=100,
        trace_lines=lines,
    )
    steps = [json.loads(line) for line in lines.getvalue().splitlines()]
    polls = [
        (step["task"], step["time"])
        for step in steps
        if step["operation"] == "sleep" and step["task"].startswith("poller")
    ]
    assert [time for task, time in polls if task == "poller-1"] == [
        # The call after each sleep takes three statements of 2 ms at most.
        pytest.approx(seconds * 1_000_000, abs=100 * MS)
        for seconds in (100, 200, 300)
    ]
    assert len(polls) == 6


# Coordinators that do not fit -------------------------------------------------


def test_an_unknown_listener_policy_is_refused():
    """The message names class, value and the policies that exist."""

    class Odd(Claiming):
        listener_policy = "lazy"

    with pytest.raises(CoordinatorError) as refused:
        policy_of(Odd, "listener_policy", LISTENERS)
    assert str(refused.value) == (
        "Odd.listener_policy is 'lazy'\n"
        "  expected  one of: progressive, upfront, durable"
    )


def test_a_coordinator_without_a_policy_is_progressive():
    """The attributes are optional: a progressive listener and a trusting worker."""

    class Plain:
        pass

    assert policy_of(Plain, "listener_policy", LISTENERS) is ProgressiveListener
    assert policy_of(Plain, "worker_policy", WORKERS) is Worker


def test_a_constructor_that_raises_is_blamed_on_the_coordinator(small_job):
    """An error in `__init__` is the coordinator's fault, with file and line."""

    class Broken(Claiming):
        def __init__(self, db):
            raise ValueError("no config")

    with pytest.raises(CoordinatorError, match="no config") as failed:
        small_job(Broken)
    assert "test_timed_run.py:" in str(failed.value)


def test_a_dispatch_call_that_returns_no_number_is_blamed(small_job):
    """`dispatch_wave` must return how many it sent; None is told, not counted."""

    class Silent(Claiming):
        async def dispatch_wave(self, job_id, wave_number):
            await super().dispatch_wave(job_id, wave_number)

    with pytest.raises(CoordinatorError, match="dispatch_wave"):
        small_job(Silent)


# Settings and random numbers --------------------------------------------------


def test_the_same_seed_gives_the_same_run(small_job):
    """Equal settings give equal batches; another seed gives other times."""
    changed = {"latency_spread": 0.5, "service_spread": 0.5}
    first, again = (small_job("claiming", seed=3, **changed) for _ in range(2))
    assert first.batches == again.batches
    assert first.batches != small_job("claiming", seed=4, **changed).batches


def test_spread_times_lie_evenly_around_the_mean():
    """All within mean * (1 +- spread), both halves hit; no spread is constant."""
    draw = spread_evenly(1000.0, 0.5, Stream(0, "service"))
    drawn = [draw() for _ in range(2000)]
    assert 500 <= min(drawn) < 510
    assert 1490 < max(drawn) <= 1500
    constant = spread_evenly(1000.4, 0.0, Stream(0, "service"))
    assert {constant() for _ in range(10)} == {1000}


def test_settings_are_frozen_and_named():
    """A settings object cannot be altered, nor built by position."""
    settings = ImportJobSettings()
    with pytest.raises(AttributeError):
        settings.parents = 3
    with pytest.raises(TypeError):
        ImportJobSettings(1)


def test_a_world_can_be_started_again():
    """Rewind and start: the same number of steps and the same final tables."""
    kernel = Kernel()
    settings = ImportJobSettings(parents=4, service_spread=0.0)
    world = ImportJobWorld(kernel, Claiming, settings)
    results = []
    for _ in range(2):
        kernel.rewind()
        world.start()
        kernel.run_to_quiescence()
        results.append(
            (
                kernel.steps_count,
                {name: part.snapshot() for name, part in kernel.parts.items()},
            )
        )
    assert results[0] == results[1]


def test_an_untimed_world_takes_no_notes():
    """A search pays for no observation, and staleness is a choice there."""
    kernel = Kernel(timed=False)
    world = ImportJobWorld(kernel, Claiming, ImportJobSettings(parents=2))
    world.start()
    kernel.run_to_quiescence()
    assert world.observation is None
    assert next(iter(world.store.jobs)).status == "completed"
    assert kernel.now == 0

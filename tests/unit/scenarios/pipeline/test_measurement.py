"""Measurements: what a run showed as numbers, and worlds that are run seed by seed."""

import pytest

from wavecheck import find_scenario
from wavecheck.coordinator import VARIANTS, Claiming
from wavecheck.scenarios.comparison import build_timed_world
from wavecheck.scenarios.pipeline.alerts import ALERTS
from wavecheck.scenarios.pipeline.calls import CallLog, DispatchCall
from wavecheck.scenarios.pipeline.import_job import ImportJobWorld
from wavecheck.scenarios.pipeline.measurement import SeededRuns
from wavecheck.scenarios.pipeline.properties import PIPELINE_PROPERTIES
from wavecheck.scenarios.pipeline.settings import ImportJobSettings
from wavecheck.scenarios.pipeline.timed_run import simulate
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.verdict import Outcome

SMALL = {
    "parents": 6,
    "parents_per_batch": 2,
    "workers": 2,
    "service_seconds": 5.0,
    "latency_spread": 0.5,
}
NAMES = [one.name for one in PIPELINE_PROPERTIES]


def world(coordinator, **settings):
    return ImportJobWorld(
        Kernel(), VARIANTS[coordinator], ImportJobSettings(**(SMALL | settings))
    )


@pytest.mark.parametrize("coordinator", VARIANTS)
def test_a_reseeded_world_runs_as_a_new_one(coordinator):
    """Whatever was run before, a seed gives the measurement of a fresh world."""
    runs = SeededRuns(world(coordinator))
    forwards = [runs.run(seed) for seed in range(6)]
    backwards = [runs.run(seed) for seed in reversed(range(6))]
    fresh = [SeededRuns(world(coordinator)).run(seed) for seed in range(6)]
    assert forwards == backwards[::-1] == fresh
    assert len({one.digest for one in fresh}) == 6


@pytest.mark.parametrize("scenario", ["incident", "import-job"])
@pytest.mark.parametrize("coordinator", ["stalling", "premature", "claiming"])
def test_a_measurement_counts_what_a_timed_run_shows(scenario, coordinator):
    """The same numbers as the full result of one run with the same seed."""
    found = find_scenario(scenario)
    settings = found.settings({"seed": "3"})
    run, measured = (
        make(build_timed_world(found, coordinator, settings, steps_max=100_000))
        for make in (
            lambda world: simulate(world, coordinator),
            lambda world: SeededRuns(world).run(3),
        )
    )
    assert measured.makespan == run.makespan
    assert measured.first_derived_dispatch == run.first_derived_dispatch
    assert measured.statements == run.statements_count
    assert measured.messages == run.messages_count
    assert measured.dispatch_calls == len(run.calls)
    assert measured.held_ids_max == run.held_ids_max
    assert measured.steps == run.steps_count
    assert measured.batches == len(run.batches)
    assert measured.stranded_batches == run.batches_by_status["pending"]
    assert measured.stranded_jobs == (run.batches_by_status["pending"] > 0)
    assert measured.completed_jobs == (run.job_status == "completed")
    for verdict, outcome in zip(run.verdicts, measured.outcomes, strict=True):
        assert (outcome == 1) == (verdict.violation is not None)
        assert (outcome is None) == (verdict.outcome is Outcome.NOT_TESTED)
    for name, counts in zip(ALERTS, measured.alerts, strict=True):
        fired = [one.is_right for one in run.alerts if one.name == name]
        assert counts.right + counts.false == len(fired)
        assert counts.right == sum(fired)


def test_the_time_to_detect_counts_from_the_first_stranded_batch():
    """The published incident: stranded from its second on, detected after 300 s."""
    found = find_scenario("incident")
    measured = SeededRuns(
        build_timed_world(found, "stalling", found.settings(), steps_max=100_000)
    ).run(0)
    too_long = measured.alerts[ALERTS.index("pending_too_long")]
    assert too_long == (1, 0, 300_000_000)
    assert measured.stranded_batches == 35


def test_doubled_batches_are_counted():
    """Where statements are slow, calls overlap and batches are sent twice."""
    slow = {"statement_latency_ms": 400.0, "workers": 6, "service_seconds": 1.0}
    for coordinator in ("progressive", "claiming"):
        runs = SeededRuns(world(coordinator, **slow))
        doubled = [runs.run(seed) for seed in range(20)]
        is_violated = [
            one.outcomes[NAMES.index("no_double_dispatch")] for one in doubled
        ]
        assert [bool(one.doubled_batches) for one in doubled] == is_violated
        assert any(is_violated) == (coordinator == "progressive")


def test_a_longest_wait_leaves_out_who_waits_for_ever():
    """Stalling strands batches; the longest wait is of one that was sent."""
    measured = SeededRuns(world("stalling")).run(0)
    assert measured.stranded_batches > 0
    assert measured.longest_pending is not None
    assert measured.longest_pending < measured.makespan


def test_the_log_of_calls_is_a_sequence_of_values():
    """Rows of a call come back as they were noted, one by one and sliced."""
    log = CallLog()
    assert list(log) == []
    made = [
        DispatchCall("a", 2, "start", 5, 3, 0, False),
        DispatchCall("b", 2, "worker-1", 4, 4, 7, True),
        DispatchCall("a", 2, "worker-1", 9, 1, 0, True),
    ]
    for index, call in zip((0, 1, 1), made, strict=True):
        log.note(
            (call.job_id, call.wave_number),
            (index, call.task),
            started_at=call.started_at,
            statements=call.statements,
            batches_dispatched=call.batches_dispatched,
            was_processing=call.was_processing,
        )
    assert list(log) == made
    assert log == made
    assert log[-1] == made[2]
    assert log[1:] == tuple(made[1:])
    assert log != made[:2]
    assert log != 3
    assert log.times_by_wave() == {("a", 2): [5, 9], ("b", 2): [4]}
    with pytest.raises(IndexError):
        log[3]


def test_a_reseeded_world_is_another_seed():
    """The settings name the seed that the run was made with."""
    made = world("claiming")
    SeededRuns(made).run(17)
    assert made.settings.seed == 17
    assert made.under_test is not None
    assert isinstance(made.under_test, Claiming)

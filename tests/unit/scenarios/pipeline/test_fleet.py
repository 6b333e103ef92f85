"""Many jobs at once: one queue, one pool, a database that gets slower under load."""

import pytest

from wavecheck.coordinator import VARIANTS
from wavecheck.scenarios.pipeline.fleet import FleetWorld
from wavecheck.scenarios.pipeline.import_job import ImportJobWorld
from wavecheck.scenarios.pipeline.measurement import SeededRuns
from wavecheck.scenarios.pipeline.settings import FleetSettings, ImportJobSettings
from wavecheck.scenarios.pipeline.timed_run import simulate
from wavecheck.sim.draws import drawn_from, parse_samples
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.prng import Stream

SMALL = {
    "jobs": 3,
    "parents": 6,
    "parents_per_batch": 2,
    "waves_before": 1,
    "batches_per_wave_before": 2,
    "workers": 4,
    "service_seconds": 5.0,
}


def fleet(coordinator="claiming", **changed):
    settings = FleetSettings(**(SMALL | changed))
    return FleetWorld(Kernel(), VARIANTS[coordinator], settings)


def test_every_job_is_completed_by_the_shared_pool():
    """Three jobs of 11 batches each, all of them done, none of them twice."""
    measured = SeededRuns(fleet()).run(0)
    assert (measured.jobs, measured.completed_jobs) == (3, 3)
    assert (measured.batches, measured.messages) == (33, 33)
    assert (measured.stranded_batches, measured.doubled_batches) == (0, 0)
    assert set(measured.outcomes) == {0}


@pytest.mark.parametrize("coordinator", VARIANTS)
def test_a_fleet_of_one_is_a_single_job(coordinator):
    """With connections for everybody, the counts are those of `import-job`."""
    sizes = {name: value for name, value in SMALL.items() if name != "jobs"}
    single = ImportJobWorld(Kernel(), VARIANTS[coordinator], ImportJobSettings(**sizes))
    mine, theirs = (
        SeededRuns(world).run(3)
        for world in (fleet(coordinator, jobs=1, connections=1_000), single)
    )
    assert mine._replace(digest="") == theirs._replace(digest="")


def test_statements_take_longer_the_more_there_are():
    """One connection for all: the same work takes longer than with many."""
    spans = [
        SeededRuns(
            fleet(
                jobs=12,
                workers=60,
                service_seconds=0.1,
                arrival_seconds=0.0,
                statement_latency_ms=50.0,
                connections=connections,
            )
        )
        .run(0)
        .makespan
        for connections in (1, 4, 1_000)
    ]
    assert spans[0] > 2 * spans[1] > 2 * spans[2]


def test_a_busy_database_serves_in_order_of_arrival():
    """Two connections, four statements of 10 ms at once: 10, 10, 20 and 20 ms."""
    world = fleet(connections=2, statement_latency_ms=10.0)
    kernel, store = world.kernel, world.store
    done = []

    async def ask(number):
        await store.wave_status("job-1", 1)
        done.append((number, kernel.now))

    for number in range(4):
        kernel.spawn(ask(number), f"ask-{number}")
    kernel.run_to_quiescence()
    assert done == [(0, 10_000), (1, 10_000), (2, 20_000), (3, 20_000)]


def test_jobs_arrive_one_after_another():
    """The first call of each job is made at its arrival."""
    run = simulate(fleet(arrival_seconds=100.0, arrival_spread=0.0), "claiming")
    first = {}
    for call in run.calls:
        first.setdefault(call.job_id, call.started_at)
    starts = [first[name] // 1_000_000 for name in ("job-1", "job-2", "job-3")]
    assert starts == [0, 100, 200]


def test_one_job_s_trouble_is_counted_apart():
    """Stalling strands batches in every job; each stranded job is counted once."""
    measured = SeededRuns(fleet("stalling", parents_per_batch=1)).run(0)
    assert measured.stranded_jobs == 3
    assert measured.stranded_batches > 3
    assert measured.completed_jobs == 0


def test_a_timed_run_of_a_fleet_adds_its_jobs_up():
    """Batches by status over all jobs, one history for each wave number."""
    run = simulate(fleet(), "claiming")
    assert run.job_status == "3 of 3 completed"
    assert run.batches_by_status["completed"] == 33
    assert sorted(run.histories) == [1, 2, 3]
    derived = run.histories[3]
    assert derived.counts[-1].tolist() == [0, 0, 0, 9]
    assert (derived.times[1:] >= derived.times[:-1]).all()


def test_pollers_call_for_every_job():
    """Where nothing else calls, the pollers complete every job."""
    world = fleet(
        parents_call=False, derived_call=False, pollers=1, polls=40,
        poll_interval_seconds=5.0,
    )  # fmt: skip
    assert SeededRuns(world).run(0).completed_jobs == 3


def test_an_untimed_fleet_can_be_searched():
    """Two jobs on one queue, no time: every step is a choice, and it ends."""
    settings = FleetSettings(**(SMALL | {"jobs": 2, "parents": 2}))
    world = FleetWorld(Kernel(timed=False), VARIANTS["claiming"], settings)
    world.start()
    world.kernel.run_to_quiescence()
    assert {job.status for job in world.store.jobs} == {"completed"}


# Measured times -------------------------------------------------------------------


def test_samples_are_drawn_and_nothing_else():
    """Each of the measured values comes, about equally often."""
    draw = drawn_from((3, 5, 9), Stream(1, "service"))
    drawn = [draw() for _ in range(3_000)]
    assert set(drawn) == {3, 5, 9}
    # Binomial(3000, 1/3): six standard deviations are 155.
    assert all(abs(drawn.count(value) - 1_000) < 155 for value in (3, 5, 9))


def test_measured_times_take_the_place_of_the_spread():
    """Service, latency and arrivals from samples: only those values occur."""
    world = fleet(service_samples="2, 4", latency_samples_ms="1,3", arrival_samples="7")
    run = simulate(world, "claiming")
    served = {batch.completed_at - batch.dispatched_at for batch in run.batches}
    assert min(served) >= 2_000_000
    assert world.is_latency_drawn()
    starts = {call.job_id: call.started_at for call in reversed(run.calls)}
    assert starts["job-2"] // 1_000_000 == 7


@pytest.mark.parametrize("text", ["1,x", "-1", "1e12", "nan"])
def test_samples_that_are_no_times_are_refused(text):
    """The setting, the value and what was expected."""
    with pytest.raises(InvalidScenario, match="service_samples"):
        FleetSettings(service_samples=text)


def test_samples_are_read_from_text():
    """Commas between numbers, blanks do not count, nothing is nothing."""
    assert parse_samples("service_samples", " 1, 2.5,,3 ") == (1.0, 2.5, 3.0)
    assert parse_samples("service_samples", "") == ()
    with pytest.raises(InvalidScenario, match="at most 10,000"):
        parse_samples("service_samples", "1," * 10_001)

"""What every coordinator promises, whatever its rule.

The calls here do not overlap: what happens when they do is what Wavecheck is for, and
differs from rule to rule.
"""

import pytest

from wavecheck.coordinator import BatchState, JobState, WaveKind, WaveState
from wavecheck.coordinator.listener import LISTENERS
from wavecheck.coordinator.worker import WORKERS
from wavecheck.scenarios.pipeline.import_job import ImportJobWorld
from wavecheck.scenarios.pipeline.properties import PIPELINE_PROPERTIES
from wavecheck.scenarios.pipeline.settings import ImportJobSettings
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.property import Judge
from wavecheck.sim.trace import Trace

LEGAL = tuple(
    one
    for one in PIPELINE_PROPERTIES
    if one.name in ("legal_transitions", "no_double_dispatch")
)


class Desk:
    """One job, one coordinator, and calls made one after another."""

    def __init__(self, coordinator_type, *, waves):
        self.kernel = Kernel(steps_max=10_000)
        self.store = PipelineStore(self.kernel, stale_after=1_000, lease=1_000)
        self.store.add_job("job", 0)
        self.batches = {}
        for number, (kind, count) in enumerate(waves, start=1):
            names = [f"w{number}-{index}" for index in range(1, count + 1)]
            self.batches[number] = names
            self.store.add_wave("job", number, kind, "T", [(one, ()) for one in names])
            self.store.waves.update(("job", number), is_sealed=True)
        self.kernel.mark()
        self.plans = {}
        self.judge = Judge(self.kernel, self, LEGAL)
        self.coordinator = coordinator_type(self.store)
        policy = getattr(coordinator_type, "worker_policy", "trusting")
        self.has_leases = policy == "leased"

    def call(self, coroutine):
        """Run one coroutine to its end and return its result."""
        results = []

        async def task():
            results.append(await coroutine)

        self.kernel.spawn(task(), f"task-{len(self.kernel.tasks)}")
        self.kernel.run_to_quiescence()
        assert self.judge.violations == {}
        return results[0]

    def dispatch(self, number=1):
        return self.call(self.coordinator.dispatch_wave("job", number))

    def trigger(self):
        self.call(self.coordinator.check_and_trigger_next_wave("job"))

    def work(self):
        """Take and complete whatever is queued; return the ids in order."""
        done = []

        async def serve():
            while len(self.store.queue):
                batch, attempt = await self.store.take_batch()
                if self.has_leases:
                    await self.store.start_leased(batch.batch_id, attempt)
                    await self.store.finish_leased(batch.batch_id, attempt)
                else:
                    await self.store.start_batch(batch.batch_id)
                    await self.store.finish_batch(batch.batch_id)
                done.append(batch.batch_id)

        self.call(serve())
        return done

    def status(self, number=1):
        return self.store.waves.get(("job", number)).status

    def queued(self):
        return tuple(batch_id for batch_id, _ in self.store.queue.snapshot())


@pytest.fixture
def desk(coordinator_type):
    """Make a desk with (kind, number of batches) for each wave."""

    def make(*waves):
        return Desk(coordinator_type, waves=waves or ((WaveKind.MAIN, 3),))

    return make


def test_a_pending_wave_is_dispatched_in_order(desk):
    """The first call sends every batch once, in order, and says how many."""
    one = desk()
    assert one.dispatch() == 3
    assert one.queued() == ("w1-1", "w1-2", "w1-3")
    assert one.status() is WaveState.PROCESSING
    assert one.store.batches.count(status=BatchState.DISPATCHED) == 3


def test_a_second_call_sends_nothing_again(desk):
    """While its batches are under way, a wave's next calls do nothing."""
    one = desk()
    one.dispatch()
    assert [one.dispatch() for _ in range(3)] == [0, 0, 0]
    assert len(one.queued()) == 3


def test_a_call_for_a_completed_wave_does_nothing(desk):
    """A completed wave stays completed and sends nothing."""
    one = desk()
    one.trigger()
    one.work()
    one.trigger()
    assert one.status() is WaveState.COMPLETED
    assert one.dispatch() == 0
    assert one.status() is WaveState.COMPLETED
    assert one.queued() == ()


def test_main_waves_run_in_ascending_order(desk):
    """A main wave is sent only when the one before it is completed; then the job is."""
    one = desk(*[(WaveKind.MAIN, 2)] * 3)
    served = []
    for _ in range(8):
        one.trigger()
        served.append(one.work())
    assert [work for work in served if work] == [
        one.batches[1],
        one.batches[2],
        one.batches[3],
    ]
    assert one.store.jobs.get("job").status is JobState.COMPLETED


def test_a_derived_wave_runs_beside_the_main_waves(desk):
    """One call sends the first main wave and the derived wave."""
    one = desk((WaveKind.MAIN, 1), (WaveKind.MAIN, 1), (WaveKind.DERIVED, 2))
    one.trigger()
    assert sorted(one.queued()) == ["w1-1", "w3-1", "w3-2"]


def test_a_job_is_not_completed_while_a_main_wave_is_open(desk):
    """Calls without work complete nothing."""
    one = desk((WaveKind.MAIN, 1), (WaveKind.MAIN, 1))
    for _ in range(3):
        one.trigger()
    assert one.store.jobs.get("job").status is JobState.PROCESSING


def test_a_completed_job_stays_completed(desk):
    """Calls after the end change nothing."""
    one = desk()
    for _ in range(4):
        one.trigger()
        one.work()
    before = {name: part.snapshot() for name, part in one.kernel.parts.items()}
    one.trigger()
    after = {name: part.snapshot() for name, part in one.kernel.parts.items()}
    assert after == before
    assert one.store.jobs.get("job").status is JobState.COMPLETED


def test_every_call_comes_to_an_end(desk):
    """A call makes a bounded number of statements: ten for a wave and two a batch."""
    one = desk((WaveKind.MAIN, 20))
    one.trigger()
    assert one.kernel.steps_count <= 10 + 2 * 20


def test_each_object_is_fresh(coordinator_type):
    """Two objects of the class share nothing: the second behaves like the first."""

    def traced():
        one = Desk(coordinator_type, waves=((WaveKind.MAIN, 2), (WaveKind.DERIVED, 2)))
        trace = Trace(one.kernel)
        for _ in range(4):
            one.trigger()
            one.work()
        return trace.digest()

    assert traced() == traced()


def test_the_policies_exist(coordinator_type):
    """The class names a listener and a worker that there are, or none."""
    assert getattr(coordinator_type, "listener_policy", "progressive") in LISTENERS
    assert getattr(coordinator_type, "worker_policy", "trusting") in WORKERS


@pytest.mark.parametrize("is_timed", [True, False])
def test_a_job_without_concurrency_completes(coordinator_type, finish, is_timed):
    """One worker, one parent, first-in-first-out: nothing overlaps, all is done."""
    kernel = Kernel(timed=is_timed, steps_max=10_000)
    settings = ImportJobSettings(
        parents=1, parents_per_batch=1, workers=1, waves_before=1
    )
    world = ImportJobWorld(kernel, coordinator_type, settings)
    world.start()
    finish(kernel)
    assert {batch.status for batch in world.store.batches} == {BatchState.COMPLETED}
    assert next(iter(world.store.jobs)).status is JobState.COMPLETED

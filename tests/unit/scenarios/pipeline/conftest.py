"""Small worlds with coordinators and listeners that are wrong on purpose."""

import pytest

from wavecheck.coordinator import VARIANTS, Claiming, WaveKind
from wavecheck.coordinator.listener import LISTENERS
from wavecheck.scenarios.pipeline.import_job import ImportJobWorld
from wavecheck.scenarios.pipeline.settings import ImportJobSettings
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.scenarios.pipeline.timed_run import simulate
from wavecheck.sim.kernel import Kernel


@pytest.fixture
def small_job():
    """Run a small import job with one coordinator; return the run."""

    def run(coordinator_type=Claiming, **changed):
        if isinstance(coordinator_type, str):
            coordinator_type = VARIANTS[coordinator_type]
        settings = {
            "parents": 6,
            "parents_per_batch": 2,
            "threshold": 0.3,
            "waves_before": 1,
            "batches_per_wave_before": 2,
            "workers": 2,
            "service_seconds": 5.0,
        }
        options = {
            name: changed.pop(name)
            for name in ("trace_lines", "collects_log", "progress")
            if name in changed
        }
        settings = ImportJobSettings(**(settings | changed))
        world = ImportJobWorld(Kernel(steps_max=50_000), coordinator_type, settings)
        return simulate(world, coordinator_type.__name__, **options)

    return run


@pytest.fixture
def with_listener(monkeypatch):
    """Return the claiming coordinator with a listener class of one's own."""

    def make(listener_type):
        monkeypatch.setitem(LISTENERS, "planted", listener_type)

        class Planted(Claiming):
            listener_policy = "planted"

        return Planted

    return make


@pytest.fixture
def store():
    """A store with one job, one main and one derived wave, and no task."""
    kernel = Kernel(timed=True)
    made = PipelineStore(kernel, stale_after=100, lease=1_000)
    made.add_job("job", 2)
    made.add_wave(
        "job", 1, WaveKind.MAIN, "SalesOrder", [("b2", ("p2",)), ("b1", ("p1",))]
    )
    made.add_wave("job", 2, WaveKind.DERIVED, "TransactionLine", [])
    made.kernel = kernel
    kernel.mark()
    return made


@pytest.fixture
def perform(store):
    """Perform statements of the store, one after another; return their results."""

    def run(*operations, at=0):
        results = []

        async def task():
            results.extend([await operation for operation in operations])

        number = len(store.kernel.tasks)
        store.kernel.spawn(task(), f"task-{number}", at=at)
        store.kernel.run_to_quiescence()
        return results if len(results) != 1 else results[0]

    return run

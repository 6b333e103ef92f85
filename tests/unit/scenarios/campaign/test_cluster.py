"""Campaigns on a real Dask cluster of processes on this machine."""

import os
import signal

import distributed
import pytest

from wavecheck.scenarios.campaign.campaign import campaign, complete
from wavecheck.scenarios.campaign.cluster import cluster_engine, not_collecting
from wavecheck.scenarios.campaign.engines import EngineLost, run_pieces
from wavecheck.scenarios.campaign.runs import OtherCode
from wavecheck.scenarios.campaign.store import create_store
from wavecheck.sim.errors import InvalidScenario

# What Dask's own threads and processes warn of at their end is not ours.
pytestmark = pytest.mark.filterwarnings("default")


def local_cluster(processes):
    """A scheduler and processes with one thread each, no fixed ports.

    Dask gives its own thread ten seconds to start, which a machine with twenty busy
    processes for two cores may not: then it is asked again.
    """
    for attempt in range(5):
        try:
            with not_collecting():
                return distributed.LocalCluster(
                    n_workers=processes,
                    threads_per_worker=1,
                    dashboard_address=":0",
                    silence_logs=50,
                )
        except (AssertionError, TimeoutError, RuntimeError):
            if attempt == 4:
                raise
    return None


@pytest.fixture(scope="module")
def cluster():
    """Two processes."""
    with local_cluster(2) as made:
        yield made


@pytest.fixture
def engine(cluster):
    """The engine by the scheduler's address."""
    made = cluster_engine(cluster.scheduler_address)
    yield made
    made.close()


def die_once(piece):
    """End this process without a word, but only the first time."""
    number, marker = piece
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_cluster_gives_the_results_of_this_process(plan_of, engine):
    """The same export, byte for byte, and the same report."""
    plan = plan_of(grid={"pollers": [0, 1]}, seeds_count=30)
    exports, results = [], []
    for options in ({}, {"engine": engine}):
        with create_store(plan, None, resumes=False) as store:
            result = complete(plan, store=store, **options)
            exports.append(store.export())
            results.append((result.points, result.differences))
    assert exports[0] == exports[1]
    assert results[0] == results[1]
    assert engine.processes == 2
    assert engine.name.startswith("the cluster at tcp://")


def test_a_client_of_one_s_own_is_used_and_left_open(plan_of, cluster):
    """As in a notebook: `cluster_engine(client)`."""
    with distributed.Client(cluster, set_as_default=False) as client:
        engine = cluster_engine(client)
        assert campaign(plan_of(seeds_count=10), engine=engine).runs == 20
        engine.close()
        assert client.submit(abs, -2).result() == 2


def test_a_killed_process_costs_only_its_pieces(engine, tmp_path):
    """Dask runs the pieces of a dead process again; none is lost, none doubled."""
    pieces = [(number, tmp_path / "died") for number in range(8)]
    found = run_pieces(engine, die_once, pieces)
    assert sorted(result for _, result, _ in found) == list(range(8))
    assert (tmp_path / "died").exists()


def test_a_process_with_other_code_is_refused(plan_of, engine, monkeypatch):
    """Checked before the first piece, and again by every piece."""
    with monkeypatch.context() as here:
        here.setattr(
            "wavecheck.scenarios.campaign.campaign.code_digest",
            lambda scenario, name: "1" * 32,
        )
        with pytest.raises(OtherCode, match="install the same version everywhere"):
            campaign(plan_of(), engine=engine)
    address = engine.name.removeprefix("the cluster at ")
    monkeypatch.setattr("wavecheck.scenarios.campaign.cluster.own_digest", other_digest)
    with pytest.raises(InvalidScenario, match="another version of Wavecheck"):
        cluster_engine(address)


def other_digest():
    return str(os.getpid())


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "no address", "nowhere:x"])
def test_a_cluster_that_does_not_answer_is_refused(address, monkeypatch):
    """The address is named, and what to check."""
    monkeypatch.setattr("wavecheck.scenarios.campaign.cluster.PATIENCE_SECONDS", 0.5)
    with pytest.raises(InvalidScenario, match="does not answer") as refused:
        cluster_engine(address)
    assert repr(address) in str(refused.value)


def test_the_loss_of_the_scheduler_is_reported_and_the_campaign_goes_on(
    plan_of, monkeypatch
):
    """Killed in mid-campaign: what was finished is kept, and --resume is named."""
    monkeypatch.setattr("wavecheck.scenarios.campaign.cluster.PATIENCE_SECONDS", 2.0)
    with local_cluster(1) as doomed:
        engine = cluster_engine(doomed.scheduler_address)
        plan = plan_of(seeds_count=400)

        def kill(now):
            if 20 < now.runs < 300:
                doomed.close()

        with create_store(plan, None, resumes=False) as store:
            with pytest.raises(EngineLost, match="--resume"):
                complete(plan, store=store, engine=engine, progress=kill)
            kept = store.count()
            assert 20 < kept < 800
            seen = []
            result = complete(plan, store=store, progress=seen.append)
            assert result.new_runs == 800 - kept
        engine.close()


def test_a_cluster_without_processes_is_refused():
    """A scheduler alone can run nothing; it says how to start processes."""
    with (
        local_cluster(0) as empty,
        pytest.raises(InvalidScenario, match="no processes yet"),
    ):
        cluster_engine(empty.scheduler_address)

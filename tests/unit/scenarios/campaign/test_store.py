"""The results file: whole at any moment, added to, never another campaign's."""

import signal
import sqlite3
import subprocess
import sys
import time
from random import Random

import pytest

from wavecheck.scenarios.campaign.campaign import campaign
from wavecheck.scenarios.campaign.frames import read_frame
from wavecheck.scenarios.campaign.store import create_store, merge, open_store
from wavecheck.sim.errors import InvalidScenario, NondeterminismError


@pytest.fixture
def kept(plan_of, tmp_path):
    """Run a small campaign into a file; return the file."""

    def run(name, *args, resumes=False, **options):
        path = tmp_path / name
        campaign(plan_of(*args, **options), store=path, resumes=resumes)
        return path

    return run


def exported(path):
    with open_store(path) as store:
        return store.export()


def test_a_file_holds_what_the_runs_measured(kept):
    """One row for each run, with coordinator, parameters, seed and measures."""
    path = kept("a.db", grid={"pollers": [0, 1]}, seeds_count=3)
    with open_store(path) as store:
        records = list(store.records())
        assert store.count() == len(records) == 12
        assert store.seeds(2) == {0, 1, 2}
    assert records[6]["coordinator"] == "stalling"
    assert (records[6]["pollers"], records[6]["seed"]) == ("1", 0)
    assert records[6]["steps"] > 0
    assert len(records[6]["digest"]) == 32


def test_a_campaign_goes_on_where_it_was(kept):
    """More seeds, a second time: the file equals that of one campaign with all."""
    path = kept("a.db", seeds_count=7)
    kept("a.db", seeds_count=20, resumes=True)
    assert exported(path) == exported(kept("b.db", seeds_count=20))


def test_holes_are_filled(plan_of, tmp_path, kept):
    """Seeds that are missing in the middle are run, and nothing else."""
    path = tmp_path / "a.db"
    for first in (0, 12, 6):
        plan = plan_of(first_seed=first, seeds_count=4)
        campaign(plan, store=path, resumes=True)
    seen = []
    campaign(plan_of(seeds_count=16), store=path, resumes=True, progress=seen.append)
    assert seen[0].runs > 24
    assert exported(path) == exported(kept("b.db", seeds_count=16))


def test_files_of_one_campaign_are_merged(kept, tmp_path):
    """Two halves and an overlap make the whole."""
    parts = [
        kept("a.db", seeds_count=6),
        kept("b.db", first_seed=4, seeds_count=6),
    ]
    assert merge(parts, tmp_path / "all.db") == 20
    assert exported(tmp_path / "all.db") == exported(kept("whole.db", seeds_count=10))
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "a.db",
        "all.db",
        "b.db",
        "whole.db",
    ]


def test_a_merge_writes_a_new_file_of_one_campaign(kept, tmp_path):
    """A target that is there, or parts of two campaigns, are refused."""
    mine, other = kept("a.db", seeds_count=2), kept("b.db", ["claiming"], seeds_count=2)
    before = mine.read_bytes()
    with pytest.raises(InvalidScenario, match="a merge writes a new file"):
        merge([mine], mine)
    with pytest.raises(InvalidScenario, match="another campaign"):
        merge([mine, other], tmp_path / "c.db")
    with pytest.raises(InvalidScenario, match="no such file"):
        merge([mine, tmp_path / "none.db"], tmp_path / "c.db")
    assert not (tmp_path / "c.db").exists()
    assert mine.read_bytes() == before


def test_a_run_that_is_there_must_be_the_same(plan_of, tmp_path):
    """Another outcome under the same name is nondeterminism, and nothing is added."""
    plan = plan_of()
    row, other = ((*range(len(plan.columns) - 1), end) for end in ("f0", "f1"))
    with create_store(plan, tmp_path / "a.db", resumes=False) as store:
        store.add(0, [(1, row)])
        store.add(0, [(1, row)])
        with pytest.raises(NondeterminismError, match="seed 1 of point 0"):
            store.add(0, [(0, row), (1, other)])
        assert store.seeds(0) == {1}


def test_rows_are_only_ever_added(kept):
    """The file itself refuses to change or delete a run."""
    with sqlite3.connect(kept("a.db", seeds_count=2)) as database:
        for text in ("UPDATE runs SET steps = 1", "DELETE FROM runs"):
            with pytest.raises(sqlite3.IntegrityError, match="added, never changed"):
                database.execute(text)
    database.close()


def test_a_file_that_is_there_is_not_overwritten(kept):
    """Without --resume it is refused, and left as it is."""
    path = kept("a.db", seeds_count=2)
    before = path.read_bytes()
    with pytest.raises(InvalidScenario, match="--resume goes on"):
        kept("a.db", seeds_count=2)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"pollers": 1}}, "settings there"),
        ({"coordinators": ["stalling", "claiming"]}, "coordinator there"),
        ({"coordinators": ["stalling"]}, "points there  2 of them"),
        ({"grid": {"pollers": ["0", "1"]}}, "points there  2 of them"),
        ({"steps_max": 77_777}, "another campaign"),
    ],
)
def test_the_file_of_another_campaign_is_refused(kept, options, message):
    """What differs is said; the file is left as it is."""
    path = kept("a.db", seeds_count=2)
    before = path.read_bytes()
    with pytest.raises(InvalidScenario, match="another campaign") as refused:
        kept("a.db", seeds_count=2, resumes=True, **options)
    assert message in str(refused.value)
    assert path.read_bytes() == before


def test_the_file_of_another_version_is_refused(kept, monkeypatch):
    """Other sources: refused with what to do, and nothing is mixed."""
    kept("a.db", seeds_count=2)
    monkeypatch.setattr(
        "wavecheck.scenarios.campaign.plan.code_digest", lambda scenario, name: "1" * 32
    )
    with pytest.raises(InvalidScenario, match="another version of Wavecheck"):
        kept("a.db", seeds_count=2, resumes=True)


def test_what_is_no_results_file_is_refused(plan_of, tmp_path):
    """Text, another program's database, a folder: named, and left as it is."""
    text = tmp_path / "notes.txt"
    text.write_text("my notes " * 200)
    foreign = tmp_path / "other.db"
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE mine (a)")
    database.close()
    for path in (text, foreign, tmp_path):
        with pytest.raises(InvalidScenario, match=str(path)):
            create_store(plan_of(), path, resumes=True)
    assert text.read_text().startswith("my notes")
    with pytest.raises(InvalidScenario, match="no such file"):
        open_store(tmp_path / "none.db")


def test_an_empty_file_is_begun(kept, tmp_path):
    """What a crash during the very first write leaves is no obstacle."""
    (tmp_path / "a.db").touch()
    with open_store(kept("a.db", seeds_count=2)) as store:
        assert store.count() == 4


def test_a_file_is_read_as_a_data_frame(kept):
    """Parameters as numbers, outcomes that were not at risk missing."""
    frame = read_frame(kept("a.db", grid={"pollers": [0, 1]}, seeds_count=5))
    assert len(frame) == 20
    assert frame["pollers"].sum() == 10
    rates = frame.groupby(["coordinator", "pollers"])["no_stranded_batch"].mean()
    assert rates["stalling", 0] > rates["progressive", 0] == 0
    assert frame["makespan_us"].min() > 0


CAMPAIGN = (
    "campaign import-job -c stalling -c claiming --grid workers=2,4 --seeds 60"
    " --set parents=12 --store FILE --resume"
)


def start(path, *extra):
    arguments = [*CAMPAIGN.replace("FILE", str(path)).split(), *extra]
    code = f"from wavecheck.reports.cli import run_command; run_command({arguments!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_and_resumed(path, kills, *extra):
    """Kill a campaign with SIGKILL at random moments; return how many were in time."""
    random, hit = Random(8), 0
    while hit < kills:
        running = start(path, *extra)
        deadline = time.monotonic() + 60
        grown = runs_in(path)
        # Killed once it has added something, after a random time on top.
        while running.poll() is None and runs_in(path) == grown:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(random.random() * 0.05)
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.communicate()
        hit += 1
    last = start(path, *extra)
    _, errors = last.communicate()
    assert last.returncode == 0, errors
    return hit


def runs_in(path):
    if not path.exists() or path.stat().st_size == 0:
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            found = database.execute("SELECT count(*) FROM runs").fetchone()[0]
        database.close()
    except sqlite3.OperationalError:
        return 0
    return found


def test_a_killed_campaign_ends_as_an_undisturbed_one(tmp_path):
    """Killed twice with SIGKILL and resumed: the same export, byte for byte."""
    assert killed_and_resumed(tmp_path / "killed.db", 2) == 2
    assert killed_and_resumed(tmp_path / "calm.db", 0) == 0
    assert exported(tmp_path / "killed.db") == exported(tmp_path / "calm.db")

"""Campaigns: runs a second on one core, overhead of a run, and what engines add."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Final

from benchmarks.measuring import Subject, in_fresh_process
from benchmarks.table import Bar, Table
from wavecheck import find_scenario
from wavecheck.scenarios.campaign.campaign import campaign
from wavecheck.scenarios.campaign.cluster import cluster_engine
from wavecheck.scenarios.campaign.engines import IN_PROCESS, Engine, local_engine
from wavecheck.scenarios.campaign.plan import Plan
from wavecheck.scenarios.campaign.store import open_store
from wavecheck.scenarios.comparison import build_timed_world
from wavecheck.scenarios.pipeline.measurement import SeededRuns
from wavecheck.sim.kernel import STEPS_MAX
from wavecheck.sim.property import Judge

COORDINATOR: Final = "claiming"
RUNS_PER_SECOND_MIN: Final = 200
OVERHEAD_MS_MAX: Final = 2.0
LOCAL_MIN: Final = 1.8
DASK_MIN: Final = 1.5
FLEET_SECONDS_MAX: Final = 300
FLEET_MB_MAX: Final = 2_000
FLEET_STEPS_MAX: Final = 100_000_000

ALONE: Final = "this process"
STEPS: Final = "its steps, with properties watching"
MEASURED: Final = "judged and measured, one world reseeded"
CAMPAIGN: Final = "a campaign with a results file"


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield the tables of a run, of the engines, and of a fleet."""
    yield _runs(rounds_count=3 if is_quick else 11, runs=60 if is_quick else 200)
    yield _engines(rounds_count=1 if is_quick else 5, seeds=400 if is_quick else 6_000)
    yield _kills(kills=3 if is_quick else 10, seeds=1_000 if is_quick else 6_000)
    yield _fleet(100 if is_quick else 1_000, 100 if is_quick else 500)


# One run ------------------------------------------------------------------------


def _cpu_seconds(
    subjects: Mapping[str, Subject], rounds_count: int
) -> dict[str, list[float]]:
    """Return the processor time of one run by subject, one number for each round."""
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds_count + 1):
        for name, subject in subjects.items():
            runs, work = subject()
            began = process_time()
            work()
            if number > 0:  # the first round does not count
                seconds[name].append((process_time() - began) / runs)
    return seconds


def _steps_alone(runs: int) -> Subject:
    def set_up() -> tuple[int, Callable[[], object]]:
        scenario = find_scenario("import-job")
        world = build_timed_world(
            scenario, COORDINATOR, scenario.settings(), steps_max=STEPS_MAX
        )
        Judge(world.kernel, world, world.properties)

        def work() -> None:
            for seed in range(runs):
                world.reseed(seed)
                world.start()
                world.kernel.run_to_quiescence()

        return runs, work

    return set_up


def _measured(runs: int) -> Subject:
    def set_up() -> tuple[int, Callable[[], object]]:
        scenario = find_scenario("import-job")
        world = build_timed_world(
            scenario, COORDINATOR, scenario.settings(), steps_max=STEPS_MAX
        )
        seeded = SeededRuns(world)
        return runs, lambda: [seeded.run(seed) for seed in range(runs)]

    return set_up


def _campaign(runs: int) -> Subject:
    def set_up() -> tuple[int, Callable[[], object]]:
        plan = _plan(runs)

        def work() -> None:
            with TemporaryDirectory() as folder:
                campaign(plan, store=Path(folder) / "runs.db")

        return runs, work

    return set_up


def _plan(seeds: int) -> Plan:
    return Plan.of(find_scenario("import-job"), [COORDINATOR], seeds_count=seeds)


def _runs(*, rounds_count: int, runs: int) -> Table:
    subjects = {
        STEPS: _steps_alone(runs),
        MEASURED: _measured(runs),
        CAMPAIGN: _campaign(runs),
    }
    seconds = _cpu_seconds(subjects, rounds_count)
    overheads = [
        (whole - steps) * 1e3
        for whole, steps in zip(seconds[CAMPAIGN], seconds[STEPS], strict=True)
    ]
    per_second = 1 / median(seconds[MEASURED])
    scenario = find_scenario("import-job")
    one = SeededRuns(
        build_timed_world(
            scenario, COORDINATOR, scenario.settings(), steps_max=STEPS_MAX
        )
    ).run(0)
    return Table(
        title="What a run of a campaign costs",
        command="python -m benchmarks campaigns",
        note=f"`import-job` at its defaults with `{COORDINATOR}`: {one.batches}"
        f" batches, {one.statements} statements, {one.steps} steps (seed 0). Seconds of"
        " processor time, so that they are those of one core however busy it is."
        " The campaign's time also holds its intervals and its results file, which is"
        f" written, closed and deleted. Medians of {rounds_count} rounds of {runs}"
        " seeds in which the rows take turns.",
        columns=("one run", "ms per run", "runs a second"),
        rows=[
            (
                name,
                f"{median(seconds[name]) * 1e3:.2f}",
                f"{1 / median(seconds[name]):.0f}",
            )
            for name in subjects
        ],
        bars=[
            Bar(
                text=f"{per_second:.0f} timed runs a second on one core, at least"
                f" {RUNS_PER_SECOND_MIN}",
                is_reached=per_second >= RUNS_PER_SECOND_MIN,
            ),
            Bar(
                text=f"{median(overheads):.2f} ms of a run are not its steps, at most"
                f" {OVERHEAD_MS_MAX:g}",
                is_reached=median(overheads) <= OVERHEAD_MS_MAX,
            ),
        ],
    )


# Engines ------------------------------------------------------------------------


@contextmanager
def _dask_cluster(processes: int) -> Iterator[str]:
    """Start a scheduler and processes as on any cluster; yield the address."""
    code = (
        "import sys, distributed as d\n"
        "if __name__ == '__main__':\n"
        f"    c = d.LocalCluster(n_workers={processes}, threads_per_worker=1,"
        " dashboard_address=None)\n"
        "    print(c.scheduler_address, flush=True)\n"
        "    sys.stdin.read()\n"
        "    c.close()\n"
    )
    with TemporaryDirectory() as folder:
        script = Path(folder) / "cluster.py"
        script.write_text(code)
        started = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert started.stdout is not None
            yield started.stdout.readline().strip()
        finally:
            started.communicate("")


def _seconds(plan: Plan, engine: Engine) -> float:
    with TemporaryDirectory() as folder:
        began = perf_counter()
        campaign(plan, store=Path(folder) / "runs.db", engine=engine)
        return perf_counter() - began


def _engines(*, rounds_count: int, seeds: int) -> Table:
    plan = _plan(seeds)
    seconds: dict[str, list[float]] = {}
    with _dask_cluster(2) as address:
        cluster = cluster_engine(address)
        engines = {
            ALONE: IN_PROCESS,
            "2 processes": local_engine(2),
            "Dask, 2 processes": cluster,
        }
        for _ in range(rounds_count):
            for name, engine in engines.items():
                seconds.setdefault(name, []).append(_seconds(plan, engine))
        cluster.close()
    ratios = {
        name: median(
            one / other
            for one, other in zip(seconds["this process"], took, strict=True)
        )
        for name, took in seconds.items()
    }
    bars = {"2 processes": LOCAL_MIN, "Dask, 2 processes": DASK_MIN}
    return Table(
        title="What engines add",
        command="python -m benchmarks campaigns",
        note=f"{seeds:,} runs of `import-job` with `{COORDINATOR}` at its defaults, all"
        " in a results file; from the call to the summary, so the time of local"
        " processes holds their start. A cluster is there already."
        f" Medians of {rounds_count} rounds in which the rows take turns.",
        columns=("engine", "seconds", "runs a second", "times one process"),
        rows=[
            (
                name,
                f"{median(took):.2f}",
                f"{seeds / median(took):.0f}",
                f"{ratios[name]:.2f}",
            )
            for name, took in seconds.items()
        ],
        bars=[
            Bar(
                text=f"{name}: {ratios[name]:.2f} times one process, at least {least}",
                is_reached=ratios[name] >= least,
            )
            for name, least in bars.items()
        ],
    )


# Crashes ------------------------------------------------------------------------


def _kills(*, kills: int, seeds: int) -> Table:
    """Kill a campaign at random moments, resume it each time, compare the end.

    A moment is uniform over twice the share of an undisturbed campaign that one kill
    has, counted from the start of its process: some fall into that start. A write takes
    a few thousandths of the time, which random moments would miss, so every second kill
    waits from its moment on until the file's log is seen to grow.
    """
    random = Random(kills)
    with TemporaryDirectory() as folder:
        killed, calm = Path(folder) / "killed.db", Path(folder) / "calm.db"
        began = perf_counter()
        _complete(calm, seeds)
        whole = perf_counter() - began
        rows = []
        for number in range(1, kills + 1):
            moment = random.random() * 2.0 * whole / kills
            in_write = number % 2 == 0
            _kill(killed, seeds, moment, in_write=in_write)
            when = f"{moment:.3f}" + (", then in a write" if in_write else "")
            rows.append((str(number), when, f"{_count(killed):,}"))
        _complete(killed, seeds)
        texts = []
        for path in (killed, calm):
            with open_store(path) as store:
                texts.append(store.export())
    return Table(
        title="Killed and resumed",
        command="python -m benchmarks campaigns",
        note=f"A campaign of {seeds:,} runs in two processes with a results file, which"
        f" is killed {kills} times with SIGKILL and resumed. Undisturbed it takes"
        f" {whole:.1f} s, the start of its processes included. Every second kill waits"
        " from its moment on for the file's log to grow.",
        columns=("kill", "seconds after its start", "runs kept"),
        rows=rows,
        bars=[
            Bar(
                text="the export equals that of an undisturbed campaign, byte for"
                f" byte: {len(texts[0]):,} bytes",
                is_reached=texts[0] == texts[1],
            )
        ],
    )


def _started(path: Path, seeds: int) -> SpawnProcess:
    process = get_context("spawn").Process(target=_keep, args=(path, seeds))
    process.start()
    return process


def _complete(path: Path, seeds: int) -> None:
    process = _started(path, seeds)
    process.join()
    assert process.exitcode == 0


def _kill(path: Path, seeds: int, moment: float, *, in_write: bool) -> None:
    """Start or resume a campaign, and kill it."""
    process = _started(path, seeds)
    process.join(moment)
    log = path.with_name(path.name + "-wal")
    size = _size(log)
    while in_write and process.is_alive() and _size(log) == size:
        pass
    assert process.is_alive(), "it came to its end before it was killed"
    process.kill()
    process.join()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _keep(path: Path, seeds: int) -> None:
    campaign(_plan(seeds), store=path, resumes=True, engine=local_engine(2))


def _count(path: Path) -> int:
    if not path.exists() or not path.stat().st_size:
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


# The fleet ----------------------------------------------------------------------


def run_fleet(jobs: int, parents: int) -> tuple[int, int, int, float]:
    """Run one fleet; return batches, steps, stranded batches and the seconds."""
    began = perf_counter()
    scenario = find_scenario("fleet")
    settings = scenario.settings(
        {"jobs": jobs, "parents": parents, "parents_per_batch": 1, "waves_before": 0}
        | {"workers": 500, "connections": 32}
    )
    world = build_timed_world(
        scenario, COORDINATOR, settings, steps_max=FLEET_STEPS_MAX
    )
    one = SeededRuns(world).run(0)
    return one.batches, one.steps, one.stranded_batches, perf_counter() - began


def _fleet(jobs: int, parents: int) -> Table:
    (batches, steps, stranded, took), peak = in_fresh_process(
        partial(run_fleet, jobs, parents)
    )
    assert stranded == 0
    return Table(
        title="A fleet",
        command="python -m benchmarks campaigns",
        note=f"`fleet` with `{COORDINATOR}`: {jobs:,} jobs of {parents:,} parents and"
        f" {parents:,} derived batches each, 500 workers, a database of 32 statements"
        " at a time; built, run, judged and measured in a fresh process.",
        columns=("batches", "steps", "steps per batch", "seconds", "peak MB"),
        rows=[
            (
                f"{batches:,}",
                f"{steps:,}",
                f"{steps / batches:.1f}",
                f"{took:.0f}",
                f"{peak:.0f}",
            )
        ],
        bars=[
            Bar(
                text=f"{batches:,} batches in {took:.0f} s, below {FLEET_SECONDS_MAX}",
                is_reached=took < FLEET_SECONDS_MAX,
            ),
            Bar(
                text=f"{batches:,} batches in {peak:.0f} MB, below {FLEET_MB_MAX:,}",
                is_reached=peak < FLEET_MB_MAX,
            ),
        ],
    )

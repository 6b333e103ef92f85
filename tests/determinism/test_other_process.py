"""The same command gives the same bytes in another process, whatever its hash seed."""

import os
import subprocess
import sys

HASH_SEEDS = ("0", "1", "12345")
RUN = (
    *("run", "import-job", "--set", "latency_spread=0.5"),
    *("--trace", "trace.jsonl", "--json", "run.json", "--log"),
)
COMPARE = (
    *("compare", "import-job", "--set", "latency_spread=0.5", "--pictures", "."),
    *("-c", "stalling", "-c", "claiming", "--json", "compare.json"),
)


def everything(folder, hash_seed, *commands):
    """Run commands in a fresh process; return output and every file as bytes."""
    folder.mkdir()
    program = (
        "import sys\n"
        "from wavecheck.reports.cli import run_command\n"
        f"statuses = [run_command(list(one)) for one in {commands!r}]\n"
        "print(statuses)\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert done.stderr == b""
    found = {"output": done.stdout}
    for path in sorted(folder.iterdir()):
        found[path.name] = path.read_bytes()
    return found


def test_the_hash_seed_changes_no_byte(tmp_path):
    """Trace, JSON, log, tables and pictures under three values of PYTHONHASHSEED."""
    first, *others = (
        everything(tmp_path / seed, seed, RUN, COMPARE) for seed in HASH_SEEDS
    )
    assert list(first) == [
        "output",
        "compare.json",
        "import-job-status.png",
        "import-job-timelines.png",
        "run.json",
        "trace.jsonl",
    ]
    assert first["output"].endswith(b"[0, 1]\n")
    for other in others:
        for name, content in first.items():
            assert other[name] == content, name


def test_another_seed_gives_another_run(tmp_path):
    """Only the seed differs, and so do trace and result."""
    commands = [
        f"run import-job --seed {seed} --trace trace-{seed} --json run-{seed}".split()
        for seed in "01"
    ]
    found = everything(tmp_path / "x", "0", *commands)
    assert found["trace-0"] != found["trace-1"]
    assert found["run-0"] != found["run-1"]


RULES = """\
from wavecheck.coordinator import Claiming

class Raises(Claiming):
    async def dispatch_wave(self, job_id, wave_number):
        await self.db.wave_status(job_id, wave_number)
        raise ValueError("boom")

class Loops(Claiming):
    async def dispatch_wave(self, job_id, wave_number):
        while True:
            await self.db.wave_status(job_id, wave_number)
"""


def test_a_failure_is_told_the_same_and_without_warnings(tmp_path):
    """Messages of failed runs: equal bytes in two processes, nothing besides.

    The incident has hundreds of tasks that have not started when the run ends.
    """
    (tmp_path / "rules.py").write_text(RULES)
    program = (
        "from wavecheck.reports.cli import run_command\n"
        "for name in ('Raises', 'Loops'):\n"
        "    options = ['--steps', '2000', '-c', 'rules.py:' + name]\n"
        "    assert run_command(['run', 'incident', *options]) == 2\n"
    )
    told = []
    for hash_seed in HASH_SEEDS[:2]:
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
            timeout=120,
        )
        assert done.stdout == ""
        assert "Warning" not in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("error: ") == 2
        told.append(done.stderr)
    assert told[0] == told[1]


def test_every_built_in_coordinator_is_the_same_under_other_hash_seeds():
    """One random execution of each, in every scenario: its digest in three processes.

    `check` compares code of users in this way, and relies on this test for ours.
    """
    program = (
        "from wavecheck.scenarios.catalogue import SCENARIOS\n"
        "from wavecheck.scenarios.subject import Subject\n"
        "from wavecheck.sim.search.random_walk import RandomWalk\n"
        "for name, scenario in SCENARIOS.items():\n"
        "    for one in scenario.coordinators if name != 'incident' else ():\n"
        "        schedule = Subject.of(scenario, one).record(RandomWalk(1))\n"
        "        print(name, one, schedule.digest)\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            timeout=300,
        ).stdout
        for hash_seed in HASH_SEEDS
    }
    assert len(told) == 1
    assert len(told.pop().splitlines()) > 100

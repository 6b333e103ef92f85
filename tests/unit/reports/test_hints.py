"""What a message says to do next can be done: each hint is looked at, many are run."""

import ast
import re
from pathlib import Path

import pytest
import typer.main

import wavecheck
from wavecheck.reports.cli import COMMANDS, app

PACKAGE = Path(wavecheck.__file__).parent
ROOT = Path(__file__).parents[3]
FOLDERS = ("coordinator", "sim", "scenarios", "reports")
PLACEHOLDER = "*"


def hints():
    """Every text of the package that follows `next: `, with its place."""
    for folder in FOLDERS:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [getattr(one, "value", None) for one in node.values]
                    text = "".join(
                        one if isinstance(one, str) else PLACEHOLDER for one in parts
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = node.value
                else:
                    continue
                _, mark, hint = text.partition("next: ")
                if mark and "\n\n" not in text:  # which a docstring has
                    yield pytest.param(hint, id=f"{path.stem}-{node.lineno}")


def options_of(command):
    """All that can be written on its line."""
    known = typer.main.get_command(app).get_command(None, command).params
    return {name for one in known for name in (*one.opts, *one.secondary_opts)}


ALL_OPTIONS = {name for command in COMMANDS for name in options_of(command)}


@pytest.mark.parametrize("hint", list(hints()))
def test_what_a_hint_names_is_there(hint):
    """Commands, their options, and pages of the documentation."""
    said = re.search(r"wavecheck (\w+)", hint)
    known = ALL_OPTIONS
    if said is not None:
        assert said[1] in COMMANDS
        known = options_of(said[1])
        own = hint[said.start() :].partition(";")[0]
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", own)) <= known
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", hint)) <= ALL_OPTIONS
    for page in re.findall(r"docs/[\w-]+\.md", hint):
        assert (ROOT / page).is_file()


BATCHES = "batch_id,job_id,wave_number,status,created_at\nb1,j,1,pending,{}\n"
TWO_JOBS = BATCHES.format("2025-01-01T00:00:00Z") + (
    "b2,k,1,pending,2025-01-01T00:00:00Z\n"
)
CALLS = "call_number,job_id,wave_number,called_at,batches_dispatched,ended_at\n"
FILES = {
    "two.csv": TWO_JOBS,
    "b.csv": BATCHES.format("2025-01-01T00:00:00Z"),
    "bad.csv": BATCHES.format("yesterday"),
    "state.csv": TWO_JOBS.replace("pending", "parked").replace("k,", "j,"),
    "c.csv": CALLS + "1,j,1,2025-01-01T00:00:01Z,1,2025-01-01T00:00:02Z\n",
    "m.toml": '[wave_batches.values.status]\nparked = "pending"\n',
    "empty.json": "{}",
    "plain.py": '"""No world."""\n\nNAME = 1\n',
    "two_worlds.py": (
        '"""Two."""\n\nimport wavecheck as wc\n\n\nasync def work(w):\n'
        "    await w.mail(1)\n\n\n@wc.world(code={'plain': work})\ndef one(w):\n"
        "    w.mail = w.calls('mail')\n    w.task('t', w.code, w)\n"
        "    w.once('once', w.mail)\n\n\n@wc.world(code={'plain': work})\n"
        "def two(w):\n    w.mail = w.calls('mail')\n    w.task('t', w.code, w)\n"
        "    w.once('once', w.mail)\n"
    ),
}
RUNS = ("campaign", "import-job", "-c", "claiming", "--set", "parents=2")

STEPS = {
    "executions of a proof": [
        ("check wd -c claiming --strategy exhaustive --executions 5", "--budget TIME"),
        ("check wd -c claiming --strategy exhaustive --budget 60s", ""),
    ],
    "a checkpoint of a search": [
        ("check wd -c claiming --checkpoint c", "--strategy exhaustive"),
        ("check wd -c claiming --checkpoint c --strategy exhaustive", ""),
    ],
    "jobs of dfs": [
        ("check wd --strategy dfs --jobs 2 --executions 9", "leave --jobs and"),
        ("check wd -c claiming --strategy dfs --executions 9", ""),
    ],
    "a timed property": [
        ("check import-job --property pending_bounded", "wavecheck run import-job"),
        ("run import-job", ""),
    ],
    "an unknown scenario": [
        ("check nosuchworld", "known: incident"),
        ("list scenarios", ""),
    ],
    "a class of no file": [("check wd -c no.py:X", "check the path"), ("list", "")],
    "a file without a world": [("list plain.py", "docs/own-world.md"), ("list", "")],
    "a file with two worlds": [
        ("check two_worlds.py", "two_worlds.py:one"),
        ("check two_worlds.py:one", ""),
    ],
    "several -c": [
        ("check wd -c stalling -c claiming --junit j.xml", "one command for each"),
        ("check wd -c claiming --junit j.xml --executions 50", ""),
    ],
    "no rows": [
        ("incident", "--batches FILE"),
        ("incident --batches b.csv --executions 5", ""),
    ],
    "many jobs of files": [
        ("incident --batches two.csv", "--job"),
        ("incident --batches two.csv --job j --executions 5", ""),
    ],
    "a status of another name": [
        ("incident --batches state.csv", "[wave_batches.values.status]"),
        ("incident --batches state.csv --mapping m.toml --executions 5", ""),
    ],
    "a size that is none": [
        ("check wd --set listeners=many", "wavecheck list scenarios"),
        ("list scenarios", ""),
    ],
    "one file of a pair": [
        ("run incident --batches b.csv", "--calls FILE"),
        ("run incident --batches b.csv --calls c.csv", ""),
    ],
    "a schedule that is none": [
        ("replay empty.json", "check SCENARIO --save DIR"),
        ("check wd -c stalling --executions 50 --save s", ""),
    ],
    "settings of a schedule": [
        ("check wd -c stalling --executions 50 --save s", ""),
        ("export s/SCHEDULE --format csv --seed 1", "leave --set and --seed out"),
        ("export s/SCHEDULE --format csv", ""),
    ],
    "a scenario as a schedule": [
        ("export wd --format shiviz", "wavecheck check wd --save DIR"),
        ("check wd -c stalling --executions 50 --save s", ""),
        ("export s/SCHEDULE --format shiviz", ""),
    ],
    "another coordinator without a database": [
        ("check import-job -c stalling --executions 20 --save s", ""),
        ("replay s/SCHEDULE -c claiming", "give --db URL as well"),
        ("replay s/SCHEDULE -c claiming --db sqlite:///x.db", ""),
    ],
    "a large graph": [
        ("export import-job --format graphml --set parents=3", "smaller sizes"),
        ("export wd --format graphml", ""),
    ],
    "a store that is there": [
        (" ".join((*RUNS, "--seeds", "2", "--store", "r.sqlite")), ""),
        (" ".join((*RUNS, "--seeds", "2", "--store", "r.sqlite")), "--resume"),
        (" ".join((*RUNS, "--seeds", "2", "--store", "r.sqlite", "--resume")), ""),
    ],
    "a grid that says a value twice": [
        (" ".join((*RUNS, "--grid", "workers=1", "--grid", "workers=2")), "=1,2,4"),
        (" ".join((*RUNS, "--grid", "workers=1,2", "--seeds", "2")), ""),
    ],
    "a database that is in use": [
        ("run import-job --db sqlite:///d.db --set parents=2", ""),
        ("run import-job --db sqlite:///d.db --set parents=2", "--replace"),
        ("run import-job --db sqlite:///d.db --set parents=2 --replace", ""),
    ],
    "a canary of what violates all": [
        ("check wd --canary -c stalling --property no_stranded_batch", "without"),
        ("check wd -c stalling --property no_stranded_batch --executions 50", ""),
    ],
    "a short exhibit": [("zoo rq-738", "did you mean"), ("zoo rq-739", "")],
}
"""By what is done wrong: command lines, each with what it must say; empty: it works."""


@pytest.mark.parametrize("case", STEPS)
def test_what_a_hint_says_works(cli, tmp_path, case):
    """The wrong command names the next one, which does what it is said to do."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for line, told in STEPS[case]:
        schedules = sorted(tmp_path.glob("s/*.json"))
        if schedules:
            line = line.replace("SCHEDULE", schedules[0].name)
        status, output, errors = cli(*line.split())
        if told:
            assert told in output + errors, line
            assert status == 2, line
        else:
            assert status in (0, 1), (line, errors)

"""Every field that a command writes as JSON is on the page that describes them."""

import json
from pathlib import Path

import pytest

from wavecheck.reports.cli import run_command

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
EVIDENCE = ROOT / "scenarios" / "incident" / "data"
FILES = f"--batches {EVIDENCE}/batches.csv --calls {EVIDENCE}/calls.csv"
OF_DATA = {  # objects whose names are data: not theirs, but what they hold is described
    *("statements", "kinds"),
    *("settings", "batches", "violations", "missing", "faults", "fits", "columns"),
    *(
        "state",
        "batches_by_status",
        "derived_batches_by_status",
        "distributions",
        "parameters",
    ),
}
COMMANDS = {
    "A run": "run import-job -c stalling",
    "A run of a world": "run zoo/rq-739",
    "`check --json`": "check wd -c progressive --executions 300",
    "`check --strategy exhaustive --json`": "check wd -c stalling"
    " --strategy exhaustive",
    "`levels --json`": f"levels {ROOT}/examples/psycopg_worker/world.py -c fixed",
    "`check --canary --json`": "check wd -c claiming --canary --executions 100",
    "`sweep --json`": "sweep wd -c claiming --budget 1s",
    "`diff --json`": "diff wd -c progressive -c claiming --budget 20s",
    "`replay --json`": "replay {schedule} --db sqlite://",
    "`incident --json`": f"incident {FILES} -c stalling --executions 3",
    "`campaign --json`, `results --json`": "campaign import-job -c stalling"
    " -c claiming --seeds 3 --grid workers=1,2",
    "`calibrate --json`": f"calibrate {FILES} --fit best",
    "`sensitivity --json`": "sensitivity import-job --vary workers=1:3"
    " --vary parents=5:9 --seeds 2 --trajectories 2",
    "`conform --json`": "conform --db sqlite:// --schedules 3",
}
CONTINUED = {  # whose fields a document has as well
    "`check --json`": ["A run"],
    "`check --strategy exhaustive --json`": ["A run", "`check --json`"],
    "`check --canary --json`": ["A run", "`check --json`"],
    "`sweep --json`": ["`check --json`", "`check --strategy exhaustive --json`"],
    "`diff --json`": [
        "A run",
        "`check --json`",
        "`check --strategy exhaustive --json`",
    ],
}


def fields(value, name=""):
    """Yield every field's name of a document, at any depth."""
    if isinstance(value, list):
        for one in value:
            yield from fields(one, name)
    elif isinstance(value, dict) and name != "state":  # rows, by the columns of a world
        for key, one in value.items():
            if name not in OF_DATA:
                yield key
            yield from fields(one, key if name not in OF_DATA else "")


def section(heading):
    """The part of the page below a heading, up to the next one."""
    _, _, rest = PAGE.partition(f"\n## {heading}\n")
    assert rest, f"docs/json.md has no section {heading}"
    return rest.partition("\n## ")[0]


@pytest.fixture
def schedule(tmp_path):
    """A recorded counterexample."""
    line = "check import-job -c progressive --executions 300 --save"
    run_command([*line.split(), str(tmp_path)])
    return tmp_path / "import-job-progressive-no_double_dispatch.json"


@pytest.mark.parametrize("heading", COMMANDS)
def test_every_field_is_described(tmp_path, monkeypatch, request, heading):
    """Each field's name is in its section, or in what that says it continues."""
    monkeypatch.chdir(tmp_path)
    command = COMMANDS[heading]
    if "{schedule}" in command:
        command = command.format(schedule=request.getfixturevalue("schedule"))
    run_command([*command.split(), "--json", "result.json"])
    written = set(fields(json.loads(Path("result.json").read_text())))
    text = "".join(
        map(section, ["Both documents", heading, *CONTINUED.get(heading, [])])
    )
    described = set(text.replace(".", "`").replace("[]", "`").split("`"))
    assert sorted(written - described) == []

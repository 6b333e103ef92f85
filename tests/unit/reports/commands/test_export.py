"""The command `export`, and the files that `check` writes for CI."""

import csv
import json
from io import StringIO
from xml.etree import ElementTree

import pytest

import wavecheck as wc

SEARCH = ("import-job", "-c", "progressive", "--property", "no_double_dispatch")
EFFORT = ("--executions", "200")
SCHEDULE = "schedule.json"


@pytest.fixture(scope="module")
def schedule():
    """A double dispatch, as `check --save` writes it."""
    result = wc.check("wd", "progressive", executions=50)
    return wc.schedule_text(result.schedules["no_double_dispatch"])


@pytest.fixture
def found(cli, schedule, tmp_path):
    """The command line, in a folder with a schedule."""
    (tmp_path / SCHEDULE).write_text(schedule, encoding="utf-8")
    return cli


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("perfetto", '{"displayTimeUnit"'),
        ("shiviz", "1. "),
        ("mermaid", "sequenceDiagram\n"),
        ("graphml", "<?xml"),
        ("csv", "step,time_us,task,"),
    ],
)
def test_a_schedule_in_every_format(found, tmp_path, form, start):
    """Printed, or written as a whole; the bytes are the same."""
    status, output, errors = found("export", SCHEDULE, "--format", form)
    assert (status, errors) == (0, "")
    assert output.startswith(start)
    assert found("export", SCHEDULE, "--format", form, "-o", "out")[1] == ""
    assert (tmp_path / "out").read_bytes().decode() == output


def test_a_timed_run_as_a_trace(cli, small):
    """Slices by task in virtual time, batches, counts by status, and alerts."""
    status, output, _ = cli("export", "import-job", "--format", "perfetto", *small)
    assert status == 0
    events = json.loads(output)["traceEvents"]
    phases = {event["ph"] for event in events}
    assert phases >= {"M", "X", "b", "e", "C"}
    last: dict[int, int] = {}
    for event in events:
        if event["ph"] == "X":
            assert event["ts"] >= last.get(event["tid"], 0), "slices do not overlap"
            assert event["dur"] >= 0
            last[event["tid"]] = event["ts"] + event["dur"]
    begun = [event["id"] for event in events if event["ph"] == "b"]
    assert begun == [event["id"] for event in events if event["ph"] == "e"]
    counts = [event["args"] for event in events if event["ph"] == "C"]
    assert counts[-1]["pending"] == 0


def test_alerts_are_on_the_time_line(cli):
    """The incident's alerts are instants at the moment at which they fire."""
    _, output, _ = cli("export", "incident", "-c", "stalling", "--format", "perfetto")
    alerts = {
        event["name"].split(",")[0]: event["ts"]
        for event in json.loads(output)["traceEvents"]
        if event.get("cat") == "alert"
    }
    assert alerts["pending_too_long"] == 300_990_000
    assert sorted(alerts) == sorted(
        ["many_dispatch_calls", "pending_not_decreasing", "pending_too_long"]
    )


@pytest.mark.parametrize(("rows", "count"), [("batches", 45), ("calls", 348)])
def test_a_timed_run_as_rows(cli, rows, count):
    """One row for each batch, or for each call."""
    options = ("-c", "stalling", "--format", "csv", "--rows", rows)
    _, output, _ = cli("export", "incident", *options)
    assert len(list(csv.DictReader(StringIO(output, newline="")))) == count


def test_a_state_graph(cli):
    """A small world's states and steps, as GraphML."""
    options = ("-c", "progressive", "--set", "listeners=1", "--format", "graphml")
    status, output, _ = cli("export", "wd", *options)
    assert status == 0
    assert ElementTree.fromstring(output.encode()).tag.endswith("graphml")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere.json", "--format", "csv"), "nowhere.json: no such file"),
        (("import-jb", "--format", "csv"), "did you mean 'import-job'?"),
        (("import-job", "--format", "vidigi"), "--format csv"),
        (("wd", "--format", "mermaid"), "--save DIR"),
        (("wd", "--format", "graphml", "--set", "listeners=4"), "too many states"),
        (("import-job", "--format", "svg"), "--format"),
        (("import-job", "--format", "csv", "-o", "no/where"), "there is no folder"),
        (("import-job", "--format", "csv", "--set", "parents=0"), "greater than"),
        (("import-job",), "--format"),
        (("import-job", "--format", "csv", "-c", "clamming"), "'claiming'"),
    ],
)
def test_what_cannot_be_exported_is_refused(cli, files, arguments, expected):
    """Exit status 2, what was expected, and no file."""
    status, output, errors = cli("export", *arguments)
    assert (status, output) == (2, "")
    assert expected in errors
    assert files() == []


def test_a_schedule_takes_no_settings(found):
    """A schedule holds its own; what would be ignored is refused."""
    status, _, errors = found("export", SCHEDULE, "--format", "csv", "--seed", "3")
    assert status == 2
    assert "holds its own settings" in errors


@pytest.mark.parametrize("strategy", ["portfolio", "exhaustive"])
def test_check_writes_what_ci_reads(cli, tmp_path, strategy):
    """JUnit, SARIF and Markdown of a search and of a proof; the report is printed."""
    budget = EFFORT if strategy == "portfolio" else ()
    wanted = ("--junit", "j.xml", "--sarif", "s.sarif", "--summary", "s.md")
    search = ("wd", "-c", "progressive", "--strategy", strategy)
    status, output, _ = cli("check", *search, *budget, *wanted)
    assert status == 1
    assert "no_double_dispatch" in output
    junit = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert int(junit.get("failures")) == 1
    sarif = json.loads((tmp_path / "s.sarif").read_text())
    assert [one["ruleId"] for one in sarif["runs"][0]["results"]] == [
        "no_double_dispatch"
    ]
    assert "VIOLATED" in (tmp_path / "s.md").read_text()


@pytest.mark.parametrize("option", ["--junit", "--sarif", "--summary"])
def test_a_file_that_cannot_be_written_costs_no_search(cli, option):
    """Refused before anything runs; a canary has no verdicts of this form."""
    status, output, errors = cli("check", *SEARCH, option, "no/where")
    assert (status, output) == (2, "")
    assert "there is no folder" in errors
    status, _, errors = cli("check", *SEARCH, "--canary", option, "file")
    assert status == 2
    assert "--canary" in errors

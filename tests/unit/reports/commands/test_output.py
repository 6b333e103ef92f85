"""What is printed and written: tables, JSON, traces, pictures."""

import json
import os

import pytest

from wavecheck import find_scenario
from wavecheck.reports.pictures import write_pictures
from wavecheck.reports.progress import showing_progress
from wavecheck.scenarios.comparison import compare
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_folder, check_writable

PNG = b"\x89PNG\r\n\x1a\n"


# JSON and trace ---------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "compare"])
def test_json_on_the_output_is_all_there_is(cli, small, command):
    """`--json -` prints one JSON document and nothing else, on neither stream."""
    extra = ("--no-pictures",) if command == "compare" else ()
    _, output, errors = cli(command, "import-job", *small, "--json", "-", *extra)
    document = json.loads(output)
    assert output == json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    assert errors == ""
    assert document["format"] == 2
    assert document["scenario"] == "import-job"
    assert document["settings"]["parents"] == 4


def test_json_in_a_file_is_the_same_document(cli, small, tmp_path):
    """File and output have the same bytes; with a file the report is printed too."""
    _, output, _ = cli("run", "import-job", *small, "--json", "-")
    _, report, _ = cli("run", "import-job", *small, "--json", "r.json")
    assert (tmp_path / "r.json").read_text() == output
    assert "coordinator" in report
    assert not report.startswith("{")


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [
        (
            "check",
            "progressive",
            "progressive in wd violates 1 of 2 properties: no_double_dispatch",
        ),
        ("check", "claiming", "claiming in wd: nothing found, nothing proved"),
        ("prove", "claiming", "claiming in wd: proved, within these sizes"),
    ],
)
def test_the_answer_is_the_first_line_and_the_first_field(cli, command, code, sentence):
    """One sentence, on the terminal and as data, before anything else."""
    effort = ("--executions", "300") if command == "check" else ()
    _, output, _ = cli(command, "wd", "-c", code, *effort)
    assert output.splitlines()[0] == sentence
    _, output, _ = cli(command, "wd", "-c", code, *effort, "--json", "-")
    assert next(iter(json.loads(output).items())) == ("answer", sentence)


def test_quiet_prints_the_answer_alone(cli):
    """One line for each code, and the status as ever."""
    codes = ("-c", "progressive", "-c", "claiming")
    status, output, _ = cli("check", "wd", *codes, "--executions", "300", "--quiet")
    assert status == 1
    assert output.splitlines() == [
        "progressive in wd violates 1 of 2 properties: no_double_dispatch",
        "claiming in wd: nothing found, nothing proved",
    ]


def test_a_shell_can_complete_names(monkeypatch, cli):
    """Commands and options, by the protocol of bash."""
    monkeypatch.setenv("_WAVECHECK_COMPLETE", "complete_bash")
    for words, completed in (
        ("wavecheck ch", "check"),
        ("wavecheck run --js", "--json"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert cli()[1].split() == [completed]


def test_what_is_piped_is_not_filled_up_with_spaces(cli):
    """No line of a table ends in spaces where nobody's terminal is as wide."""
    _, output, _ = cli("check", "wd", "-c", "progressive", "--executions", "300")
    assert output.splitlines() == [one.rstrip() for one in output.splitlines()]


def test_the_trace_has_a_line_for_each_step(cli, small, tmp_path):
    """JSON lines, as many as the document says steps."""
    cli("run", "import-job", *small, "--trace", "t.jsonl", "--json", "r.json")
    lines = (tmp_path / "t.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == list(range(1, len(steps) + 1))
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["run"]["steps"] == len(steps)


def test_the_log_is_shown_on_request(cli, small):
    """`--log` prints the published lines with their fields."""
    _, without, _ = cli("run", "import-job", *small)
    _, output, _ = cli("run", "import-job", *small, "--log")
    assert "Wave dispatched successfully" not in without
    assert "[DEBUG] Wave dispatched successfully" in output
    assert "{job_id: 'job-1', wave_number: 1, batches_dispatched: 4}" in output


def test_seed_is_short_for_a_setting(cli, small):
    """`--seed 7` and `--set seed=7` are the same run."""
    spread = ("--set", "latency_spread=0.5")
    options = ("run", "import-job", *small, *spread, "--json", "-")
    by_seed = cli(*options, "--seed", "7")
    assert by_seed == cli(*options, "--set", "seed=7")
    assert by_seed[1] != cli(*options, "--seed", "8")[1]


def test_an_incident_of_ones_own_is_read_from_two_files(cli, tmp_path):
    """`--batches` and `--calls` replace the published record."""
    (tmp_path / "b.csv").write_text(
        "batch_id,job_id,wave_number,status,created_at\n"
        "b1,j,3,pending,2025-01-01T00:00:00\n"
    )
    (tmp_path / "c.csv").write_text(
        "call_number,job_id,wave_number,called_at,batches_dispatched\n"
        "1,j,3,2025-01-01T00:00:01,1\n"
    )
    _, output, _ = cli(
        "run", "incident", "--batches", "b.csv", "--calls", "c.csv", "--json", "-"
    )
    run = json.loads(output)["run"]
    assert (run["batches_dispatched"], run["dispatch_calls"]) == (1, 1)


def test_the_incident_explains_its_incomplete_job(cli):
    """The comparison says why no coordinator completes the job there."""
    options = ("compare", "incident", "-c", "claiming", "--no-pictures")
    assert "job_completes: the record ends before the batches do" in cli(*options)[1]
    also = cli(*options, "--set", "derived_call=true")
    assert "the record holds dispatch calls only" not in also[1]
    assert also[0] == 0


# Files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (("--json", "no/where/r.json"), "there is no folder 'no/where'"),
        (("--trace", "no/where/t.jsonl"), "there is no folder 'no/where'"),
        (("--json", "."), "is a folder; expected the name of a file"),
        (("--trace", "-"), "expected the name of a file"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_run(
    cli, files, monkeypatch, option, expected
):
    """Status 2 before anything ran, and nothing was written."""

    def never(*arguments, **keywords):
        raise AssertionError("it ran all the same")

    monkeypatch.setattr("wavecheck.scenarios.comparison.build_timed_world", never)
    status, output, errors = cli("run", "import-job", *option)
    assert (status, output) == (2, "")
    assert expected in errors
    assert files() == []


def test_a_picture_folder_that_cannot_be_made_is_refused_before_the_run(
    cli, monkeypatch, tmp_path
):
    """A file in its place, or no parent folder."""

    def never(*arguments, **keywords):
        raise AssertionError("it ran all the same")

    monkeypatch.setattr("wavecheck.reports.commands.runs.comparisons.compare", never)
    (tmp_path / "taken").write_text("")
    status, _, errors = cli("compare", "incident", "--pictures", "taken")
    assert (status, errors) == (2, "error: taken is a file; expected a folder\n")
    status, _, errors = cli("compare", "incident", "--pictures", "no/where")
    assert status == 2
    assert "there is no folder 'no'" in errors


def test_a_folder_without_the_right_to_write_is_refused(tmp_path, monkeypatch):
    """Asked of the system before the run; a test as root cannot plant it otherwise."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for check in (
        lambda: check_writable(tmp_path / "r"),
        lambda: check_folder(tmp_path),
    ):
        with pytest.raises(InvalidScenario, match="is not writable"):
            check()


# Pictures ---------------------------------------------------------------------


def is_png(content):
    """Signature at the start and the end chunk at the end."""
    return content.startswith(PNG) and content.endswith(b"IEND\xaeB`\x82")


def test_compare_writes_both_pictures(cli, small, tmp_path, files):
    """Two PNG files, named after the scenario, their paths printed."""
    options = ("compare", "import-job", "-c", "claiming", *small)
    _, output, _ = cli(*options, "--pictures", "shots")
    names = ["shots/import-job-status.png", "shots/import-job-timelines.png"]
    assert files() == ["shots", *names]
    for name in names:
        assert is_png((tmp_path / name).read_bytes())
        assert name.removeprefix("shots/") in output


def test_the_same_comparison_gives_the_same_pictures(tmp_path):
    """Drawn twice, the files are equal byte by byte."""
    given = {"parents": "4", "workers": "2"}
    names = ["stalling", "claiming"]
    contents = []
    for folder in ("one", "two"):
        comparison = compare(find_scenario("import-job"), names, settings=given)
        paths = write_pictures(comparison, tmp_path / folder)
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]
    assert contents[0][0] != contents[0][1]


@pytest.mark.parametrize(
    "given",
    [
        {"service_seconds": "0", "statement_latency_ms": "0"},
        {"parents": "1", "waves_before": "0"},
        {"parents_call": "false", "threshold": "1"},
    ],
)
def test_odd_runs_can_be_drawn(tmp_path, given):
    """A run without time, of one batch, or without derived dispatch; no warning."""
    comparison = compare(find_scenario("import-job"), ["progressive"], settings=given)
    assert all(
        is_png(path.read_bytes()) for path in write_pictures(comparison, tmp_path)
    )


def test_a_wave_without_batches_can_be_drawn(tmp_path):
    """Nobody calls, so the derived wave stays empty."""
    given = {"parents_call": "false", "waves_before": "1", "parents": "2"}
    comparison = compare(find_scenario("import-job"), ["upfront"], settings=given)
    assert write_pictures(comparison, tmp_path)


def test_a_title_with_dollar_signs_is_no_formula(tmp_path):
    """A coordinator's path may hold any character."""
    folder = tmp_path / "a$b$_{"
    folder.mkdir()
    (folder / "rules.py").write_text("from wavecheck.coordinator import Claiming\n")
    name = f"{folder}/rules.py:Claiming"
    comparison = compare(find_scenario("import-job"), [name], settings={"parents": "2"})
    assert write_pictures(comparison, tmp_path)


# Progress ---------------------------------------------------------------------


def test_progress_is_silent_at_first_and_then_a_line(monkeypatch, capsys):
    """Nothing in the first second; off a terminal one line every ten seconds."""
    now = [0.0]
    monkeypatch.setattr("wavecheck.reports.progress.monotonic", lambda: now[0])
    with showing_progress(["stalling", "claiming"]) as progress:
        for moment, steps in ((0.5, 10), (5, 100), (11, 2000), (12, 2100)):
            now[0] = moment
            progress("claiming", steps)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "claiming (2 of 2): 2,000 steps, 11 s\n"

"""Schedules as files: there and back, verified, and refused with what and where."""

import json
from dataclasses import replace

import pytest

from wavecheck import find_scenario
from wavecheck.reports.cli import run_command
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.schedule_files import parse_schedule, schedule_text
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.errors import InvalidScenario, ReplayMismatch
from wavecheck.sim.search.schedule import replay

WD = find_scenario("wd")


@pytest.fixture(scope="module")
def schedule():
    """The shrunk stall of the reference model."""
    result = check(WD, "stalling", executions=50, properties=["no_stranded_batch"])
    return result.schedules["no_stranded_batch"]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Write a text as a file and replay it; return (status, output, errors)."""
    monkeypatch.chdir(tmp_path)

    def write_and_replay(text, command="replay"):
        path = tmp_path / "s.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        status = run_command([command, "s.json"])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return write_and_replay


def test_text_and_back_is_the_same_schedule(schedule):
    """Every field, and the same text again."""
    text = schedule_text(schedule)
    again = parse_schedule(text, "x")
    assert again == schedule
    assert schedule_text(again) == text


def test_a_replay_verifies_every_step_and_shows_the_violation(schedule, run):
    """Status 1: it is violated again, at the same step."""
    replayed = replay(Subject.of_schedule(schedule).world(), schedule)
    assert replayed.digest == schedule.digest
    assert replayed.violations["no_stranded_batch"].step == len(schedule.steps)
    status, output, errors = run(schedule_text(schedule))
    assert (status, errors) == (1, "")
    assert "9 steps replayed, each as recorded" in output
    assert "VIOLATED no_stranded_batch at step 9: pending for ever" in output


# Files that are broken ----------------------------------------------------------------


def changed(**fields):
    """A change of the document's fields; ... takes a field away."""

    def change(document):
        document.update(fields)
        return {key: value for key, value in document.items() if value is not ...}

    return change


def changed_step(number, **fields):
    """A change of one step."""

    def change(document):
        document["steps"][number].update(fields)
        return document

    return change


BROKEN = {
    "another version": (changed(format=2), "expected  format 1\n  got       2"),
    "no version": (changed(format=...), "got       None"),
    "version as text": (changed(format="1"), "got       '1'"),
    "version as bool": (changed(format=True), "s.json, field format"),
    "another kind": (changed(kind="wavecheck trace"), "not a schedule"),
    "no kind": (changed(kind=...), "not a schedule"),
    "another scenario": (changed(scenario="incident"), "unknown incident parameter"),
    "unknown scenario": (changed(scenario="w"), "unknown scenario 'w'"),
    "unknown coordinator": (changed(coordinator="stall"), "did you mean 'stalling'"),
    "missing coordinator file": (
        changed(coordinator="gone.py:Rule"),
        "gone.py: no such file",
    ),
    "unknown property": (changed(property="no_strand"), "unknown property 'no_strand'"),
    "negative size": (
        changed(settings={"listeners": -1}),
        "parameter 'listeners' of scenario 'wd'",
    ),
    "unknown setting": (changed(settings={"size": 1}), "unknown wd parameter 'size'"),
    "fault the world lacks": (
        changed(faults={"crash": 1}),
        "unknown kind of fault 'crash'",
    ),
    "unknown fault": (changed(faults={"fire": 1}), "unknown kind of fault 'fire'"),
    "faults missing": (changed(faults=...), "field faults"),
    "extra field": (changed(comment="x"), "s.json, field comment"),
    "missing field": (changed(choices=...), "s.json, field choices"),
    "missing steps": (changed(steps=...), "s.json, field steps"),
    "choices as text": (changed(choices="0,1"), "s.json, field choices"),
    "choice as text": (changed(choices=[1, "1"]), "s.json, field choices.1"),
    "choice as bool": (changed(choices=[True]), "s.json, field choices.0"),
    "step with extra field": (changed_step(2, x=1), "s.json, field steps.2.x"),
    "step with wrong type": (changed_step(2, task=7), "s.json, field steps.2.task"),
    "impossible choice": (
        changed(choices=[7]),
        "choice 0 is impossible\n  expected  one of 2 enabled tasks",
    ),
    "negative choice": (changed(choices=[-1]), "choice 0 is impossible"),
    "too few choices": (changed(choices=[1]), "the schedule ends after 1 choices"),
    "too few steps": (
        lambda document: {**document, "steps": document["steps"][:-1]},
        "the replay diverges at step 9\n  expected  the end of the schedule",
    ),
    "another task": (
        changed_step(3, task="completion-0"),
        "the replay diverges at step 4\n  expected  completion-0: pending",
    ),
    "another result": (changed_step(3, result=[0, 1]), "the replay diverges at step 4"),
    "another statement": (
        changed_step(1, operation="pending"),
        "the replay diverges at step 2",
    ),
    "other arguments": (changed_step(0, args=[9]), "the replay diverges at step 1"),
    "another digest": (changed(digest="0" * 32), "not what the steps changed"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("command", ["replay", "explain"])
def test_a_broken_schedule_is_refused_with_what_and_where(schedule, run, name, command):
    """Status 2, nothing printed, the field or step, what was expected and given."""
    change, expected = BROKEN[name]
    document = change(json.loads(schedule_text(schedule)))
    status, output, errors = run(json.dumps(document), command)
    assert (status, output) == (2, "")
    assert expected in errors
    assert "Traceback" not in errors
    assert "fault of Wavecheck" not in errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "s.json, line 1, column 1: not JSON"),
        ("hello", "s.json, line 1, column 1: not JSON"),
        ("[]", "s.json: not a schedule"),
        ("null", "s.json: not a schedule"),
        ("[" * 100_000, "s.json: not a schedule"),
        ('{"kind": ' + "9" * 5000 + "}", "s.json: not a schedule"),
        (b"\xff\xfe\x00", "s.json, line 1: byte 0xff is no text in UTF-8"),
    ],
    ids=["empty", "words", "list", "null", "nesting", "huge number", "binary"],
)
def test_what_is_no_schedule_at_all_is_refused(run, text, expected):
    """Status 2, the file, and the place where there is one."""
    status, output, errors = run(text)
    assert (status, output) == (2, "")
    assert expected in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_schedule_is_refused_with_line_and_column(schedule, run, share):
    """The message says that the file was cut off."""
    text = schedule_text(schedule)
    status, _, errors = run(text[: int(len(text) * share)])
    assert status == 2
    assert "s.json, line " in errors
    assert "likely: the file was cut off" in errors


def test_a_file_that_does_not_exist_is_refused(run, tmp_path, capsys):
    """The message names it."""
    assert run_command(["replay", "nowhere.json"]) == 2
    assert "nowhere.json: cannot be read" in capsys.readouterr().err


def test_more_choices_than_the_execution_asks_for_are_refused(schedule):
    """Expected and got, in choices."""
    longer = replace(schedule, choices=(*schedule.choices, 0))
    with pytest.raises(ReplayMismatch) as caught:
        replay(Subject.of_schedule(longer).world(), longer)
    count = len(schedule.choices)
    assert str(caught.value) == (
        "the execution ends before the schedule does\n"
        f"  expected  {count + 1} choices\n"
        f"  got       {count}"
    )


def test_a_divergence_names_step_task_expected_got_cause_and_command(schedule):
    """The whole message."""
    changed = replace(schedule, coordinator="progressive")
    with pytest.raises(ReplayMismatch) as caught:
        replay(Subject.of_schedule(changed).world(), changed)
    assert str(caught.value) == (
        "the replay diverges at step 8\n"
        f"  expected  {schedule.steps[7].task}: has_batches('dispatched') -> True\n"
        f"  got       {schedule.steps[7].task}: has_batches('pending') -> True\n"
        "likely: the coordinator or the scenario has changed since the recording\n"
        "next: search again with `wavecheck check`"
    )


def test_the_reader_says_where_a_text_is_from():
    """A name of a file, or of a stream."""
    with pytest.raises(InvalidScenario, match=r"\(standard input\), line 1"):
        parse_schedule("x", "(standard input)")

"""What a change of code fixes, breaks and costs."""

import pytest

import wavecheck as wc
from wavecheck.reports.cli import run_command
from wavecheck.reports.verdicts.difference import (
    difference_data,
    difference_markdown,
    sentence,
)
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.verdict import Outcome


@pytest.fixture(scope="module")
def fix():
    """The fix of the double dispatch, in the small model."""
    return wc.diff("wd", "progressive", "claiming", seconds=120.0)


@pytest.fixture(scope="module")
def regression():
    """The same, the other way round."""
    return wc.diff("wd", "claiming", "progressive", seconds=120.0)


def test_a_fix_is_proved_and_said_in_one_sentence(fix):
    """Every property of both is decided, and the sentence names what is fixed."""
    (change,) = fix.changes
    assert change.fixed == ("no_double_dispatch",)
    assert not change.broken
    assert not fix.is_worse()
    outcomes = {one.outcome for one in change.result.verdicts}
    assert outcomes == {Outcome.PROVED}
    assert sentence(fix, change).startswith(
        "claiming fixes no_double_dispatch of progressive (PROVED), breaks nothing"
    )


def test_the_old_counterexample_is_performed_on_the_new_code(fix):
    """It is the same up to the claim, and then the property holds."""
    (performed,) = fix.changes[0].performed
    assert 0 < performed.alike < performed.steps_count
    assert performed.instead.operation == "claim_and_send"
    assert not performed.is_violated


def test_what_gets_worse_is_said_and_is_the_exit_status(regression, capsys):
    """Breaking something is status 1; fixing something is 0."""
    (change,) = regression.changes
    assert change.broken == ("no_double_dispatch",)
    assert "breaks no_double_dispatch" in sentence(regression, change)
    assert regression.is_worse()
    assert run_command(["diff", "wd", "-c", "claiming", "-c", "progressive"]) == 1
    capsys.readouterr()


def test_where_both_fail_it_says_whether_for_the_same_cause():
    """Stalling strands; with itself the kind of cause is the same."""
    found = wc.diff("wd", "stalling", "stalling", seconds=120.0)
    (change,) = found.changes
    assert change.both
    assert set(change.both.values()) == {True}
    assert all(one.is_violated for one in change.performed)
    assert all(one.alike == one.steps_count for one in change.performed)


def test_markdown_and_data_say_the_same(fix):
    """A table of one row per property, and the sentence first."""
    text = difference_markdown(fix)
    assert text.startswith("**claiming fixes no\\_double\\_dispatch")
    rows = [line for line in text.splitlines() if line.startswith("| no\\_")]
    assert len(rows) == len(fix.first.verdicts)
    data = difference_data(fix)
    assert data["is_worse"] is False
    assert data["changes"][0]["fixed"] == ["no_double_dispatch"]


def test_one_code_is_nothing_to_compare():
    """It says what to do."""
    with pytest.raises(InvalidScenario, match=r"at least two\nnext: wavecheck diff"):
        wc.diff("wd", "claiming")

"""The comparisons of the README, byte for byte, and what they must say."""

import json
import logging

import pytest

from wavecheck import find_scenario
from wavecheck.coordinator import VARIANTS
from wavecheck.reports.cli import run_command
from wavecheck.scenarios import comparison


@pytest.fixture
def compare(capsys, monkeypatch):
    """Run `compare SCENARIO --json -` with the defaults; return the text."""
    monkeypatch.setattr(logging.getLogger("wavecheck.coordinator"), "propagate", True)

    def run(scenario):
        status = run_command(["compare", scenario, "--json", "-", "--no-pictures"])
        captured = capsys.readouterr()
        assert status == 1
        assert captured.err == ""
        return captured.out

    return run


@pytest.mark.parametrize("scenario", ["incident", "import-job"])
def test_the_comparison_is_the_same_byte_for_byte(compare, check_golden, scenario):
    """All six coordinators with the default settings; `--regenerate` rewrites it."""
    check_golden(f"compare-{scenario}.json", compare(scenario))


def runs_of(text):
    """The runs of a document by coordinator."""
    return {run["coordinator"]: run for run in json.loads(text)["runs"]}


def violated(run):
    """The violated properties of a run, in order."""
    return [one["property"] for one in run["verdicts"] if one["outcome"] == "violated"]


def test_the_incident_is_the_published_one(compare):
    """Stalling: 348 calls, the first dispatches 10, and 35 of 45 stay pending.

    Progressive: 45 dispatched and none pending.
    """
    runs = runs_of(compare("incident"))
    assert list(runs)[:6] == list(VARIANTS)[:6]
    stalling = runs["stalling"]
    assert stalling["dispatch_calls"] == 348
    assert stalling["dispatch_calls_that_dispatched"] == 1
    assert stalling["batches_dispatched"] == 10
    assert stalling["batches_by_status"] == {
        "pending": 35,
        "dispatched": 0,
        "processing": 0,
        "completed": 10,
    }
    progressive = runs["progressive"]
    assert progressive["dispatch_calls"] == 348
    assert progressive["batches_dispatched"] == 45
    assert progressive["batches_by_status"]["pending"] == 0


def test_only_the_first_call_of_the_incident_dispatches():
    """Call 1 sends 10 batches with stalling, and no other call sends any."""
    run = comparison.compare(find_scenario("incident"), ["stalling"]).runs[0]
    by_start = sorted(run.calls, key=lambda call: call.started_at)
    assert by_start[0].task == "call-1"
    assert by_start[0].batches_dispatched == 10
    assert {call.batches_dispatched for call in by_start[1:]} == {0}
    assert {call.statements for call in by_start[1:] if call.was_processing} == {2}


STRANDED = ["no_stranded_batch", "job_completes", "pending_bounded"]
VERDICTS = {
    "incident": {
        "original": STRANDED,
        "stalling": STRANDED,
        # The record has no call after the window, so nobody completes the job.
        "premature": ["job_completes"],
        "progressive": ["job_completes"],
        "claiming": ["job_completes"],
        "upfront": ["job_completes"],
        "leased": ["job_completes"],
    },
    "import-job": {
        "original": [
            "no_stranded_batch",
            "no_premature_completion",
            "pending_bounded",
        ],
        "stalling": STRANDED,
        "premature": ["no_premature_completion"],
        "progressive": [],
        "claiming": [],
        "upfront": [],
        "leased": [],
    },
}


@pytest.mark.parametrize("scenario", VERDICTS)
def test_the_verdicts_of_all_coordinators(compare, scenario):
    """Which property each coordinator violates in the timed run of each scenario."""
    runs = runs_of(compare(scenario))
    assert {name: violated(run) for name, run in runs.items()} == VERDICTS[scenario]


def test_the_third_alert_fires_on_healthy_runs_too(compare):
    """More than 100 calls: right where batches are stranded, else a false alarm."""
    for name, run in runs_of(compare("incident")).items():
        fired = [
            one["is_right"]
            for one in run["alerts"]
            if one["alert"] == "many_dispatch_calls"
        ]
        assert fired == [name in ("original", "stalling")], name


@pytest.mark.parametrize(
    ("scenario", "claim", "answer"),
    [
        ("import-job", "both fixes are needed", "supported"),
        ("incident", "the published end state dispatches every batch", "supported"),
        (
            "incident",
            "it costs one more statement per call in a processing wave",
            "supported",
        ),
        (
            "import-job",
            "it costs one more statement per call in a processing wave",
            "supported",
        ),
        ("import-job", "it makes the redundant calls cheaper", "contradicted"),
        (
            "import-job",
            "progressive creation starts derived batches earlier",
            "supported",
        ),
        ("import-job", "progressive creation holds fewer parent ids", "supported"),
        ("incident", "more than 100 dispatch calls mean trouble", "contradicted"),
    ],
)
def test_the_claims_of_the_report(compare, scenario, claim, answer):
    """What the measured runs say of each published claim."""
    claims = {
        one["claim"]: one["answer"] for one in json.loads(compare(scenario))["claims"]
    }
    assert claims[claim] == answer


def test_a_progressive_call_costs_one_statement_more(compare):
    """An idle call in a processing wave: 3 statements instead of 2."""
    claims = json.loads(compare("incident"))["claims"]
    measured = next(one["measured"] for one in claims if "one more" in one["claim"])
    assert measured == (
        "an idle call in a processing wave: 3 statements in progressive, 2 in stalling"
    )

"""Each claim of the report can come out supported, contradicted and not decided."""

from dataclasses import dataclass, replace

import pytest

from wavecheck import find_scenario
from wavecheck.scenarios.comparison import compare
from wavecheck.scenarios.incident.claims import ClaimAnswer, judge_claims
from wavecheck.sim.property import Violation
from wavecheck.sim.verdict import Outcome

SUPPORTED, CONTRADICTED, OPEN = ClaimAnswer

SMALL = {"parents": "12", "workers": "3", "waves_before": "0"}


@pytest.fixture(scope="module")
def measured():
    """The runs of all six coordinators on a small import job, by name."""
    comparison = compare(find_scenario("import-job"), settings=SMALL)
    return {run.coordinator_name: run for run in comparison.runs}


def answer(runs, text):
    """The one claim with this text."""
    return next(claim for claim in judge_claims(runs) if text in claim.text)


def with_verdict(run, name, *, is_violated, message="planted"):
    """The run with one verdict replaced."""
    violation = Violation(property_name=name, step=1, time=1, message=message)
    verdict = replace(
        run.verdict(name),
        outcome=Outcome.VIOLATED if is_violated else Outcome.NOT_FOUND,
        violation=violation if is_violated else None,
    )
    verdicts = [verdict if v.property_name == name else v for v in run.verdicts]
    return replace(run, verdicts=tuple(verdicts))


@dataclass
class Case:
    """A claim, the coordinators that it needs, and a way to refute it."""

    text: str
    needs: tuple[str, ...]
    refute: object


def worse(name, **changed):
    """Runs in which one run's measured numbers are replaced."""
    return lambda runs: {**runs, name: replace(runs[name], **changed)}


def idle_calls_cost(runs, statements):
    """Runs in which every call of progressive makes this many statements."""
    run = runs["progressive"]
    calls = tuple(replace(call, statements=statements) for call in run.calls)
    return {**runs, "progressive": replace(run, calls=calls)}


CASES = [
    Case(
        "both fixes are needed",
        ("original", "stalling", "premature", "progressive"),
        lambda runs: {
            **runs,
            "stalling": with_verdict(
                runs["stalling"], "no_stranded_batch", is_violated=False
            ),
        },
    ),
    Case(
        "dispatches every batch",
        ("progressive",),
        lambda runs: {
            **runs,
            "progressive": with_verdict(
                runs["progressive"], "no_stranded_batch", is_violated=True
            ),
        },
    ),
    Case(
        "one more statement per call",
        ("stalling", "progressive"),
        lambda runs: idle_calls_cost(runs, 4),
    ),
    Case(
        "starts derived batches earlier",
        ("progressive", "upfront"),
        worse("progressive", first_derived_dispatch=10**12),
    ),
    Case(
        "holds fewer parent ids",
        ("progressive", "upfront"),
        worse("progressive", held_ids_max=10**6),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text)
def test_a_claim_is_supported_contradicted_or_open(measured, case):
    """As measured it holds; refuted it does not; without its runs it is open."""
    assert answer(measured, case.text).answer is SUPPORTED
    refuted = answer(case.refute(measured), case.text)
    assert refuted.answer is CONTRADICTED
    assert refuted.measured
    for missing in case.needs:
        rest = {name: run for name, run in measured.items() if name != missing}
        found = answer(rest, case.text)
        assert (found.answer, found.measured) == (OPEN, "")


def test_the_redundant_calls_are_judged_by_statements_in_total(measured):
    """Cheaper means no more statements in total than the stalling rule."""
    text = "redundant calls cheaper"
    assert answer(measured, text).answer is CONTRADICTED
    total = measured["stalling"].statements_count
    same = worse("progressive", statements_count=total)(measured)
    assert answer(same, text).answer is SUPPORTED
    assert answer({"stalling": measured["stalling"]}, text).answer is OPEN


def test_no_double_dispatch_is_never_proved_by_a_run(measured):
    """Not seen leaves it open; seen contradicts it, with the message."""
    text = "dispatches no batch twice"
    assert answer(measured, text).answer is OPEN
    seen = {
        "progressive": with_verdict(
            measured["progressive"],
            "no_double_dispatch",
            is_violated=True,
            message="batch b was put on the queue 2 times",
        )
    }
    found = answer(seen, text)
    assert found.answer is CONTRADICTED
    assert found.measured == "batch b was put on the queue 2 times"
    assert answer({}, text).answer is OPEN


def test_many_calls_mean_trouble_unless_an_alarm_is_false(measured):
    """No alert leaves it open; right alerts support it; one false one refutes it."""
    text = "more than 100 dispatch calls"
    assert answer(measured, text).answer is OPEN
    given = SMALL | {"calls_max": "5"}
    names = ["stalling", "claiming"]
    noisy = compare(find_scenario("import-job"), names, settings=given)
    runs = {run.coordinator_name: run for run in noisy.runs}
    found = answer(runs, text)
    assert found.answer is CONTRADICTED
    assert "claiming" in found.measured
    right = tuple(replace(one, is_right=True) for one in runs["claiming"].alerts)
    only = {"claiming": replace(runs["claiming"], alerts=right)}
    assert answer(only, text).answer is SUPPORTED


def test_where_nothing_completes_the_first_fix_is_not_in_play():
    """The incident completes nothing, so it cannot decide the 2x2."""
    names = ["original", "stalling", "premature", "progressive"]
    comparison = compare(find_scenario("incident"), names)
    found = next(one for one in comparison.claims if "both fixes" in one.text)
    assert found.answer is OPEN


def test_every_claim_is_answered_once_and_in_order(measured):
    """The claims of the report, each with one answer."""
    texts = [claim.text for claim in judge_claims(measured)]
    assert len(texts) == len(set(texts)) == 8
    assert [claim.text for claim in judge_claims({})] == texts
    assert {claim.answer for claim in judge_claims({})} == {OPEN}


# Comparison -------------------------------------------------------------------


def test_a_comparison_runs_every_coordinator_in_the_order_asked_for():
    """Order and names are the user's; all of the scenario's own without a wish."""
    names = ["claiming", "stalling"]
    comparison = compare(find_scenario("import-job"), names, settings=SMALL)
    assert [run.coordinator_name for run in comparison.runs] == names
    assert comparison.has_violation()
    healthy = compare(find_scenario("import-job"), ["claiming"], settings=SMALL)
    assert not healthy.has_violation()


def test_progress_names_the_coordinator():
    """A long comparison says whom it is running."""
    seen = []
    compare(
        find_scenario("import-job"),
        ["claiming"],
        settings=SMALL | {"parents": "1500", "workers": "50"},
        progress=lambda name, steps: seen.append((name, steps)),
    )
    assert seen
    assert {name for name, _ in seen} == {"claiming"}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("starts derived batches earlier", "first_derived_dispatch"),
        ("holds fewer parent ids", "held_ids_max"),
    ],
)
def test_a_tie_contradicts_a_claim_of_less(measured, text, field):
    """Earlier and fewer are strict: equal numbers contradict the claim."""
    tie = worse("progressive", **{field: getattr(measured["upfront"], field)})
    assert answer(tie(measured), text).answer is CONTRADICTED

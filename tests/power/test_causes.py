"""Causes of known faults: the main one is the exhibit's own, and no story is false."""

import pytest

from wavecheck import EXHIBITS, find_scenario
from wavecheck.reports.explanation.text import reasons
from wavecheck.scenarios.questions import check
from wavecheck.sim.search.kinds import CauseKind, KnownCause
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import passes, run_rule

FAULTS = [
    (name, variant)
    for name, exhibit in EXHIBITS.items()
    for variant, one in exhibit.variants.items()
    if one.violates
]
RULES = [("wd", "stalling"), ("wd", "progressive"), ("import-job", "progressive")]


def evidences(name, variant):
    """The evidence of each shrunk counterexample of a search."""
    scenario = EXHIBITS[name].scenario if name in EXHIBITS else find_scenario(name)
    result = check(scenario, variant, executions=2_000, seed=0)
    assert result.schedules
    return [result.evidence(one) for one in result.schedules]


def main_cause(evidence):
    """The main cause, in the form in which an exhibit states it; None: none."""
    told = evidence.explanation
    if not told.causes:
        return None
    steps = {one.number: one.operation for one in (*told.steps, *told.beyond)}
    cause = told.causes[0]
    statements = tuple(steps[number] for number in cause.steps)
    return KnownCause(evidence.schedule.property_name, cause.kind, statements)


@pytest.mark.parametrize(("name", "variant"), FAULTS)
def test_the_main_cause_is_the_exhibits_own(name, variant):
    """CauseKind and steps; where none is stated, every order violates the property."""
    for evidence in evidences(name, variant):
        stated = {
            one
            for one in EXHIBITS[name].causes
            if one.property_name == evidence.schedule.property_name
        }
        found = main_cause(evidence)
        assert found in stated if stated else found is None
        assert_is_true(evidence)


@pytest.mark.parametrize(("name", "variant"), RULES)
def test_what_is_told_of_a_rule_is_true(name, variant):
    """The same checks on worlds that are larger than an exhibit."""
    for evidence in evidences(name, variant):
        assert evidence.explanation.causes
        assert_is_true(evidence)


def assert_is_true(evidence):
    """Check each claim of an explanation against runs of its world."""
    told, schedule = evidence.explanation, evidence.schedule
    name, world = schedule.property_name, evidence.world()
    assert reasons(told)
    steps = {one.number: one for one in (*told.steps, *told.beyond)}
    for cause in told.causes:
        if cause.passing:  # without the cause the property holds
            assert passes(world, RecordedChoices(cause.passing), name)
        if cause.value_then is not None:  # asked again, it would have been another
            assert steps[cause.first].result != cause.value_then
            assert cause.first < cause.second
        if cause.kind is CauseKind.STALE_READ:
            assert steps[cause.first].task == steps[cause.acted].task
            assert steps[cause.first].task != steps[cause.second].task
            assert cause.first < cause.second < cause.acted
    if not told.causes:
        assert told.escape is None
    if told.escape is not None:
        passed = run_rule(world, RecordedChoices(told.escape.choices))
        assert name not in passed.violations
        differs = passed.steps[told.escape.step - 1]
        assert differs.to_json() == told.escape.instead.to_json()

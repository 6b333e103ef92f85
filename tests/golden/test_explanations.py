"""The explanation of the model's two faults, as text, byte for byte."""

from io import StringIO

import pytest
from rich.console import Console

from wavecheck import find_scenario, prove
from wavecheck.reports.explanation.text import explanation_markdown, explanation_text
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.search.explain import explain
from wavecheck.sim.search.kinds import CauseKind

FAULTS = (("stalling", "no_stranded_batch"), ("progressive", "no_double_dispatch"))


def explained(coordinator, property_name):
    """The explanation of the shrunk counterexample."""
    wd = find_scenario("wd")
    result = check(wd, coordinator, executions=100, properties=[property_name])
    schedule = result.schedules[property_name]
    return explain(Subject.of_schedule(schedule).world(), schedule)


def as_text(explanation):
    """What a terminal of 120 columns shows, without its colours."""
    buffer = StringIO()
    console = Console(file=buffer, width=120, highlight=False, markup=False)
    console.print(explanation_text(explanation))
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())


@pytest.mark.parametrize(("coordinator", "property_name"), FAULTS)
def test_the_explanation_is_the_same_byte_for_byte(
    check_golden, coordinator, property_name
):
    """Table, stale read, point of no return, escape; `--regenerate` rewrites it."""
    explanation = explained(coordinator, property_name)
    check_golden(f"explain-wd-{coordinator}.txt", as_text(explanation))
    check_golden(f"explain-wd-{coordinator}.md", explanation_markdown(explanation))


def test_the_explanations_say_what_the_model_says():
    """Stalling: an old read of what is dispatched; progressive: of what is pending."""
    stalling = explained(*FAULTS[0])
    assert len(stalling.steps) == 9
    cause = stalling.causes[0]
    assert cause.kind is CauseKind.NOBODY_CALLS_AGAIN
    assert stalling.steps[cause.first - 1].operation == "has_batches"
    assert stalling.no_return.is_exact
    progressive = explained(*FAULTS[1])
    assert len(progressive.steps) == 10
    cause = progressive.causes[0]
    assert cause.kind is CauseKind.STALE_READ
    assert progressive.steps[cause.first - 1].operation == "pending"
    assert cause.acted == 10
    assert progressive.no_return.is_exact


def test_the_read_at_the_point_of_no_return_is_the_decisive_one():
    """Of the shortest stranding several reads came too early; the last one decides."""
    schedule = prove("wd", "stalling").schedules["no_stranded_batch"]
    told = explain(Subject.of_schedule(schedule).world(), schedule)
    assert told.no_return.step == told.causes[0].first == 8
    assert told.steps[7].operation == "has_batches"

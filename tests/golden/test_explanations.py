"""The explanation of the model's two faults, as text, byte for byte."""

from io import StringIO

import pytest
from rich.console import Console

from wavecheck import find_scenario, prove
from wavecheck.reports.explanation.text import explanation_markdown, explanation_text
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.search.explain import explain

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
    assert stalling.steps[stalling.stale_read.read_step - 1].operation == "has_batches"
    assert stalling.stale_read.acted_step is None
    assert stalling.no_return.is_exact
    progressive = explained(*FAULTS[1])
    assert len(progressive.steps) == 10
    assert (
        progressive.steps[progressive.stale_read.read_step - 1].operation == "pending"
    )
    assert progressive.stale_read.acted_step == 10
    assert progressive.no_return.is_exact


def test_the_read_at_the_point_of_no_return_is_the_decisive_one():
    """Of the shortest stranding two reads are stale; the second one decides."""
    schedule = prove("wd", "stalling").schedules["no_stranded_batch"]
    told = explain(Subject.of_schedule(schedule).world(), schedule)
    assert told.no_return.step == told.stale_read.read_step == 8
    assert told.stale_read.acted_step is None
    assert told.steps[7].operation == "has_batches"

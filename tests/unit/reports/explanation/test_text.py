"""Long explanations are told in episodes, and still say everything that matters."""

from io import StringIO

import pytest
from rich.console import Console

from wavecheck import find_scenario
from wavecheck.reports.explanation.episodes import ROWS_MAX, episodes_of
from wavecheck.reports.explanation.text import (
    explanation_markdown,
    explanation_plain,
    explanation_text,
)
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.search.explain import explain
from wavecheck.sim.trace import RowChange, Step

LINES_MAX = 40
JOB_FAULTS = (
    ("stalling", "no_stranded_batch"),
    ("original", "no_stranded_batch"),
    ("original", "no_premature_completion"),
    ("premature", "no_premature_completion"),
    ("progressive", "no_double_dispatch"),
)


def step(number, task, *changes):
    """A step of a trace."""
    return Step(
        number=number,
        time=0,
        task=task,
        operation="touch",
        kind="statement",
        args=(number,),
        result=None,
        changes=changes,
    )


def change(before, after, key="k"):
    """A change of one row of one column."""
    return RowChange(
        part="rows",
        key=key,
        columns=(("status", before, after),),
        is_new=before is None,
        is_gone=after is None,
    )


def trace(count, task="a", first=1):
    """Steps of one task that change nothing."""
    return [step(number, task) for number in range(first, first + count)]


def numbers(told):
    """The numbers of the first and last step of each row."""
    return [(one.first.number, one.last.number) for one in told]


def test_a_short_trace_is_told_step_by_step():
    """Up to the limit nothing is folded."""
    told = episodes_of(trace(ROWS_MAX), ())
    assert numbers(told) == [(n, n) for n in range(1, ROWS_MAX + 1)]


def test_a_long_run_of_one_task_is_one_row_but_for_what_is_marked():
    """Marked steps, and runs of two, stay on their own."""
    steps = [*trace(20), *trace(2, "b", 21), *trace(5, "a", 23)]
    told = episodes_of(steps, {5})
    assert numbers(told) == [(1, 4), (5, 5), (6, 20), (21, 21), (22, 22), (23, 27)]
    assert len(episodes_of(steps, {5}, is_full=True)) == 27


def test_a_run_says_what_its_steps_did_together():
    """From pending to done in one; what came and went is left out."""
    steps = [
        *trace(ROWS_MAX - 2),
        step(
            ROWS_MAX - 1, "a", change("pending", "sent"), change(None, "here", "brief")
        ),
        step(ROWS_MAX, "a", change("sent", "done")),
        step(ROWS_MAX + 1, "a", change("here", None, "brief")),
    ]
    (told,) = episodes_of(steps, ())
    (left,) = told.changes
    assert left.columns == (("status", "pending", "done"),)
    assert (left.key, left.is_new, left.is_gone) == ("k", False, False)


def test_what_came_and_changed_came_as_it_is_now():
    """A row that is inserted and updated within one run is new, as it ends."""
    steps = [
        *trace(ROWS_MAX - 1),
        step(ROWS_MAX, "a", change(None, "pending")),
        step(ROWS_MAX + 1, "a", change("pending", "done")),
    ]
    (told,) = episodes_of(steps, ())
    (left,) = told.changes
    assert left.columns == (("status", None, "done"),)
    assert left.is_new


@pytest.mark.parametrize(("coordinator", "property_name"), JOB_FAULTS)
def test_the_faults_of_a_job_are_told_in_forty_lines(coordinator, property_name):
    """At 150 columns, table, reasons and all; the marks are all there."""
    job = find_scenario("import-job")
    result = check(job, coordinator, executions=400, properties=[property_name])
    schedule = result.schedules[property_name]
    explanation = explain(Subject.of_schedule(schedule).world(), schedule)
    buffer = StringIO()
    console = Console(file=buffer, width=150, highlight=False, markup=False)
    console.print(explanation_text(explanation))
    text = buffer.getvalue()
    assert len(text.splitlines()) <= LINES_MAX
    assert "VIOLATED" in text
    assert "no return" in text
    markdown = explanation_markdown(explanation, is_full=True)
    assert len([row for row in markdown.splitlines() if row.startswith("|")]) == (
        len(explanation.steps) + 2
    )


def test_a_violation_that_could_be_avoided_until_it_happened_says_so():
    """After the last step there is no continuation, so none is counted."""
    exhibit = find_scenario("zoo/laravel-ideas-2664")
    result = check(exhibit, "original", executions=50)
    schedule = result.schedules["batch_finishes_after_all_jobs"]
    told = explanation_plain(explain(Subject.of_schedule(schedule).world(), schedule))
    assert (
        "Point of no return: step 4 (worker-0: finish_batch()), the last one; until"
        " then, some continuation passes." in told
    )


def test_an_explanation_that_was_cut_claims_nothing():
    """With no time at all: no cause is denied, and no passing schedule either."""
    exhibit = find_scenario("zoo/laravel-ideas-2664")
    schedule = check(exhibit, "original", executions=50).schedules[
        "batch_finishes_after_all_jobs"
    ]
    over = Deadline(0.0)
    told = explanation_plain(
        explain(Subject.of_schedule(schedule).world(), schedule, deadline=over)
    )
    assert "A limit of the command ended the search for causes" in told
    assert "Point of no return: not known" in told
    assert "the rule itself" not in told

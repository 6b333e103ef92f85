"""What `compare` prints: the answer, what differs, what is the same for all."""

import json

import pytest

from wavecheck import compare
from wavecheck.reports.comparison import comparison_answer, comparison_report
from wavecheck.reports.console import make_console

ANSWER = (
    "incident: 2 of 7 violate no_stranded_batch, pending_bounded (pending for ever: 35"
    " in wave 7): original, stalling; all 7 violate job_completes"
)


@pytest.fixture(scope="module")
def incident():
    """The published incident under every rule."""
    return compare("incident")


def lines_of(comparison, width, **options):
    """The printed lines."""
    console = make_console()
    console.width = width
    with console.capture() as shown:
        console.print(comparison_report(comparison, width, **options))
    return [line.rstrip() for line in shown.get().splitlines()]


def test_the_answer_is_one_sentence_with_numbers(incident):
    """Who violated what, and how the first violation was told."""
    assert comparison_answer(incident) == ANSWER


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 40)])
def test_the_incident_fits_one_screen(incident, width, height):
    """With a line for the pictures and one for the prompt; all rules side by side."""
    lines = lines_of(incident, width)
    assert len(lines) <= height - 2
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("makespan") for line in lines) == 1
    assert " ".join(lines[:2]).startswith(ANSWER)


def test_rules_that_did_the_same_share_a_column(incident):
    """Three kinds of behaviour in seven rules."""
    (row,) = [one for one in lines_of(incident, 150) if one.startswith("makespan")]
    assert row.split()[1::2] == ["60.031", "96.013", "96.101"]
    assert "job processing" in "\n".join(lines_of(incident, 150))


def test_columns_that_do_not_fit_begin_a_second_table(incident):
    """Nothing is dropped in a narrow terminal, and no name is broken."""
    lines = lines_of(incident, 50)
    assert sum(line.startswith("batches pending") for line in lines) > 1
    for run in incident.runs:
        assert any(run.coordinator_name in line for line in lines)


def test_every_run_and_claim_is_there_on_demand(incident):
    """`--verbose` adds a block for each run, and each claim with its numbers."""
    text = "\n".join(lines_of(incident, 150, is_verbose=True))
    assert text.count("dispatch calls   348 calls") == 7
    assert "it makes the redundant calls cheaper" in text


def test_other_worlds_are_compared_in_the_same_way():
    """A world that is no pipeline: statements and waiting instead of batches."""
    lines = lines_of(compare("zoo/rq-739"), 80)
    assert lines[0].startswith(
        "zoo/rq-739: 1 of 3 violates no_job_is_deferred_for_ever"
    )
    assert any(line.split() == ["statements", "6", "6", "8"] for line in lines)


def test_the_answer_is_the_first_field_of_the_document(cli):
    """As in `check` and `prove`."""
    _, output, _ = cli("compare", "zoo/rq-739", "--json", "-")
    name, sentence = next(iter(json.loads(output).items()))
    assert name == "answer"
    assert sentence.startswith("zoo/rq-739: 1 of 3 violates")


def test_codes_that_all_did_the_same_are_said_to_have(cli):
    """Every fact is shown then, once."""
    comparison = compare("incident", ["progressive", "claiming"])
    lines = lines_of(comparison, 80)
    assert "All 2 did the same." in lines
    assert any(line.startswith("batches sent") for line in lines)


def test_an_old_and_a_new_version_of_one_class_are_told_apart(cli, tmp_path):
    """Two files with a class of one name: both are there, by their files."""
    for name, base in (("old", "Stalling"), ("new", "Progressive")):
        (tmp_path / f"{name}.py").write_text(
            f"from wavecheck.coordinator import {base}\n\n\n"
            f"class Rule({base}):\n    pass\n"
        )
    codes = ("-c", "old.py:Rule", "-c", "new.py:Rule")
    _, output, _ = cli("compare", "incident", *codes, "--no-pictures")
    answer = " ".join(output.splitlines()[:2])
    assert "1 of 2 violates no_stranded_batch" in answer
    assert ": old.py:Rule;" in answer
    (row,) = [one for one in output.splitlines() if one.startswith("makespan")]
    assert row.split()[1::2] == ["60.031", "96.013"]

"""Benchmarks put their tables into the page of recorded runs."""

import pytest

from benchmarks.__main__ import PAGE as BENCHMARKS_PAGE
from benchmarks.__main__ import page_of
from benchmarks.recording import HEADING, recorded
from benchmarks.zoo import SEARCHES, _cell, _executions, _faults, median_interval

PAGE = f"""# Benchmarks

{HEADING}

How.

<!-- recorded: timed -->

old

<!-- end of the recorded runs -->

Tail.
"""


def test_a_section_is_replaced_and_others_stay():
    """The new text stands where the old one did; everything around it is the same."""
    page = recorded(PAGE, "timed", "new\n")
    assert page == PAGE.replace("old", "new")


def test_a_new_section_goes_to_its_place_in_the_alphabet():
    """Recording twice gives the same page."""
    page = recorded(PAGE, "search", "found\n")
    assert page.index("recorded: search") < page.index("recorded: timed")
    assert recorded(page, "search", "found\n") == page
    assert page.count("How.") == page.count("Tail.") == 1


def test_a_benchmark_may_have_a_page_of_its_own():
    """The zoo's tables are recorded in docs/, those of others in the common page."""
    assert page_of("zoo").name == "zoo-strategies.md"
    assert HEADING in page_of("zoo").read_text(encoding="utf-8")
    assert page_of("timed") == BENCHMARKS_PAGE


@pytest.mark.parametrize(
    ("size", "ranks"), [(20, (6, 15)), (9, (2, 8)), (5, (1, 5)), (1, (1, 1))]
)
def test_the_interval_of_a_median(size, ranks):
    """Of 20 values the 6th and the 15th hold the median with 95.9 % (a table's value).

    With few values no pair is that sure, and the least and the greatest are taken.
    """
    assert median_interval(list(range(size, 0, -1))) == ranks


@pytest.mark.parametrize("search", SEARCHES)
def test_recorded_cells_are_what_the_strategies_do(search):
    """The first row of the page, for two seeds of each strategy, lies in its bounds."""
    fault = _faults("zoo")[0]
    counts = [_executions(fault, search, seed) for seed in range(2)]
    assert max(counts) <= 100
    assert fault.label in page_of("zoo").read_text(encoding="utf-8")


def test_a_miss_is_written_as_one():
    """More than the limit is no number of executions."""
    assert _cell([2_001] * 3) == "> 2,000 (> 2,000 to > 2,000)"
    assert _cell([7]) == "7"


def test_every_fault_of_the_zoo_has_a_row():
    """The page knows every exhibit, variant and property that is stated."""
    page = page_of("zoo").read_text(encoding="utf-8")
    faults = [*_faults("zoo"), *_faults("classic")]
    assert [one.label for one in faults if one.label not in page] == []

"""Benchmarks put their tables into the page of recorded runs."""

from benchmarks.recording import HEADING, recorded

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

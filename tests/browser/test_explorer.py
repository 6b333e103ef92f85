"""The explorer in a real browser: clicks, keys, jumps, links."""

import pytest

from wavecheck import prove
from wavecheck.reports.html.report import report


@pytest.fixture(scope="module")
def proof():
    """The page of a proof that is violated."""
    return report(prove("wd", "stalling"))


def test_a_click_takes_a_step(open_page, proof):
    """The trail grows, the tables follow, and back undoes it."""
    opened = open_page(proof)
    assert opened.text(".explorer .position") == "At the start."
    opened.page.click(".choices button >> nth=1")
    assert opened.text(".explorer .position") == "After 1 step."
    assert "listener-1 create(1)" in opened.text(".trail")
    assert "absentpending" in opened.text(".explorer .touched td.new")
    opened.page.click("[data-walk=back]")
    assert opened.text(".explorer .position") == "At the start."


def test_keys_take_steps(open_page, proof):
    """A digit takes a step, Backspace goes back, Home begins again."""
    opened = open_page(proof)
    opened.page.focus(".choices button")
    opened.press("1", "1", "2")
    assert opened.text(".explorer .position") == "After 3 steps."
    opened.press("Backspace")
    assert opened.text(".explorer .position") == "After 2 steps."
    opened.press("9")  # no such step
    assert opened.text(".explorer .position") == "After 2 steps."
    opened.press("Home")
    assert opened.text(".explorer .position") == "At the start."


def test_a_jump_leads_to_a_shortest_violation(open_page, proof):
    """The walk to it is as long as the proof's counterexample, and marks no return."""
    opened = open_page(proof)
    opened.page.click("[data-jump=no_stranded_batch]")
    assert "After 9 steps." in opened.text(".explorer .position")
    assert "VIOLATED no_stranded_batch" in opened.text(".explorer .position")
    assert "Nothing can happen any more." in opened.text(".choices")
    assert opened.page.locator(".trail .tag.no").count() == 1
    opened.page.click(".trail button >> nth=3")
    assert opened.text(".explorer .position") == "After 4 steps."


def test_a_position_can_be_shared(open_page, proof):
    """The fragment is the list of the steps taken, and opens there."""
    opened = open_page(proof)
    opened.page.click(".choices button >> nth=0")
    opened.page.click(".choices button >> nth=1")
    assert opened.page.evaluate("location.hash") == "#x1-0.1"
    again = open_page(proof, fragment="#x1-0.1")
    assert again.text(".explorer .position") == "After 2 steps."
    wrong = open_page(proof, fragment="#x1-0.99.1")
    assert wrong.text(".explorer .position") == "After 1 step."


def test_a_large_graph_says_that_it_is_not_there(open_page):
    """More than 2,000 states: no walk, but a sentence that names the limit."""
    large = prove("wd", "claiming", settings={"batches_per_listener": 2})
    opened = open_page(report(large))
    assert "2,431 states" in opened.text("#explorer-1")
    assert "at most 2,000" in opened.text("#explorer-1")

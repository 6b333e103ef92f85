"""The page as bytes: self-contained, the same every time, and what it says."""

import re
from pathlib import Path

import pytest

from wavecheck import check, prove, read_schedule, sweep
from wavecheck.reports.export.sql_steps import sql_script
from wavecheck.reports.html.page import json_in_html
from wavecheck.reports.html.report import report
from wavecheck.scenarios.evidence import Evidence

KEPT = Path(__file__).parents[3] / "replay" / "data"
SCHEDULES = sorted(KEPT.glob("*-no_*.json"))  # the others violate nothing


@pytest.fixture(scope="module")
def searched():
    """A search that finds a violation and leaves a property open."""
    return check("wd", "progressive", executions=200)


@pytest.mark.parametrize("path", SCHEDULES, ids=lambda path: path.stem)
def test_the_same_schedule_gives_the_same_bytes(path):
    """Nothing of the moment or the machine is in a page, and it is small."""
    schedule = read_schedule(path)
    page = report(schedule)
    assert page == report(schedule)
    assert len(page) < 200_000
    assert str(Path(__file__).parents[4]).encode() not in page


def test_a_page_names_no_address():
    """No link leads away, nothing is loaded, and the page forbids itself to."""
    text = report(read_schedule(SCHEDULES[0])).decode()
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?!#)[^"'\s>]""", text)
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src &#39;none&#39;" in text


def test_the_matrix_links_each_verdict_to_its_evidence(searched):
    """A violated property to its player, an open one to its sentence."""
    text = report(searched).decode()
    assert 'class="violated"><a href="#counterexample-1">' in text
    assert 'class="not_found"><a href="#r1-no_stranded_batch">' in text
    assert 'id="counterexample-1"' in text
    assert 'id="r1-no_stranded_batch"' in text
    assert "not found in 200 executions, nothing proved" in text


def test_what_was_run_can_be_run_again(searched):
    """Version, parameters, seed and the command stand there as text."""
    text = report(searched).decode()
    command = "wavecheck check wd -c progressive --strategy portfolio --seed 0"
    assert f"{command} --executions 200" in text
    assert "wd-progressive-no_double_dispatch.json" in text


def test_a_proof_says_what_it_visited():
    """States and the word PROVED; only what differs from the defaults is set."""
    text = report(prove("wd", "claiming", settings={"listeners": 1})).decode()
    assert "PROVED" in text
    assert "wavecheck check wd -c claiming --set listeners=1" in text


def test_a_sweep_is_one_row_for_each_size():
    """All sizes stand in one matrix."""
    text = report(sweep("wd", "stalling", seconds=20)).decode()
    assert (
        text.count('<th scope="row">') == 2
    )  # one listener, one batch; then two batches
    assert "Why it happens" in text


def test_several_results_share_one_page(searched):
    """Rows of one scenario stand together; later counterexamples are closed."""
    other = check("wd", "stalling", executions=200)
    text = report(searched, other).decode()
    players = len(searched.schedules) + len(other.schedules)
    assert text.count('<table class="matrix">') == 1
    assert text.count('class="player"') == players
    assert text.count('<details class="section"') == players - 1


def test_fifty_counterexamples_stay_below_five_megabytes():
    """A page of 50 schedules of 21 steps, each with its passing one of 57."""
    schedule = read_schedule(KEPT / "v1-import-job-progressive-no_double_dispatch.json")
    one, two = len(report(schedule)), len(report(schedule, schedule))
    assert one + 49 * (two - one) < 5_000_000


def test_data_cannot_end_its_element():
    """No character of JSON is one that means something in HTML."""
    text = json_in_html({"a": "</script><!--&\u2028"})
    assert not set("<>&\u2028") & set(text)


def test_the_sql_of_a_step_is_what_the_export_sends():
    """For each step the page shows what runs on PostgreSQL, with its values."""
    path = KEPT / "v1-import-job-progressive-no_double_dispatch.json"
    evidence = Evidence.of(read_schedule(path))
    text = report(read_schedule(path)).decode()
    for step in sql_script(evidence).steps:
        if step.sql not in ("COMMIT", "ROLLBACK"):
            assert json_in_html(step.sql)[1:-1] in text

"""Results in a notebook: the page in a sandboxed frame, text everywhere else."""

import html
import re
from dataclasses import replace

import pytest
from IPython.core.formatters import DisplayFormatter

from wavecheck import check, compare, explain, prove, run, sweep
from wavecheck.reports.notebook import mimebundle
from wavecheck.sim import display


@pytest.fixture(scope="module")
def results():
    """One result of each kind, by name."""
    searched = check("wd", "progressive", executions=100)
    schedule = searched.schedules["no_double_dispatch"]
    return {
        "search": searched,
        "verdict": searched.verdicts[1],
        "schedule": schedule,
        "explanation": explain(schedule),
        "proof": prove("wd", "stalling", settings={"listeners": 1}),
        "sweep": sweep("wd", "claiming", seconds=0.2),
        "comparison": compare("incident", ["stalling", "claiming"]),
        "run": run("incident", "stalling"),
    }


KINDS = ("search", "schedule", "explanation", "proof", "sweep", "comparison", "run")


@pytest.mark.parametrize("kind", KINDS)
def test_every_result_shows_itself(results, kind):
    """What IPython asks for: a frame that may run its script only, and the text."""
    shown, _ = DisplayFormatter().format(results[kind])
    assert set(shown) >= {"text/plain", "text/html"}
    assert shown["text/html"].startswith('<iframe sandbox="allow-scripts" ')
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', shown["text/html"])[1])
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert "object at 0x" not in shown["text/plain"]


def test_the_text_is_that_of_the_terminal(results):
    """The words of the tables, without escapes."""
    assert "VIOLATED" in results["search"]._repr_mimebundle_()["text/plain"]
    assert "35 pending" in results["run"]._repr_mimebundle_()["text/plain"]
    assert "Stale read" in results["explanation"]._repr_mimebundle_()["text/plain"]


def test_a_verdict_is_one_line(results):
    """Word, property and what was wrong."""
    bundle = results["verdict"]._repr_mimebundle_()
    expected = "VIOLATED no_double_dispatch batch 0 was put on the queue twice"
    assert bundle["text/plain"] == expected
    assert "<strong>VIOLATED</strong>" in bundle["text/html"]


def test_a_hostile_verdict_is_escaped(results):
    """A name that is markup stays a name."""
    verdict = replace(results["verdict"], property_name="<script>x</script>")
    assert "<script>" not in mimebundle(verdict)["text/html"]


def test_a_schedule_without_a_page_says_why(results):
    """One that violates nothing, and one that does not replay: text, and the reason."""
    sample = results["search"].searched.samples[0]
    bundle = mimebundle(sample)
    assert set(bundle) == {"text/plain"}
    assert "no page: " in bundle["text/plain"]


def test_without_a_face_a_result_is_its_repr(monkeypatch, results):
    """Where no display is installed nothing is missing but the picture."""
    monkeypatch.setattr(display, "entry_points", lambda group: ())
    bundle = results["verdict"]._repr_mimebundle_()
    assert bundle == {"text/plain": repr(results["verdict"])}

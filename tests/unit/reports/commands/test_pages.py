"""`--html` on the command line: one page, all or nothing."""

import pytest

from wavecheck.reports.html import report as page
from wavecheck.sim.errors import HarnessBug

SEARCH = ("check", "wd", "-c", "progressive", "--executions", "100")


def test_a_page_is_written_beside_the_table(cli, files):
    """The path is printed last, and the file is the page."""
    status, output, _ = cli(*SEARCH, "--html", "r.html")
    assert status == 1
    assert output.splitlines()[-1] == "page: r.html"
    assert files() == ["r.html"]


def test_a_page_and_data_go_together(cli, tmp_path):
    """With `--json -` the output is the document alone, and the page is there."""
    status, output, errors = cli(*SEARCH, "--html", "r.html", "--json", "-")
    assert status == 1
    assert output.startswith("{")
    assert output.endswith("}\n")
    assert errors.splitlines()[-1] == "page: r.html"
    assert (tmp_path / "r.html").read_bytes().startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "wd", "--strategy", "exhaustive"),
        ("sweep", "wd", "--budget", "1s"),
    ],
    ids=["proof", "sweep"],
)
def test_proofs_have_pages_too(cli, tmp_path, arguments):
    """A proof and a sweep write their matrix."""
    cli(*arguments, "-c", "stalling", "--html", "r.html")
    assert b'class="matrix"' in (tmp_path / "r.html").read_bytes()


def test_an_explanation_has_a_page(cli, tmp_path):
    """The schedule that `--save` wrote is told with the player."""
    cli(*SEARCH, "--save", "found")
    file = "found/wd-progressive-no_double_dispatch.json"
    status, _, _ = cli("explain", file, "--html", "r.html")
    assert status == 1
    assert b"data-player" in (tmp_path / "r.html").read_bytes()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("-", "- is for --json only"),
        ("nowhere/r.html", "there is no folder 'nowhere'"),
        (".", "is a folder"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_at_once(cli, files, path, expected):
    """Status 2, the reason, and nothing was run or written."""
    status, output, errors = cli(*SEARCH, "--html", path)
    assert (status, output) == (2, "")
    assert expected in errors
    assert files() == []


def test_a_fault_while_a_page_is_made_leaves_no_file(cli, files, monkeypatch):
    """All or nothing: no half page, and no hidden temporary file."""

    def fail(*results):
        raise HarnessBug("no page")

    monkeypatch.setattr(page, "report", fail)
    status, _, errors = cli(*SEARCH, "--html", "r.html")
    assert status == 4
    assert "no page" in errors
    assert files() == []


def test_planted_faults_have_no_page(cli, files):
    """`--canary` with `--html` is refused, and says what to leave out."""
    status, _, errors = cli(*SEARCH, "--canary", "--html", "r.html")
    assert status == 2
    assert "--summary are not for --canary" in errors
    assert files() == []

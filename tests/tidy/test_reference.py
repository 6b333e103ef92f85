"""The reference page is made from the code, and CI can tell when it is not."""

import importlib.util
from pathlib import Path

import pytest

import wavecheck as wc

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker():
    """The module that makes the page."""
    spec = importlib.util.spec_from_file_location("ref", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_and_public_name_is_in_it(maker):
    """A section for each command, an entry for each name and parameter."""
    page = maker.reference()
    for command in ("check SCENARIO", "export SOURCE", "alerts", "new NAME"):
        assert f"\n### wavecheck {command}\n" in page
    for name in wc.__all__:
        assert f"**`{name}`**" in page
    for name in ("parents_per_batch", "statement_latency_ms", "listeners"):
        assert f"\n| `{name}` |" in page
    assert "| `no_stranded_batch` |" in page


def test_an_outdated_page_is_noticed(maker, tmp_path, monkeypatch, capsys):
    """--check: 1 without a page or with another text, 0 once it is written."""
    monkeypatch.setattr(maker, "PAGE", tmp_path / "reference.md")
    assert maker.main(["--check"]) == 1
    assert maker.main([]) == 0
    assert maker.main(["--check"]) == 0
    with maker.PAGE.open("a") as page:
        page.write("more")
    assert maker.main(["--check"]) == 1
    assert "run `make reference`" in capsys.readouterr().out

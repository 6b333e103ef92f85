"""The notebooks run from top to bottom, and are stored without outputs."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
CELLS_MAX = 15


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_holds_no_outputs(path, tmp_path, monkeypatch, capsys):
    """Every code cell runs in order; each prints something; nothing is stored."""
    monkeypatch.chdir(tmp_path)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert len(cells) < CELLS_MAX
    names = {"__name__": "__main__"}
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        assert not cell["outputs"], f"{path.name} is stored with outputs: clear them"
        exec(compile("".join(cell["source"]), path.name, "exec"), names)
        assert capsys.readouterr().out, "a cell that shows nothing tells nothing"


def test_there_are_notebooks():
    """The folder is not empty."""
    assert NOTEBOOKS

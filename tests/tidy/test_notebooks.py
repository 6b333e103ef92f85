"""The notebooks: public names only, no outputs, short; some run here, all in CI."""

import ast
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

import wavecheck

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
CELLS_MAX = 15
RUN_HERE = ("01_incident",)  # `make notebooks`, which CI calls, runs them all
OURS = "wavecheck"
EVERYWHERE = (
    "numpy",
    "pandas",
    "scipy",
    "matplotlib",
    "sqlalchemy",
    *sys.stdlib_module_names,
)


def cells_of(path):
    """The cells of a notebook."""
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def code_of(path):
    """The text of each code cell."""
    cells = [cell for cell in cells_of(path) if cell["cell_type"] == "code"]
    return ["".join(cell["source"]) for cell in cells]


def foreign_names(source):
    """What a cell takes that is not public: a module, or a name of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in (OURS, *EVERYWHERE):
                    yield alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.module.split(".")[0] == OURS:
                public = wavecheck.__all__ if node.module == OURS else ()
                for alias in node.names:
                    if alias.name not in public:
                        yield f"{node.module}.{alias.name}"
            elif node.module.split(".")[0] not in EVERYWHERE:
                yield node.module
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            is_public = node.value.id != "wc" or node.attr in wavecheck.__all__
            yield from () if is_public else (f"wc.{node.attr}",)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short_and_takes_public_names_only(path):
    """Fewer than 15 cells, text before code, no outputs, no name of our insides."""
    cells = cells_of(path)
    assert len(cells) < CELLS_MAX
    assert cells[0]["cell_type"] == "markdown"
    for cell in cells:
        assert not cell.get("outputs"), (
            f"{path.name} is stored with outputs: clear them"
        )
    assert [name for source in code_of(path) for name in foreign_names(source)] == []


@pytest.mark.parametrize(
    "source",
    [
        "from wavecheck.sim.kernel import Kernel",
        "from wavecheck.scenarios.questions import check",
        "import wavecheck as wc\nwc.checking",
        "from wavecheck.scenarios import verdicts",
        "import somewhere",
    ],
)
def test_a_name_of_our_insides_is_noticed(source):
    """Each way to reach past the public names is seen."""
    assert list(foreign_names(source))


@pytest.mark.parametrize("name", RUN_HERE)
def test_a_notebook_runs(name, tmp_path, monkeypatch, capsys):
    """Every code cell runs in order, and each prints something."""
    (path,) = [one for one in NOTEBOOKS if one.stem == name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    for source in code_of(path):
        exec(compile(source, path.name, "exec"), sys.modules["__main__"].__dict__)
        assert capsys.readouterr().out, "a cell that shows nothing tells nothing"


def test_there_are_notebooks():
    """Seven stories, numbered."""
    assert [path.name[:2] for path in NOTEBOOKS][:7] == [f"0{n}" for n in range(1, 8)]

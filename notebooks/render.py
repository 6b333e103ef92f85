"""Run every notebook in a kernel of its own and keep a rendered copy: `make notebooks`.

The copies (notebook with outputs, and HTML) go to `notebooks/rendered/`, which git
ignores. Exit status 1: a cell failed, or all of them together took too long.
"""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

FOLDER = Path(__file__).parent
RENDERED = FOLDER / "rendered"
SECONDS_MAX = 300
CELL_SECONDS_MAX = 120


def main(names: list[str]) -> int:
    """Run the notebooks whose stem begins with one of the names; all if none."""
    RENDERED.mkdir(exist_ok=True)
    began, failed = time.monotonic(), []
    for path in sorted(FOLDER.glob("*.ipynb")):
        if names and not any(path.stem.startswith(name) for name in names):
            continue
        start = time.monotonic()
        error = _render(path)
        print(f"{path.stem}: {error or 'ok'}, {time.monotonic() - start:.1f} s")
        failed += [path.stem] if error else []
    seconds = time.monotonic() - began
    print(
        f"{seconds:.1f} s in total, at most {SECONDS_MAX}; copies in {RENDERED.name}/"
    )
    return int(bool(failed) or seconds > SECONDS_MAX)


def _render(path: Path) -> str:
    """Run one notebook in an empty folder; return what went wrong, or nothing."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    with TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS_MAX,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute()
        except CellExecutionError as error:
            return str(error)
    nbformat.write(notebook, RENDERED / path.name)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    (RENDERED / f"{path.stem}.html").write_text(html, encoding="utf-8")
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""From a coordinator's source, or a kind of world, to a project's files.

Knows the templates; knows no command line. Either all files are there or none: they are
written beside the target and renamed.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from jinja2 import BaseLoader, Environment, StrictUndefined

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_writable

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_TEMPLATE: Final = ".jinja"
_EXECUTABLE: Final = frozenset({"ci.sh"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """The coordinator that a project starts from.

    Attributes:
        source: of its module, complete and importable on its own.
        class_name: of the coordinator in it.
        scenario: in which it is tried, as seen from the project's folder.
        settings: sizes in which it is proved, by name.
    """

    source: str
    class_name: str
    scenario: str
    settings: Mapping[str, object]


def project_files(name: str, starter: Starter | None = None) -> dict[str, str]:
    """Return the files of a new project by their path in it, ascending.

    Args:
        name: of the project.
        starter: the coordinator; our own example if not given.

    Raises:
        InvalidScenario: the name is none that a folder and a package can have.
    """
    _check_name(name)
    root = files("wavecheck.reports.project") / "files"
    starter = starter if starter is not None else _example(root)
    rendered = _rendered(
        root, name=name, starter=starter, settings=dict(starter.settings)
    )
    rendered["dispatch.py"] = starter.source
    return dict(sorted(rendered.items()))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidScenario(
            f"the name {name!r} does not suit a project\n"
            "  expected  a letter, then letters, digits, '-', '_' or '.'"
        )


WORLD_KINDS: Final = {"parts": "a world of parts", "sql": "a world of SQL"}
"""The kinds of worlds that a project can start from."""


def world_files(name: str, kind: str) -> dict[str, str]:
    """Return the files of a new project around a world, by their path in it.

    Args:
        name: of the project.
        kind: of `WORLD_KINDS`.

    Raises:
        InvalidScenario: the name is none that a folder and a package can have.
    """
    _check_name(name)
    root = files("wavecheck.reports.project") / "worlds"
    rendered = _rendered(root, name=name)
    rendered["world.py"] = (root / f"{kind}.py.txt").read_text(encoding="utf-8")
    return dict(sorted(rendered.items()))


def _rendered(root: Traversable, **values: object) -> dict[str, str]:
    """Return the templates of a folder, rendered, by path."""
    environment = Environment(
        loader=BaseLoader(),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return {
        path.removesuffix(_TEMPLATE): environment.from_string(text).render(**values)
        for path, text in _templates(root, "")
    }


def _example(root: Traversable) -> Starter:
    return Starter(
        source=(root / "dispatch.py.txt").read_text(encoding="utf-8"),
        class_name="Dispatcher",
        scenario="import-job",
        settings={"parents": 2},
    )


def _templates(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            found += _templates(entry, f"{path}/")
        elif path.endswith(_TEMPLATE):
            found.append((path, entry.read_text(encoding="utf-8")))
    return found


def write_project(folder: Path, contents: Mapping[str, str]) -> None:
    """Write a project; all of it or nothing.

    Raises:
        InvalidScenario: something of that name is there already, or it cannot be
            written.
    """
    if folder.exists() or folder.is_symlink():
        raise InvalidScenario(
            f"{folder} is there already, and nothing is overwritten\n"
            "next: choose another name"
        )
    check_writable(folder)
    try:
        scratch = Path(mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for path, text in contents.items():
                target = scratch / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8", newline="")
                target.chmod(0o755 if path in _EXECUTABLE else 0o644)
            scratch.chmod(0o755)
            scratch.rename(folder)
        finally:
            if scratch.exists():
                shutil.rmtree(scratch)
    except OSError as error:
        raise InvalidScenario(
            f"{folder}: cannot be written: {error.strerror}"
        ) from error

"""The command `new`: a small project that works at once."""

from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports.console import make_console
from wavecheck.reports.project import Starter, project_files, write_project
from wavecheck.scenarios.catalogue import EXHIBITS
from wavecheck.sim.errors import unknown_name


def new_command(
    folder: Annotated[
        Path, typer.Argument(metavar="NAME", help="Of the project and its folder.")
    ],
    *,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="EXHIBIT", help="Start from an exhibit: zoo/NAME."
        ),
    ] = None,
) -> int:
    """Write a project: a coordinator, its tests, a CI step and a notebook."""
    starter = None if origin is None else starter_of(origin)
    contents = project_files(folder.name, starter)
    write_project(folder, contents)
    console = make_console()
    for path in contents:
        console.print(f"{folder / path}")
    console.print(f"next: cd {folder} && python -m pytest", soft_wrap=True)
    return 0


def starter_of(name: str) -> Starter:
    """Return the fixed code of an exhibit as the start of a project.

    Args:
        name: of the exhibit; its whole file is copied, with the code as it was.

    Raises:
        InvalidScenario: there is no such exhibit.
    """
    if name not in EXHIBITS:
        raise unknown_name("exhibit", name, list(EXHIBITS))
    exhibit = EXHIBITS[name]
    fixed = exhibit.variants[exhibit.fixed()[0]]
    return Starter(
        source=exhibit.file.read_text(encoding="utf-8"),
        class_name=fixed.code.__name__,
        scenario="dispatch.py:EXHIBIT",  # the copy, so that what is changed is tested
        settings=dict(exhibit.sizes),
    )

"""The command `new`: a small project that works at once."""

from pathlib import Path
from typing import Annotated

import typer

from reports.project import project_files, write_project
from reports.tables import make_console


def new_command(
    folder: Annotated[
        Path, typer.Argument(metavar="NAME", help="Of the project and its folder.")
    ],
) -> int:
    """Write a project: a coordinator, its tests, a CI step and a notebook."""
    contents = project_files(folder.name)
    write_project(folder, contents)
    console = make_console()
    for path in contents:
        console.print(f"{folder / path}")
    console.print(f"next: cd {folder} && python -m pytest", soft_wrap=True)
    return 0

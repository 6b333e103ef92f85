"""The command `new`: a small project that works at once."""

from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports.commands.origins import (
    from_django,
    from_psycopg,
    from_sqlalchemy,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.project import (
    WORLD_KINDS,
    Starter,
    project_files,
    world_files,
    write_project,
)
from wavecheck.reports.project.first_world import Origin, first_world
from wavecheck.scenarios.catalogue import EXHIBITS
from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.files import write_whole


def new_command(
    folder: Annotated[
        Path, typer.Argument(metavar="NAME", help="Of the project and its folder.")
    ],
    *,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="START",
            help="parts: a world of parts; sql: a world of SQL; zoo/NAME: an exhibit.",
        ),
    ] = None,
    sqlalchemy: Annotated[
        str | None,
        typer.Option(metavar="MODULE", help="A first world of its SQLAlchemy models."),
    ] = None,
    django: Annotated[
        str | None,
        typer.Option(metavar="SETTINGS", help="A first world of a Django project."),
    ] = None,
    psycopg: Annotated[
        str | None,
        typer.Option(metavar="URL|FILE.sql", help="A first world of these tables."),
    ] = None,
) -> int:
    """Write a project, or a first world file for a project that is there."""
    origins = [
        read(given)
        for read, given in (
            (from_sqlalchemy, sqlalchemy),
            (from_django, django),
            (from_psycopg, psycopg),
        )
        if given is not None
    ]
    if origins:
        return _new_world(folder, origins, has_other=origin is not None)
    if origin in WORLD_KINDS:
        contents = world_files(folder.name, origin)
    else:
        starter = None if origin is None else starter_of(origin)
        contents = project_files(folder.name, starter)
    write_project(folder, contents)
    console = make_console()
    for path in contents:
        console.print(f"{folder / path}")
    console.print(f"next: cd {folder} && python -m pytest", soft_wrap=True)
    return 0


def _new_world(path: Path, origins: list[Origin], *, has_other: bool) -> int:
    if len(origins) > 1 or has_other:
        raise InvalidScenario(
            "a world begins from one thing\n"
            "  expected  one of --from, --sqlalchemy, --django, --psycopg"
        )
    if path.suffix != ".py":
        raise InvalidScenario(
            f"{path} is no world file\n  expected  a name that ends in .py"
        )
    if path.exists():
        raise InvalidScenario(f"{path} is there already\nnext: another name")
    text, table = first_world(origins[0])
    write_whole(path, text.encode())
    console = make_console()
    console.print(f"{path}: two workers on {table}", soft_wrap=True)
    console.print(f"next: wavecheck check {path}", soft_wrap=True)
    return 0


def starter_of(name: str) -> Starter:
    """Return the fixed code of an exhibit as the start of a project.

    Args:
        name: of the exhibit; its whole file is copied, with the code as it was.

    Raises:
        InvalidScenario: there is no such exhibit.
    """
    if name not in EXHIBITS:
        raise unknown_name("starting point", name, [*WORLD_KINDS, *EXHIBITS])
    exhibit = EXHIBITS[name]
    fixed = exhibit.variants[exhibit.fixed()[0]]
    return Starter(
        source=exhibit.file.read_text(encoding="utf-8"),
        class_name=fixed.code.__name__,
        scenario="dispatch.py:EXHIBIT",  # the copy, so that what is changed is tested
        settings=dict(exhibit.sizes),
    )

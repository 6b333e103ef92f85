"""The command `conform`: is the model of transactions like the real database?"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from wavecheck.reports import data
from wavecheck.reports.commands.options import JSONFile, check_outputs, write_json
from wavecheck.reports.console import make_console
from wavecheck.reports.progress import showing_conformity
from wavecheck.scenarios.conformity import (
    ConformResult,
    Mismatch,
    conform,
    open_sessions,
    read_worlds,
    world_file,
)
from wavecheck.scenarios.conformity.conforming import chosen_levels
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_folder, make_folder, write_whole

KEPT: Final = Path("wavecheck-conform")
DISAGREED: Final = 4
INTERRUPTED: Final = 130


def conform_command(
    *,
    db: Annotated[
        str,
        typer.Option(
            "--db",
            metavar="URL",
            help="postgresql://..., sqlite:///FILE, or sqlite:// for a temporary file.",
        ),
    ],
    schedules: Annotated[
        int, typer.Option(help="How many to draw for each level.", min=1)
    ] = 2000,
    isolation: Annotated[
        list[str] | None,
        typer.Option(metavar="LEVEL", help="Only this level; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the drawing.", min=0)] = 0,
    keep: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where disagreements are kept and run first."),
    ] = KEPT,
    json_file: JSONFile = None,
) -> int:
    """Run small worlds on the model and on a real database until they disagree."""
    check_outputs(json_file)
    check_folder(keep)
    known = read_worlds(keep) if keep.is_dir() else []
    sessions = open_sessions(db)
    try:
        levels = chosen_levels(sessions, isolation or [])
        with showing_conformity() as progress:
            result = conform(
                sessions,
                levels,
                schedules=schedules,
                seed=seed,
                known=known,
                progress=progress,
            )
    finally:
        sessions.close()
    files = [_keep(one, keep) for one in result.disagreements()]
    if not write_json(json_file, _data(result, files)):
        _show(result, files)
    if files:
        return DISAGREED
    return INTERRUPTED if result.was_interrupted else 0


def _keep(disagreement: Mismatch, folder: Path) -> Path:
    name, content = world_file(disagreement.world, disagreement.database)
    try:
        make_folder(folder)
    except OSError as error:
        raise InvalidScenario(f"{folder}: cannot be made: {error.strerror}") from error
    write_whole(folder / name, content)
    return folder / name


def _show(result: ConformResult, files: list[Path]) -> None:
    console = make_console()
    table = Table(box=None, pad_edge=False, header_style="")
    for name in ("isolation", "schedules", "statements", "blocked", "races", "verdict"):
        table.add_column(
            name, justify="left" if name in ("isolation", "verdict") else "right"
        )
    for one in result.levels:
        verdict = "no disagreement"
        if one.disagreement is not None:
            verdict = "DISAGREES"
        elif one.worlds_count < one.schedules:
            verdict = "interrupted; no disagreement so far"
        table.add_row(
            str(one.level),
            f"{one.worlds_count:,}",
            f"{one.steps_count:,}",
            f"{one.blocked_count:,}",
            f"{one.open_count:,}",
            verdict,
        )
    console.print(
        f"the model of transactions and {result.database}, statement by statement"
    )
    console.print(table)
    console.print(
        "races: worlds in which the database decided something that the model leaves"
        " open",
        soft_wrap=True,
    )
    kinds = sum((one.kinds for one in result.levels), Counter[str]())
    if kinds:
        counted = [f"{name} {count:,}" for name, count in kinds.most_common()]
        console.print(f"statements with: {', '.join(counted)}", soft_wrap=True)
    if result.blocked_seconds:
        times = sorted(1000 * one for one in result.blocked_seconds)
        console.print(
            f"a blocked step was recognised after {times[len(times) // 2]:.1f} ms"
            f" (median), {times[-1]:.1f} ms at most"
        )
    cut = sum(one.cut_count for one in result.levels)
    if cut:
        console.print(f"{cut} schedules were left early: too many races were open")
    unsteady = [one for level in result.levels for one in level.unsteady]
    for first in unsteady[:1]:
        console.print(
            f"{len(unsteady)} schedules disagreed once and agreed when run again:"
            " the server was slow, or somebody else works on it; the first:\n",
            soft_wrap=True,
        )
        console.print(str(first), soft_wrap=True, markup=False, highlight=False)
    for disagreement, file in zip(result.disagreements(), files, strict=True):
        console.print()
        console.print(str(disagreement), soft_wrap=True, markup=False, highlight=False)
        console.print(
            f"\nthis is a fault of Wavecheck's model: please report it with {file},"
            " which is run first next time",
            soft_wrap=True,
        )


def _data(result: ConformResult, files: list[Path]) -> dict[str, Any]:
    document = data.header("conform", "", {})
    del document["scenario"], document["settings"]
    return document | {
        "database": result.database,
        "was_interrupted": result.was_interrupted,
        "levels": [
            {
                "level": str(one.level),
                "schedules": one.worlds_count,
                "statements": one.steps_count,
                "blocked": one.blocked_count,
                "races": one.open_count,
                "cut": one.cut_count,
                "kinds": dict(one.kinds),
                "unsteady": len(one.unsteady),
                "disagreement": one.disagreement and str(one.disagreement),
            }
            for one in result.levels
        ],
        "kept": [str(file) for file in files],
    }

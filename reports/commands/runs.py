"""The commands `run` and `compare`: timed runs, alone and side by side."""

from io import StringIO
from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports import data, tables
from wavecheck.reports.commands.options import (
    CLASS_HELP,
    Batches,
    Calls,
    CoordinatorName,
    HTMLFile,
    JSONFile,
    ScenarioName,
    Seed,
    Settings,
    Steps,
    check_outputs,
    collect_settings,
    write_json,
    write_page,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.progress import showing_progress
from wavecheck.scenarios import comparison as comparisons
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.comparison import Comparison
from wavecheck.scenarios.database.run import run_on_database
from wavecheck.scenarios.pipeline.timed_run import TimedRun, simulate
from wavecheck.sim.files import check_folder, write_whole
from wavecheck.sim.kernel import STEPS_MAX, StepListener


def run(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorName = None,
    settings: Settings = None,
    seed: Seed = None,
    batches: Batches = None,
    calls: Calls = None,
    steps: Steps = STEPS_MAX,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace", metavar="FILE", help="Write every step, as JSON lines."
        ),
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Show the coordinator's log lines.")
    ] = False,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="Leave the rows in this database."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --db: remove the same job first.")
    ] = False,
    json_file: JSONFile = None,
    html_file: HTMLFile = None,
) -> int:
    """Run one timed simulation."""
    found = find_scenario(scenario)
    coordinator = coordinator or found.default_coordinator
    given = collect_settings(found, settings, seed=seed, batches=batches, calls=calls)
    check_outputs(json_file, trace, html_file)
    lines = StringIO() if trace is not None else None
    with showing_progress([coordinator]) as progress:
        world = comparisons.build_timed_world(
            found, coordinator, found.settings(given), steps_max=steps
        )

        def perform(listener: StepListener | None = None) -> TimedRun:
            return simulate(
                world,
                coordinator,
                trace_lines=lines,
                collects_log=True,
                progress=lambda steps_count: progress(coordinator, steps_count),
                listener=listener,
            )

        if db is None:
            result, performed = perform(), 0
        else:
            result, performed = run_on_database(world, perform, db, replaces=replace)
    if trace is not None and lines is not None:
        write_whole(trace, lines.getvalue().encode())
    document = {
        **data.header("run", found.name, world.settings),
        "run": data.run_data(result) | {"log": data.log_data(result)},
    }
    alone = Comparison(
        scenario=found, settings=world.settings, runs=(result,), claims=()
    )
    if not write_json(json_file, document):
        _print_run(alone, with_log=log)
        if db is not None:
            typer.echo(f"database: {performed} statements, every answer is the model's")
    write_page(html_file, alone, json_file=json_file)
    return int(result.has_violation())


def _print_run(alone: Comparison, *, with_log: bool) -> None:
    """Print what the only run of a comparison showed."""
    console, result = make_console(), alone.runs[0]
    console.print(f"{alone.scenario.name}: {alone.scenario.summary}")
    console.print(tables.run_report(result))
    if with_log:
        console.print(tables.log_table(result))


def compare(
    scenario: ScenarioName,
    *,
    coordinator: Annotated[
        list[str] | None,
        typer.Option("--coordinator", "-c", help=f"{CLASS_HELP}; repeatable."),
    ] = None,
    settings: Settings = None,
    seed: Seed = None,
    batches: Batches = None,
    calls: Calls = None,
    steps: Steps = STEPS_MAX,
    json_file: JSONFile = None,
    pictures: Annotated[
        Path, typer.Option("--pictures", metavar="DIR", help="Where pictures go.")
    ] = Path("wavecheck-pictures"),
    no_pictures: Annotated[
        bool, typer.Option("--no-pictures", help="Draw nothing.")
    ] = False,
    html_file: HTMLFile = None,
) -> int:
    """Run several coordinators, same settings and seed, side by side."""
    found = find_scenario(scenario)
    given = collect_settings(found, settings, seed=seed, batches=batches, calls=calls)
    check_outputs(json_file, html_file)
    if not no_pictures:
        check_folder(pictures)
    names = coordinator or list(found.coordinators)
    with showing_progress(names) as progress:
        comparison = comparisons.compare(
            found, names, settings=given, steps_max=steps, progress=progress
        )
        written = [] if no_pictures else _draw(comparison, pictures)
    if not write_json(json_file, data.comparison_data(comparison)):
        console = make_console()
        console.print(tables.comparison_report(comparison, console.width))
        for path in written:
            console.print(f"picture: {path}")
    write_page(html_file, comparison, json_file=json_file)
    return int(comparison.has_violation())


def _draw(comparison: Comparison, folder: Path) -> list[Path]:
    from wavecheck.reports.pictures import write_pictures  # matplotlib is slow to load

    return write_pictures(comparison, folder)

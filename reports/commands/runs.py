"""The commands `run` and `compare`: timed runs, alone and side by side."""

from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer

from wavecheck.reports import data, tables
from wavecheck.reports.commands.options import (
    CLASS_HELP,
    Batches,
    Calls,
    CoordinatorNames,
    HTMLFile,
    JSONFile,
    ScenarioName,
    Seed,
    Settings,
    Steps,
    Until,
    check_outputs,
    collect_settings,
    timing_of,
    write_json,
    write_page,
)
from wavecheck.reports.comparison import comparison_data, comparison_report
from wavecheck.reports.console import make_console
from wavecheck.reports.progress import showing_progress
from wavecheck.reports.world_runs import world_run_data, world_run_report
from wavecheck.scenarios import comparison as comparisons
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.comparison import Comparison, Timing, WorldComparison
from wavecheck.scenarios.database.run import run_on_database, run_world_on_database
from wavecheck.scenarios.pipeline.timed_run import TimedRun, simulate
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.worlds.timed import WorldRun
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_folder, write_whole
from wavecheck.sim.kernel import STEPS_MAX, StepListener


def run(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorNames = None,
    settings: Settings = None,
    seed: Seed = None,
    until: Until = None,
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
        bool,
        typer.Option(
            "--replace",
            help="With --db: first remove its job or tables.",
        ),
    ] = False,
    json_file: JSONFile = None,
    html_file: HTMLFile = None,
) -> int:
    """Run one timed simulation of each code that is named."""
    found = find_scenario(scenario)
    names = coordinator or [found.default_coordinator]
    given = collect_settings(found, settings, seed=seed, batches=batches, calls=calls)
    check_outputs(json_file, trace, html_file)
    if len(names) > 1 and (trace is not None or db is not None):
        raise InvalidScenario(
            f"-c is given {len(names)} times\n"
            "  expected  once, with --trace or --db\n"
            "next: one command for each -c"
        )
    timing = timing_of(seed, until, steps)
    one_run = _run_pipeline if found.is_timed else _run_world
    validated = found.settings(given)
    results = [
        one_run(found, name, validated, timing, db=db, replaces=replace, trace=trace)
        for name in names
    ]
    documents = [_run_document(one) for one in results]
    alone = documents[0] if len(documents) == 1 else {"runs": documents}
    if not write_json(json_file, alone):
        make_console().print(f"{found.name}: {found.summary}")
        for result, performed in results:
            _print_run(result, with_log=log)
            if db is not None:
                typer.echo(
                    f"database: {performed} statements, every answer is the model's"
                )
    write_page(html_file, *(one for one, _ in results), json_file=json_file)
    return int(any(one.has_violation() for one, _ in results))


def _run_pipeline(
    found: Scenario,
    name: str,
    validated: Any,
    timing: Timing,
    *,
    db: str | None,
    replaces: bool,
    trace: Path | None,
) -> tuple[Comparison, int]:
    """Run a pipeline; return it alone, and how many statements a database did."""
    if timing.until is not None:
        comparisons.timed_world(found, name, validated, timing)
    world = comparisons.build_timed_world(
        found, name, validated, steps_max=timing.steps_max
    )
    lines = StringIO() if trace is not None else None
    with showing_progress([name]) as progress:

        def perform(listener: StepListener | None = None) -> TimedRun:
            return simulate(
                world,
                name,
                trace_lines=lines,
                collects_log=True,
                progress=lambda steps_count: progress(name, steps_count),
                listener=listener,
            )

        if db is None:
            result, performed = perform(), 0
        else:
            result, performed = run_on_database(world, perform, db, replaces=replaces)
    _write_trace(trace, lines)
    alone = Comparison(
        scenario=found, settings=world.settings, runs=(result,), claims=()
    )
    return alone, performed


def _run_world(
    found: Scenario,
    name: str,
    validated: Any,
    timing: Timing,
    *,
    db: str | None,
    replaces: bool,
    trace: Path | None,
) -> tuple[WorldComparison, int]:
    """Run any other world, as `_run_pipeline` does a pipeline."""
    world: Any = comparisons.timed_world(found, name, validated, timing)
    if db is not None and not getattr(world, "tables", ()):
        raise InvalidScenario(
            f"--db leaves the rows of tables, and {found.name!r} has none of its own\n"
            "  expected  a pipeline, or a world with w.table(...)"
        )
    lines = StringIO() if trace is not None else None
    with showing_progress([name]) as progress:

        def perform(listener: StepListener | None = None) -> WorldRun:
            return comparisons.run_world(
                world,
                name,
                timing,
                trace_lines=lines,
                progress=lambda steps_count: progress(name, steps_count),
                listener=listener,
            )

        if db is None:
            result, performed = perform(), 0
        else:
            result, performed = run_world_on_database(
                world, perform, db, replaces=replaces
            )
    _write_trace(trace, lines)
    alone = WorldComparison(scenario=found, settings=validated, runs=(result,))
    return alone, performed


def _write_trace(trace: Path | None, lines: StringIO | None) -> None:
    if trace is not None and lines is not None:
        write_whole(trace, lines.getvalue().encode())


def _run_document(made: tuple[Comparison | WorldComparison, int]) -> dict[str, Any]:
    alone = made[0]
    begin = data.header("run", alone.scenario.name, alone.settings)
    if isinstance(alone, WorldComparison):
        return {**begin, "run": world_run_data(alone.runs[0])}
    run = alone.runs[0]
    return {**begin, "run": data.run_data(run) | {"log": data.log_data(run)}}


def _print_run(alone: Comparison | WorldComparison, *, with_log: bool) -> None:
    """Print what the only run of a comparison showed."""
    console = make_console()
    if isinstance(alone, WorldComparison):
        console.print(world_run_report(alone.runs[0]))
        return
    console.print(tables.run_report(alone.runs[0]))
    if with_log:
        console.print(tables.log_table(alone.runs[0]))


def compare(
    scenario: ScenarioName,
    *,
    coordinator: Annotated[
        list[str] | None,
        typer.Option("--coordinator", "-c", help=f"{CLASS_HELP}; repeatable."),
    ] = None,
    settings: Settings = None,
    seed: Seed = None,
    until: Until = None,
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
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show each run, and each claim.")
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
            found,
            names,
            settings=given,
            seed=seed or 0,
            until=timing_of(seed, until, steps).until,
            steps_max=steps,
            progress=progress,
        )
        written = [] if no_pictures else _draw(comparison, pictures)
    if not write_json(json_file, comparison_data(comparison)):
        console = make_console()
        console.print(comparison_report(comparison, console.width, is_verbose=verbose))
        if written:
            files = ", ".join(path.name for path in written)
            console.print(f"pictures in {pictures}: {files}", soft_wrap=True)
    write_page(html_file, comparison, json_file=json_file)
    return int(comparison.has_violation())


def _draw(comparison: Comparison | WorldComparison, folder: Path) -> list[Path]:
    if isinstance(comparison, WorldComparison):
        return []  # pictures are of batches
    from wavecheck.reports.pictures import write_pictures  # matplotlib is slow to load

    return write_pictures(comparison, folder)

"""The commands `campaign`, `results` and `merge`: many runs, kept and told."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports.campaign.data import campaign_data
from wavecheck.reports.campaign.tables import campaign_report
from wavecheck.reports.commands.calibrate import FAMILY_HELP, calibrated_settings
from wavecheck.reports.commands.effort_options import with_effort
from wavecheck.reports.commands.options import (
    Batches,
    Calls,
    JSONFile,
    Resume,
    ScenarioName,
    Settings,
    Steps,
    StoreFile,
    check_outputs,
    collect_settings,
    write_json,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.progress import showing_campaign
from wavecheck.scenarios.campaign.campaign import CampaignResult, complete, results_of
from wavecheck.scenarios.campaign.cluster import engine_of
from wavecheck.scenarios.campaign.plan import Plan, parse_grid, stored_plan
from wavecheck.scenarios.campaign.store import (
    ResultsStore,
    create_store,
    merge,
    open_store,
)
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.scenario import Scenario
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_folder, write_whole
from wavecheck.sim.kernel import STEPS_MAX

_CLASS_HELP = "NAME, package.module:Class or path/to/file.py:Class; repeatable."
Coordinators = Annotated[
    list[str] | None, typer.Option("--coordinator", "-c", help=_CLASS_HELP)
]
Pictures = Annotated[
    Path | None, typer.Option("--pictures", metavar="DIR", help="Draw, and where.")
]
Export = Annotated[
    Path | None, typer.Option("--export", metavar="FILE", help="Every run as CSV.")
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="Show each point, with times and alerts."),
]
_STORE_HELP = "A results file that `wavecheck campaign --store` wrote."


@with_effort("jobs", "cluster")
def campaign_command(
    scenario: ScenarioName,
    *,
    coordinator: Coordinators = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=V,V,...", help="Values to combine; repeatable."),
    ] = None,
    settings: Settings = None,
    seeds: Annotated[int, typer.Option(help="Runs of every point, at most.")] = 1000,
    first_seed: Annotated[int, typer.Option(help="Seeds go up from here.")] = 0,
    until_width: Annotated[
        float | None,
        typer.Option(metavar="W", help="End a point when its intervals are this wide."),
    ] = None,
    rare: Annotated[
        str,
        typer.Option(metavar="PROPERTY", help="Without time: draw towards violations."),
    ] = "",
    batches: Batches = None,
    calls: Calls = None,
    calibrate: Annotated[
        str | None,
        typer.Option(metavar="FAMILY", help=f"Times of these files: {FAMILY_HELP}"),
    ] = None,
    store: StoreFile = None,
    resume: Resume = False,
    effort: Effort,
    steps: Steps = STEPS_MAX,
    json_file: JSONFile = None,
    export: Export = None,
    pictures: Pictures = None,
    verbose: Verbose = False,
) -> int:
    """Run coordinators over many seeds and a grid: how often, how long."""
    found = find_scenario(scenario)
    given = _given(found, settings, (batches, calls), calibrate)
    _check_outputs(json_file, export, pictures)
    if resume and store is None:
        raise InvalidScenario("--resume goes on with a file: give --store FILE too")
    plan = Plan.of(
        found,
        coordinator or (),
        grid=parse_grid(grid or ()),
        settings=given,
        seeds_count=seeds,
        first_seed=first_seed,
        until_width=until_width,
        steps_max=steps,
        rare=rare,
    )
    with create_store(plan, store, resumes=resume) as results:
        with (
            closing(engine_of(effort.jobs, effort.cluster)) as engine,
            showing_campaign() as progress,
        ):
            result = complete(plan, store=results, engine=engine, progress=progress)
        _show(result, results, json_file, export, pictures, is_verbose=verbose)
    if result.was_interrupted:
        if store is not None:
            make_console(is_error=True).print("the same command with --resume goes on")
        raise KeyboardInterrupt
    return int(result.has_violation())


def _given(
    scenario: Scenario,
    settings: list[str] | None,
    files: tuple[str | None, str | None],
    family: str | None,
) -> dict[str, str]:
    """Return what the user set; with a calibration, also what the files say."""
    batches, calls = files
    named = {"batches": batches, "calls": calls}
    if family is not None and not scenario.files:
        named = {}  # the files are measured, not replayed
    is_small = not scenario.is_timed
    given = collect_settings(scenario, settings, is_small=is_small, **named)
    if family is None:
        return given
    return calibrated_settings(scenario, given, (batches or "", calls or ""), family)


def results_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_STORE_HELP)],
    *,
    json_file: JSONFile = None,
    export: Export = None,
    pictures: Pictures = None,
    verbose: Verbose = False,
) -> int:
    """Show what a results file says, without running anything."""
    _check_outputs(json_file, export, pictures)
    with open_store(file) as store:
        plan = stored_plan(store.identity, store.seeds_range())
        result = results_of(plan, store)
        _show(result, store, json_file, export, pictures, is_verbose=verbose)
    return int(result.has_violation())


def merge_command(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Results of one campaign.")
    ],
    *,
    store: Annotated[
        Path, typer.Option(metavar="FILE", help="The new file with all of them.")
    ],
) -> int:
    """Put the runs of several files of one campaign into one."""
    count = merge(files, store)
    make_console().print(f"{store}: {count:,} runs of {len(files)} files")
    return 0


def _check_outputs(
    json_file: Path | None, export: Path | None, pictures: Path | None
) -> None:
    check_outputs(json_file, export)
    if pictures is not None:
        check_folder(pictures)


def _show(
    result: CampaignResult,
    store: ResultsStore,
    json_file: Path | None,
    export: Path | None,
    pictures: Path | None,
    *,
    is_verbose: bool,
) -> None:
    written: Sequence[Path] = ()
    if export is not None:
        write_whole(export, store.export().encode())
    if pictures is not None:
        from wavecheck.reports.campaign.pictures import (
            write_pictures,  # matplotlib is slow
        )

        written = write_pictures(result, pictures)
    if not write_json(json_file, campaign_data(result)):
        console = make_console()
        console.print(campaign_report(result, is_verbose=is_verbose))
        for path in written:
            console.print(f"picture: {path}")

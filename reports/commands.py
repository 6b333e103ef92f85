"""The commands `list`, `run` and `compare`: from options to results to output."""

from collections.abc import Mapping
from enum import StrEnum
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer

from reports import data, tables
from reports.files import check_folder, check_writable, write_whole
from reports.html.report import Result, report
from reports.pictures import write_pictures
from reports.progress import showing_progress
from reports.search_tables import strategies_table
from reports.zoo_tables import exhibits_table
from scenarios import comparison as comparisons
from scenarios import find_scenario
from scenarios.comparison import Comparison
from scenarios.database_run import run_on_database
from scenarios.scenario import Scenario
from sim.errors import InvalidScenario
from sim.kernel import STEPS_MAX, StepListener
from sim.pipeline.timed_run import TimedRun, simulate


class Topic(StrEnum):
    """What `list` can list."""

    COORDINATORS = "coordinators"
    SCENARIOS = "scenarios"
    STRATEGIES = "strategies"
    PROPERTIES = "properties"
    ZOO = "zoo"


ScenarioName = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="Name, as in `wavecheck list`.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter; repeatable."),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Short for --set seed=N.", min=0)
]
Batches = Annotated[
    str | None,
    typer.Option("--batches", metavar="FILE", help="CSV of an incident's batches."),
]
Calls = Annotated[
    str | None,
    typer.Option(
        "--calls", metavar="FILE", help="CSV of an incident's dispatch calls."
    ),
]
Steps = Annotated[
    int, typer.Option("--steps", help="Step limit of one execution.", min=1)
]
JSONFile = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the result as data; - prints it."
    ),
]
HTMLFile = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write the result as one page."),
]
_CLASS_HELP = "NAME, package.module:Class or path/to/file.py:Class"
CoordinatorName = Annotated[
    str | None,
    typer.Option(
        "--coordinator",
        "-c",
        help=f"{_CLASS_HELP}; progressive if not given, in an exhibit its first.",
    ),
]


def show_version() -> None:
    """Print the version."""
    tables.make_console().print(f"wavecheck {version('wavecheck')}")


def list_names(
    topic: Annotated[
        Topic | None, typer.Argument(help="What to list; everything if not given.")
    ] = None,
) -> int:
    """List coordinators, scenarios, strategies, properties, and the zoo."""
    console = tables.make_console()
    shown = {
        Topic.COORDINATORS: tables.coordinators_table,
        Topic.SCENARIOS: tables.scenarios_table,
        Topic.STRATEGIES: strategies_table,
        Topic.PROPERTIES: tables.properties_table,
        Topic.ZOO: exhibits_table,
    }
    for one in [topic] if topic is not None else list(Topic):
        console.print(shown[one]())
    return 0


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
    console, result = tables.make_console(), alone.runs[0]
    console.print(f"{alone.scenario.name}: {alone.scenario.summary}")
    console.print(tables.run_report(result))
    if with_log:
        console.print(tables.log_table(result))


def compare(
    scenario: ScenarioName,
    *,
    coordinator: Annotated[
        list[str] | None,
        typer.Option("--coordinator", "-c", help=f"{_CLASS_HELP}; repeatable."),
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
        written = [] if no_pictures else write_pictures(comparison, pictures)
    if not write_json(json_file, data.comparison_data(comparison)):
        console = tables.make_console()
        console.print(tables.comparison_report(comparison, console.width))
        for path in written:
            console.print(f"picture: {path}")
    write_page(html_file, comparison, json_file=json_file)
    return int(comparison.has_violation())


def assignments(settings: list[str] | None) -> dict[str, str]:
    """Read KEY=VALUE texts.

    Raises:
        InvalidScenario: one is none.
    """
    given: dict[str, str] = {}
    for text in settings or []:
        name, separator, value = text.partition("=")
        if not separator:
            raise InvalidScenario(f"--set {text!r}: expected KEY=VALUE")
        given[name] = value
    return given


def collect_settings(
    scenario: Scenario,
    settings: list[str] | None,
    *,
    is_small: bool = False,
    **named: object,
) -> dict[str, str]:
    """Collect what the user set, as text by name, and refuse what does not fit.

    Args:
        scenario: which settings exist.
        settings: KEY=VALUE, as given.
        is_small: the scenario's small sizes are the defaults.
        named: settings that have options of their own; None: not given.

    Raises:
        InvalidScenario: an unknown name, or a value outside its bounds.
    """
    given = assignments(settings)
    for name, chosen in named.items():
        if chosen is None:
            continue
        if name not in scenario.settings_type.__dataclass_fields__:
            raise InvalidScenario(
                f"--{name} does not fit scenario {scenario.name!r}: it has no {name}"
            )
        given[name] = str(chosen)
    scenario.settings(given, is_small=is_small)
    return given


def check_outputs(json_file: Path | None, *files: Path | None) -> None:
    """Refuse output files that cannot be written, before any work is done.

    Raises:
        InvalidScenario: one cannot.
    """
    if any(str(file) == "-" for file in files):
        raise InvalidScenario("expected the name of a file; - is for --json only")
    for path in (json_file, *files):
        if path is not None and str(path) != "-":
            check_writable(path)


def write_page(
    html_file: Path | None, *results: Result, json_file: Path | None = None
) -> None:
    """Write a page that shows some results, if it was asked for, and say so."""
    if html_file is None:
        return
    write_whole(html_file, report(*results))
    # Where the result itself goes to the output, nothing else may be printed there.
    is_error = str(json_file) == "-"
    tables.make_console(is_error=is_error).print(f"page: {html_file}", soft_wrap=True)


def write_json(json_file: Path | None, document: Mapping[str, Any]) -> bool:
    """Write the document if it was asked for; return whether it went to the output."""
    if json_file is None:
        return False
    text = data.to_text(document)
    if str(json_file) == "-":
        typer.echo(text, nl=False)
        return True
    write_whole(json_file, text.encode())
    return False

"""What the commands share: options, how settings are read, how results are written."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from wavecheck.reports import data
from wavecheck.reports.commands.effort_options import seconds_of
from wavecheck.reports.console import make_console
from wavecheck.scenarios.comparison import Timing
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_writable, write_whole

if TYPE_CHECKING:
    from wavecheck.reports.html.report import Result

ScenarioName = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="Name, as in `wavecheck list`.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter; repeatable."),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Of what is drawn in a timed run.", min=0)
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
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="End a world's run there: 10s, 8h."),
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
PropertyNames = Annotated[
    list[str] | None,
    typer.Option("--property", metavar="NAME", help="Judge this; repeatable."),
]
FaultsText = Annotated[
    str | None,
    typer.Option(metavar="KIND=N,...", help="Faults that may strike: crash=1,..."),
]
StoreFile = Annotated[
    Path | None, typer.Option("--store", metavar="FILE", help="Keep the runs there.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the file of --store.")
]
CLASS_HELP: Final = "NAME, package.module:Class or path/to/file.py:Class"
CoordinatorName = Annotated[
    str | None,
    typer.Option(
        "--coordinator",
        "-c",
        help=f"{CLASS_HELP}; progressive if not given, in an exhibit its first.",
    ),
]
CoordinatorNames = Annotated[
    list[str] | None,
    typer.Option(
        "--coordinator",
        "-c",
        help=f"{CLASS_HELP}; repeatable; the world's usual one if not given.",
    ),
]


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


def timing_of(seed: int | None, until: str | None, steps_max: int) -> Timing:
    """Return how a timed run is made.

    Raises:
        InvalidScenario: the time is none.
    """
    end = None if until is None else seconds_of(until, "--until")
    if end is not None and not 0 < end < math.inf:
        raise InvalidScenario(f"--until {until!r}: expected more than no time")
    return Timing(seed=seed or 0, until=end, steps_max=steps_max)


def faults_of(text: str) -> dict[str, int]:
    """Read a fault plan such as crash=1,lose=2.

    Raises:
        InvalidScenario: it is none.
    """
    plan = {}
    for part in filter(None, text.split(",")):
        kind, _, count = part.partition("=")
        if not count.lstrip("-").isdigit():
            raise InvalidScenario(f"--faults {part!r}: expected KIND=N, as in crash=1")
        plan[kind.strip()] = int(count)
    return plan


def subject_of(
    scenario: str,
    coordinator: str | None,
    settings: list[str] | None,
    *,
    faults: str | None = None,
    properties: list[str] | None = None,
) -> Subject:
    """Return what a command line asks about, in small sizes.

    Raises:
        InvalidScenario: a name or value that does not exist or fit.
        CoordinatorError: the coordinator does not load.
    """
    given, plan = assignments(settings), faults_of(faults or "")
    subject = Subject.of(scenario, coordinator, given, plan, properties or ())
    subject.judged(subject.world())
    return subject


def subjects_of(
    scenario: str,
    coordinators: list[str] | None,
    settings: list[str] | None,
    *,
    faults: str | None = None,
    properties: list[str] | None = None,
) -> list[Subject]:
    """Return a subject for each code that is named; as `subject_of`."""
    named: list[str | None] = list(coordinators or ()) or [None]
    return [
        subject_of(scenario, one, settings, faults=faults, properties=properties)
        for one in named
    ]


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
        known = scenario.settings_type.__dataclass_fields__
        if chosen is None or (name == "seed" and name not in known):
            continue  # what a world draws has a seed of its own
        if name not in known:
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
    html_file: Path | None, *results: "Result", json_file: Path | None = None
) -> None:
    """Write a page that shows some results, if it was asked for, and say so."""
    if html_file is None:
        return
    from wavecheck.reports.html.report import report  # it loads a template engine

    write_whole(html_file, report(*results))
    # Where the result itself goes to the output, nothing else may be printed there.
    is_error = str(json_file) == "-"
    make_console(is_error=is_error).print(f"page: {html_file}", soft_wrap=True)


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

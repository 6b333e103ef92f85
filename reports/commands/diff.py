"""The command `diff`: what one code fixes, breaks and costs compared with another."""

from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports.commands.effort_options import with_effort
from wavecheck.reports.commands.options import (
    CoordinatorNames,
    FaultsText,
    HTMLFile,
    JSONFile,
    PropertyNames,
    ScenarioName,
    Settings,
    check_outputs,
    subjects_of,
    write_json,
    write_page,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.verdicts.difference import (
    difference_data,
    difference_markdown,
    difference_text,
)
from wavecheck.scenarios.difference import SECONDS, difference
from wavecheck.scenarios.effort import Effort
from wavecheck.sim.files import write_whole


@with_effort("seconds", strategy="exhaustive")
def diff_command(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorNames = None,
    properties: PropertyNames = None,
    settings: Settings = None,
    faults: FaultsText = None,
    effort: Effort,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it for a pull request."),
    ] = None,
    json_file: JSONFile = None,
    html_file: HTMLFile = None,
) -> int:
    """Compare codes: what each fixes, breaks and costs. Status 1: one got worse."""
    check_outputs(json_file, html_file, markdown)
    subjects = subjects_of(
        scenario, coordinator, settings, faults=faults, properties=properties
    )
    found = difference(subjects, effort.seconds or SECONDS)
    if str(json_file) != "-":
        make_console().print(difference_text(found))
    if markdown is not None:
        write_whole(markdown, difference_markdown(found).encode())
    write_json(json_file, difference_data(found))
    results = [found.first, *(one.result for one in found.changes)]
    write_page(html_file, *results, json_file=json_file)
    return int(found.is_worse())

"""The command `incident`: from a database or files to what happened and would have."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from wavecheck.coordinator.sql import DatabaseUnusable, read_job
from wavecheck.reports.commands.effort_options import with_effort
from wavecheck.reports.commands.options import (
    JSONFile,
    Settings,
    check_outputs,
    collect_settings,
    write_json,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.incident.files import save_timeline
from wavecheck.reports.incident.view import investigation_data, print_rows, print_trials
from wavecheck.reports.progress import showing_progress
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.incident.evidence import IncidentEvidence, evidence_of
from wavecheck.scenarios.incident.files import read_calls, read_files
from wavecheck.scenarios.incident.investigation import (
    EXECUTIONS_MAX,
    read_rows,
    try_rules,
)
from wavecheck.scenarios.incident.mapping import read_mapping
from wavecheck.scenarios.incident.scenario import INCIDENT
from wavecheck.scenarios.loading import load_coordinator
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_folder
from wavecheck.sim.surroundings import machine_seconds

_TABLES: Final = ("wave_batches", "waves", "jobs", "calls", "messages")
TableFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="CSV, or JSON lines.")
]


@with_effort(
    "executions",
    "seconds",
    "memory_bytes",
    usual={"executions": EXECUTIONS_MAX, "seconds": "30s"},
)
def incident_command(
    *,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="Read-only: where the rows are."),
    ] = None,
    job: Annotated[
        str | None, typer.Option("--job", metavar="ID", help="Which job.")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML: how its owner calls the columns."),
    ] = None,
    batches: TableFile = None,
    waves: TableFile = None,
    jobs: TableFile = None,
    calls: TableFile = None,
    messages: TableFile = None,
    wave: Annotated[
        int | None, typer.Option(help="Look at this one; most pending if not given.")
    ] = None,
    coordinator: Annotated[
        list[str] | None,
        typer.Option("--coordinator", "-c", help="Try this one; repeatable."),
    ] = None,
    effort: Effort,
    settings: Settings = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the timeline as a pair of CSV files."),
    ] = None,
    json_file: JSONFile = None,
) -> int:
    """Read a job that went wrong: what happened, and what would have helped."""
    given = collect_settings(INCIDENT, settings)
    effort.budget()  # one that makes no sense is told before anything else
    deadline = effort.deadline(machine_seconds)
    check_outputs(json_file)
    if save is not None:
        check_folder(save)
    files = dict(zip(_TABLES, (batches, waves, jobs, calls, messages), strict=True))
    evidence = _evidence(db, job, mapping, files)
    names = coordinator or list(INCIDENT.coordinators)
    for name in names:
        load_coordinator(INCIDENT, name)  # a wrong name is told before anything else
    rows = read_rows(evidence, wave_number=wave, given=given)
    if json_file is None or str(json_file) != "-":
        print_rows(make_console(), rows)
    with showing_progress(names, effort.seconds) as progress:
        found = try_rules(
            rows,
            names,
            given=given,
            executions_max=effort.executions or EXECUTIONS_MAX,
            deadline=deadline,
            progress=progress,
        )
    document = investigation_data(found, INCIDENT.settings(given))
    if not write_json(json_file, document):
        print_trials(make_console(), found)
    if save is not None:
        for path in save_timeline(rows, save):
            make_console(is_error=True).print(f"written: {path}")
    return int(found.has_violation())


def _evidence(
    db: str | None,
    job: str | None,
    mapping_file: Path | None,
    files: dict[str, Path | None],
) -> IncidentEvidence:
    mapping = read_mapping(mapping_file)
    has_files = [name for name, path in files.items() if path is not None]
    if db is None:
        if files["wave_batches"] is None:
            raise InvalidScenario(
                "nothing says what happened\n"
                "next: give --db URL --job ID, or --batches FILE and, if there is one,"
                " --calls FILE"
            )
        job_id, rows = read_files(files, job, mapping)
        return evidence_of(rows, job_id, mapping)
    if [name for name in has_files if name != "calls"]:
        raise InvalidScenario(
            "rows come from --db or from files; only --calls goes with both"
        )
    if job is None:
        raise InvalidScenario("--db holds many jobs\nnext: give --job ID")
    try:
        rows = asyncio.run(read_job(db, job, mapping.names))
    except DatabaseUnusable as error:
        raise InvalidScenario(str(error)) from error
    if files["calls"] is not None:
        rows["calls"] = read_calls(files["calls"], job, mapping)
    return evidence_of(rows, job, mapping)

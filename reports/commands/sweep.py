"""The command `sweep`: prove growing sizes until a budget ends it."""

from typing import Annotated

import typer

from reports.commands.engine_options import Cluster, Jobs, engine_of
from reports.commands.options import (
    CoordinatorName,
    HTMLFile,
    JSONFile,
    ScenarioName,
    Settings,
    check_outputs,
    collect_settings,
    write_json,
    write_page,
)
from reports.commands.search import (
    FaultsText,
    PropertyNames,
    faults_of,
    seconds_of,
)
from reports.progress import showing_proof
from reports.tables import make_console
from reports.verdicts.proof import proof_data, sweep_table
from scenarios import find_scenario
from scenarios.campaign.engines import IN_PROCESS
from scenarios.campaign.spread import sweep_spread
from scenarios.subject import Subject
from scenarios.verdicts.proving import sweep


def sweep_command(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorName = None,
    properties: PropertyNames = None,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="For all sizes together.")
    ] = "60s",
    settings: Settings = None,
    faults: FaultsText = None,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    json_file: JSONFile = None,
    html_file: HTMLFile = None,
) -> int:
    """Prove growing sizes of a scenario until the budget ends it."""
    found = find_scenario(scenario)
    coordinator = coordinator or found.default_coordinator
    given = collect_settings(found, settings, is_small=True)
    check_outputs(json_file, html_file)
    subject = Subject.of(found, coordinator, given, faults_of(faults or ""))
    results = []
    seconds = seconds_of(budget)
    with showing_proof() as progress, engine_of(jobs, cluster) as engine:
        if engine is IN_PROCESS:
            proofs = sweep(subject, seconds, properties or (), progress)
        else:
            proofs = sweep_spread(subject, seconds, engine, properties or ())
        for result in proofs:
            results.append(result)
            if result.has_violation():
                break
    if not write_json(json_file, {"proofs": [proof_data(one) for one in results]}):
        console = make_console()
        console.print(f"{coordinator} in {found.name}, growing until {budget}")
        console.print(sweep_table(results))
    write_page(html_file, *results, json_file=json_file)
    return int(any(result.has_violation() for result in results))

"""The command `sweep`: prove growing sizes until a budget ends it."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from wavecheck.reports.commands.engine_options import Cluster, Jobs, engine_of
from wavecheck.reports.commands.options import (
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
from wavecheck.reports.commands.search import (
    FaultsText,
    PropertyNames,
    faults_of,
    seconds_of,
)
from wavecheck.reports.progress import showing_proof, showing_sweep
from wavecheck.reports.tables import make_console
from wavecheck.reports.verdicts.proof import proof_data, sweep_table
from wavecheck.scenarios.campaign.engines import IN_PROCESS, Engine
from wavecheck.scenarios.campaign.sweeping import sweep_spread
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.proving import ProofResult, sweep
from wavecheck.sim.exhaustive.explore import INTERRUPTED


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
    results: list[ProofResult] = []
    seconds = seconds_of(budget)
    was_interrupted = False
    with engine_of(jobs, cluster) as engine:
        try:
            for result in _proofs(subject, seconds, engine, properties or ()):
                results.append(result)
                if result.has_violation():
                    break
        except KeyboardInterrupt:
            was_interrupted = True
    if not write_json(json_file, {"proofs": [proof_data(one) for one in results]}):
        console = make_console()
        console.print(f"{coordinator} in {found.name}, growing until {budget}")
        console.print(sweep_table(results) if results else "no size was proved")
    if results:
        write_page(html_file, *results, json_file=json_file)
    if was_interrupted or any(
        one.exploration.stopped_by == INTERRUPTED for one in results
    ):
        raise KeyboardInterrupt
    return int(any(result.has_violation() for result in results))


def _proofs(
    subject: Subject, seconds: float, engine: Engine, properties: Sequence[str]
) -> Iterator[ProofResult]:
    """Yield the proofs of a sweep, here one by one, elsewhere several at once."""
    if engine is IN_PROCESS:
        with showing_proof() as progress:
            yield from sweep(subject, seconds, properties, progress)
    else:
        with showing_sweep() as progress:
            yield from sweep_spread(subject, seconds, engine, properties, progress)

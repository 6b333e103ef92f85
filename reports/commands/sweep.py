"""The command `sweep`: prove growing sizes until a budget ends it."""

from collections.abc import Iterator
from contextlib import closing

from wavecheck.reports.commands.effort_options import with_effort
from wavecheck.reports.commands.options import (
    CoordinatorName,
    FaultsText,
    HTMLFile,
    JSONFile,
    PropertyNames,
    ScenarioName,
    Settings,
    check_outputs,
    subject_of,
    write_json,
    write_page,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.progress import showing_proof, showing_sweep
from wavecheck.reports.verdicts.answer import result_data
from wavecheck.reports.verdicts.proof import sweep_table
from wavecheck.scenarios.campaign.cluster import engine_of
from wavecheck.scenarios.campaign.engines import IN_PROCESS, Engine
from wavecheck.scenarios.campaign.sweeping import sweep_spread
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import EXHAUSTIVE
from wavecheck.scenarios.verdicts.checking import beginning
from wavecheck.scenarios.verdicts.proving import sweep
from wavecheck.scenarios.verdicts.result import CheckResult


@with_effort(
    "seconds", "jobs", "cluster", usual={"seconds": "60s"}, strategy=EXHAUSTIVE
)
def sweep_command(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorName = None,
    properties: PropertyNames = None,
    settings: Settings = None,
    faults: FaultsText = None,
    effort: Effort,
    json_file: JSONFile = None,
    html_file: HTMLFile = None,
) -> int:
    """Prove growing sizes of a scenario until the budget ends it."""
    check_outputs(json_file, html_file)
    with beginning(effort, is_proof=True).enforced():
        subject = subject_of(
            scenario, coordinator, settings, faults=faults, properties=properties
        )
    results: list[CheckResult] = []
    was_interrupted = False
    with closing(engine_of(effort.jobs, effort.cluster)) as engine:
        try:
            for result in _proofs(subject, effort, engine):
                results.append(result)
                if result.has_violation():
                    break
        except KeyboardInterrupt:
            was_interrupted = True
    if not write_json(json_file, {"proofs": [result_data(one) for one in results]}):
        console = make_console()
        where = f"{subject.coordinator} in {subject.scenario.name}"
        console.print(f"{where}, growing until {effort.seconds:g}s")
        console.print(sweep_table(results) if results else "no size was proved")
    if results:
        write_page(html_file, *results, json_file=json_file)
    if was_interrupted or any(one.was_interrupted for one in results):
        raise KeyboardInterrupt
    return int(any(result.has_violation() for result in results))


def _proofs(subject: Subject, effort: Effort, engine: Engine) -> Iterator[CheckResult]:
    """Yield the proofs of a sweep, here one by one, elsewhere several at once."""
    if engine is IN_PROCESS:
        with showing_proof() as progress:
            yield from sweep(subject, effort, progress)
    else:
        with showing_sweep() as progress:
            yield from sweep_spread(subject, effort, engine, progress)

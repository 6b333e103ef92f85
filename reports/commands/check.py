"""The command `check`: search or prove, show, write what CI and people read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports.commands.ci_files import (
    CIFiles,
    JUnitFile,
    SARIFFile,
    SummaryFile,
)
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
from wavecheck.reports.explanation.text import explanation_text
from wavecheck.reports.progress import showing_answer
from wavecheck.reports.regressions import save_schedules
from wavecheck.reports.verdicts.answer import answer, result_data, verdict_table
from wavecheck.reports.verdicts.hash_seeds import compare_hash_seeds
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.questions import ask
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import EXHAUSTIVE, deadline_of
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.errors import InvalidScenario, Overdue
from wavecheck.sim.files import check_folder

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print one sentence for each code.")
]
SaveFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write counterexamples as schedules.")
]


@with_effort()
def check_command(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorNames = None,
    properties: PropertyNames = None,
    settings: Settings = None,
    faults: FaultsText = None,
    effort: Effort,
    require: Annotated[
        bool, typer.Option("--require", help="NOT TESTED is a failure.")
    ] = False,
    canary: Annotated[
        bool, typer.Option("--canary", help="Plant faults too: does it find them?")
    ] = False,
    quiet: Quiet = False,
    save: SaveFolder = None,
    junit: JUnitFile = None,
    sarif: SARIFFile = None,
    summary: SummaryFile = None,
    json_file: JSONFile = None,
    html_file: HTMLFile = None,
) -> int:
    """Search the schedules of a scenario for violations."""
    check_outputs(json_file, html_file)
    files = CIFiles(junit=junit, sarif=sarif, summary=summary, requires_risk=require)
    files.check()
    for folder in filter(None, (save, effort.database, effort.checkpoint)):
        check_folder(folder)
    with deadline_of(effort).enforced():
        subjects = subjects_of(
            scenario, coordinator, settings, faults=faults, properties=properties
        )
    if len(subjects) > 1 and (canary or files.are_wanted()):
        raise InvalidScenario(
            f"-c is given {len(subjects)} times\n"
            "  expected  once, with --canary, --junit, --sarif or --summary\n"
            "next: one command for each -c"
        )
    if canary:
        if files.are_wanted() or html_file is not None:
            refused = "--html, --junit, --sarif and --summary are not for --canary"
            raise InvalidScenario(refused)
        from wavecheck.reports.commands.canary import show_canary

        return show_canary(subjects[0], effort, json_file)
    results = _answers(subjects, effort, save, json_file, is_quiet=quiet)
    files.write(results[0])
    write_page(html_file, *results, json_file=json_file)
    if any(one.was_interrupted for one in results):
        raise KeyboardInterrupt
    untested = require and any(one.not_tested() for one in results)
    return int(untested or any(one.has_violation() for one in results))


@with_effort(
    "seconds",
    "stops_at_first",
    "memory_bytes",
    "reduces",
    "checkpoint",
    "threads",
    "db",
    strategy=EXHAUSTIVE,
)
def prove_command(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorNames = None,
    properties: PropertyNames = None,
    settings: Settings = None,
    faults: FaultsText = None,
    effort: Effort,
    quiet: Quiet = False,
    save: SaveFolder = None,
    json_file: JSONFile = None,
    html_file: HTMLFile = None,
) -> int:
    """Visit every reachable state: a proof within the sizes, or a counterexample."""
    check_outputs(json_file, html_file)
    for folder in filter(None, (save, effort.checkpoint)):
        check_folder(folder)
    with deadline_of(effort).enforced():
        subjects = subjects_of(
            scenario, coordinator, settings, faults=faults, properties=properties
        )
    results = _answers(subjects, effort, save, json_file, is_quiet=quiet)
    write_page(html_file, *results, json_file=json_file)
    if any(one.was_interrupted for one in results):
        raise KeyboardInterrupt
    return int(any(one.has_violation() for one in results))


def _answers(
    subjects: Sequence[Subject],
    effort: Effort,
    save: Path | None,
    json_file: Path | None,
    *,
    is_quiet: bool,
) -> list[CheckResult]:
    """Search or prove each subject, and show each answer; Ctrl-C ends with it."""
    results: list[CheckResult] = []
    for subject in subjects:
        deadline = deadline_of(effort)
        with showing_answer(deadline) as watch:
            result = ask(subject, effort, watch, deadline)
        left_out = _complete(result, deadline)
        saved = {} if save is None else save_schedules(result.schedules, save)
        results.append(result)
        if str(json_file) != "-":
            _show(result, saved, left_out, is_quiet=is_quiet)
        if result.was_interrupted:
            break
    documents = [result_data(one) for one in results]
    alone = len(subjects) == 1
    write_json(json_file, documents[0] if alone else {"checks": documents})
    return results


def _complete(result: CheckResult, deadline: Deadline) -> str:
    """Compare hash seeds and explain what was found; say what there was no time for."""
    left_out = ""
    for name in result.schedules:
        result.evidence(name, deadline)
    try:
        with deadline.enforced():
            if not result.was_interrupted:
                left_out = compare_hash_seeds(result, deadline.share(1 / 2))
            shortest = result.shortest()
            if shortest is not None:
                _ = shortest.explanation
    except Overdue as limit:
        left_out = left_out or f"{limit} ended it before everything was explained"
    return left_out


def _show(
    result: CheckResult, saved: Mapping[str, Path], left_out: str, *, is_quiet: bool
) -> None:
    console = make_console()
    if is_quiet:
        console.print(answer(result), soft_wrap=True)
        return
    console.print(verdict_table(result))
    if left_out:
        console.print(left_out)
    shortest = result.shortest()
    if shortest is not None:
        console.print(explanation_text(shortest.explanation))
    for name, path in saved.items():
        console.print(f"{name}: wavecheck explain {path}")
    if result.schedules and not saved:
        console.print("--save DIR keeps the schedules; replay and explain read them")

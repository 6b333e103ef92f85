"""The commands `check`, `replay` and `explain`: search, verify, tell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from wavecheck.reports import data
from wavecheck.reports.commands.canary import show_canary
from wavecheck.reports.commands.ci_files import (
    CIFiles,
    JUnitFile,
    SARIFFile,
    SummaryFile,
)
from wavecheck.reports.commands.effort_options import with_effort
from wavecheck.reports.commands.interruption import interrupted_by_termination
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
from wavecheck.reports.explanation.text import explanation_markdown, explanation_text
from wavecheck.reports.progress import showing_answer
from wavecheck.reports.regressions import regression_test_text, save_schedules
from wavecheck.reports.tables import make_console
from wavecheck.reports.verdicts.answer import result_data, verdict_table
from wavecheck.reports.verdicts.database import (
    database_replay_data,
    print_database_replay,
)
from wavecheck.reports.verdicts.hash_seeds import compare_hash_seeds
from wavecheck.scenarios.database.replay import replay_on_database
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.questions import ask
from wavecheck.scenarios.schedule_files import read_schedule
from wavecheck.scenarios.verdicts.approaches import deadline_of
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_folder, check_writable, write_whole

EXIT_DISAGREEMENT: Final = 4  # the model is ours
_FILE_HELP = "A schedule, as `wavecheck check --save` writes it."


SaveFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write counterexamples as schedules.")
]


@with_effort()
def check_command(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorName = None,
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
    subject = subject_of(
        scenario, coordinator, settings, faults=faults, properties=properties
    )
    deadline = deadline_of(effort)
    if canary:
        if files.are_wanted() or html_file is not None:
            refused = "--html, --junit, --sarif and --summary are not for --canary"
            raise InvalidScenario(refused)
        return show_canary(subject, effort, json_file)
    with showing_answer(deadline) as watch:
        result = ask(subject, effort, watch, deadline)
    left_out = ""
    if not result.was_interrupted:
        left_out = compare_hash_seeds(result, deadline.share(1 / 2))
    for name in result.schedules:
        result.evidence(name, deadline)
    saved = {} if save is None else save_schedules(result.schedules, save)
    if not write_json(json_file, result_data(result)):
        _show(result, saved, left_out)
    files.write(result)
    write_page(html_file, result, json_file=json_file)
    if result.was_interrupted:
        raise KeyboardInterrupt
    return int(result.has_violation() or (require and bool(result.not_tested())))


def _show(result: CheckResult, saved: Mapping[str, Path], left_out: str) -> None:
    console = make_console()
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


def replay_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_FILE_HELP)],
    *,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="Also on this real database."),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            "--coordinator", "-c", help="With --db: another one in the same order."
        ),
    ] = None,
    json_file: JSONFile = None,
) -> int:
    """Replay a recorded schedule and verify every step."""
    evidence = Evidence.of(read_schedule(file))
    check_outputs(json_file)
    if db is not None:
        return _replay_on_database(evidence, db, coordinator, json_file)
    if coordinator is not None:
        raise InvalidScenario(
            "--coordinator takes the order of a recording to another coordinator on a"
            " database\nnext: give --db URL as well"
        )
    schedule, replayed = evidence.schedule, evidence.replayed
    document = {
        **data.header("replay", schedule.scenario, schedule.settings),
        "coordinator": schedule.coordinator,
        "steps": len(replayed.steps),
        "digest": replayed.digest,
        "violations": {
            name: violation.message for name, violation in replayed.violations.items()
        },
    }
    if not write_json(json_file, document):
        console = make_console()
        console.print(f"{len(replayed.steps)} steps replayed, each as recorded")
        for name, violation in replayed.violations.items():
            console.print(
                f"VIOLATED {name} at step {violation.step}: {violation.message}"
            )
        if not replayed.violations:
            console.print("nothing violated")
    return int(bool(replayed.violations))


def _replay_on_database(
    evidence: Evidence, url: str, coordinator: str | None, json_file: Path | None
) -> int:
    schedule = evidence.schedule
    with interrupted_by_termination():
        shown = replay_on_database(evidence, url, coordinator)
    if write_json(json_file, database_replay_data(schedule, shown)):
        return (
            EXIT_DISAGREEMENT if shown.disagreement else int(bool(shown.violations()))
        )
    print_database_replay(make_console(), schedule, shown)
    return int(bool(shown.violations()))


def explain_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_FILE_HELP)],
    *,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as Markdown; - prints that."),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a pytest file that replays it."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="A row for every step of a long schedule.")
    ] = False,
    html_file: HTMLFile = None,
) -> int:
    """Tell a recorded schedule so that a person understands why it fails."""
    evidence = Evidence.of(read_schedule(file))
    if markdown is not None and str(markdown) != "-":
        check_outputs(None, markdown)
    check_outputs(None, html_file)
    if test is not None:
        check_writable(test)
    explanation = evidence.explanation
    write_page(html_file, evidence, json_file=markdown)
    if test is not None:
        text = regression_test_text(evidence.schedule, file, test)
        write_whole(test, text.encode())
    if markdown is not None:
        text = explanation_markdown(explanation, is_full=full)
        if str(markdown) == "-":
            typer.echo(text, nl=False)
            return 1
        write_whole(markdown, text.encode())
    make_console().print(explanation_text(explanation, is_full=full))
    return 1

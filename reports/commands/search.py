"""The commands `check`, `replay` and `explain`: search, verify, tell."""

from collections.abc import Mapping, Sequence
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
from wavecheck.reports.commands.engine_options import Cluster, Jobs, engine_of
from wavecheck.reports.commands.interruption import interrupted_by_termination
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
from wavecheck.reports.commands.proof import (
    CheckpointFolder,
    MemoryText,
    NoReduction,
    Threads,
    proof_limits,
    show_proof,
)
from wavecheck.reports.explanation.text import explanation_markdown, explanation_text
from wavecheck.reports.progress import showing_search
from wavecheck.reports.regressions import regression_test_text, save_schedules
from wavecheck.reports.tables import make_console
from wavecheck.reports.verdicts.database import (
    database_replay_data,
    print_database_replay,
)
from wavecheck.reports.verdicts.hash_seeds import compare_hash_seeds
from wavecheck.reports.verdicts.search import verdict_table
from wavecheck.scenarios.campaign.engines import IN_PROCESS
from wavecheck.scenarios.campaign.spread import check_spread
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.database.replay import replay_on_database
from wavecheck.scenarios.schedule_files import read_schedule
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.checking import (
    CheckResult,
    Effort,
    check_subject,
    subject_of,
    world_of,
)
from wavecheck.scenarios.verdicts.proving import ProofResult, explained
from wavecheck.scenarios.verdicts.strategies import EXHAUSTIVE
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive.explore import INTERRUPTED
from wavecheck.sim.files import check_folder, check_writable, write_whole
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.search.schedule import replay as replay_schedule

EXIT_DISAGREEMENT: Final = 4  # the model is ours
_FILE_HELP = "A schedule, as `wavecheck check --save` writes it."


def seconds_of(text: str) -> float:
    """Read a budget such as 10s, 2m or 1.5 (seconds).

    Raises:
        InvalidScenario: it is none.
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        return float(number) * units[unit]
    except ValueError:
        raise InvalidScenario(
            f"--budget {text!r}: expected a time such as 10s, 2m or 0.5h"
        ) from None


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


StrategyName = Annotated[str, typer.Option(help="As in `wavecheck list strategies`.")]
PropertyNames = Annotated[
    list[str] | None,
    typer.Option("--property", metavar="NAME", help="Judge this; repeatable."),
]
BudgetText = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Such as 10s or 2m; 10s if no budget."),
]
FaultsText = Annotated[
    str | None,
    typer.Option(metavar="KIND=N,...", help="Faults that may strike: crash=1,..."),
]


SaveFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write counterexamples as schedules.")
]
DatabaseFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where hypothesis keeps failures.")
]


def check_command(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorName = None,
    strategy: StrategyName = "portfolio",
    properties: PropertyNames = None,
    budget: BudgetText = None,
    executions: Annotated[
        int | None, typer.Option(help="Budget in executions.")
    ] = None,
    settings: Settings = None,
    faults: FaultsText = None,
    seed: Annotated[int, typer.Option(help="Of the strategy.", min=0)] = 0,
    first: Annotated[
        bool, typer.Option("--first", help="End with the first violation.")
    ] = False,
    require: Annotated[
        bool,
        typer.Option("--require", help="NOT TESTED is a failure."),
    ] = False,
    canary: Annotated[
        bool, typer.Option("--canary", help="Plant faults too: does it find them?")
    ] = False,
    database: DatabaseFolder = None,
    memory: MemoryText = "8GB",
    no_reduction: NoReduction = False,
    checkpoint: CheckpointFolder = None,
    threads: Threads = 1,
    jobs: Jobs = 1,
    cluster: Cluster = None,
    save: SaveFolder = None,
    junit: JUnitFile = None,
    sarif: SARIFFile = None,
    summary: SummaryFile = None,
    json_file: JSONFile = None,
    html_file: HTMLFile = None,
) -> int:
    """Search the schedules of a scenario for violations."""
    found = find_scenario(scenario)
    given = collect_settings(found, settings, is_small=True)
    check_outputs(json_file, html_file)
    files = CIFiles(junit=junit, sarif=sarif, summary=summary, requires_risk=require)
    files.check()
    for folder in filter(None, (save, database)):
        check_folder(folder)
    name = coordinator or found.default_coordinator
    subject = Subject.of(found, name, given, faults_of(faults or ""))
    effort = Effort(
        strategy=strategy,
        seconds=None if budget is None else seconds_of(budget),
        executions=executions,
        seed=seed,
        stops_at_first=first,
        database=database,
    )
    limits = proof_limits(
        effort, memory, checkpoint, threads=threads, reduces=not no_reduction
    )
    if canary:
        _check_canary(strategy, has_files=files.are_wanted() or html_file is not None)
    if strategy == EXHAUSTIVE:
        proof = show_proof(subject, limits, properties or (), json_file, save)
        _write_files(proof, files, html_file, json_file)
        return int(proof.has_violation() or (require and bool(proof.not_tested())))
    if canary:
        return show_canary(subject, effort, properties or (), json_file)
    where, outputs = (jobs, cluster), (json_file, save)
    result = _search(subject, effort, properties or (), where, outputs)
    _write_files(result, files, html_file, json_file)
    return int(result.has_violation() or (require and bool(result.not_tested())))


def _check_canary(strategy: str, *, has_files: bool) -> None:
    """Refuse what makes no sense with planted faults."""
    if has_files:
        refused = "--html, --junit, --sarif and --summary are not for --canary"
        raise InvalidScenario(refused)
    if strategy == EXHAUSTIVE:
        raise InvalidScenario("--canary searches: give it another --strategy")


def _write_files(
    result: CheckResult | ProofResult,
    files: CIFiles,
    html_file: Path | None,
    json_file: Path | None,
) -> None:
    """Write what CI and people read of a result, as far as it was asked for.

    Raises:
        KeyboardInterrupt: it ended the result; everything is written.
    """
    files.write(result)
    write_page(html_file, result, json_file=json_file)
    if isinstance(result, CheckResult):
        was_interrupted = result.was_interrupted
    else:
        was_interrupted = result.exploration.stopped_by == INTERRUPTED
    if was_interrupted:
        raise KeyboardInterrupt


def _search(
    subject: Subject,
    effort: Effort,
    properties: Sequence[str],
    where: tuple[int, str | None],
    outputs: tuple[Path | None, Path | None],
) -> CheckResult:
    """Search, compare between processes, keep and show what was found."""
    json_file, save = outputs
    with showing_search() as progress, engine_of(*where) as engine:
        if engine is IN_PROCESS:
            result = check_subject(subject, effort, properties, progress)
        else:
            result = check_spread(subject, effort, engine, properties, progress)
    if not result.was_interrupted:
        compare_hash_seeds(result)
    saved = {} if save is None else save_schedules(result.schedules, save)
    if not write_json(json_file, data.check_data(result)):
        _show(result, saved)
    return result


def _show(result: CheckResult, saved: Mapping[str, Path]) -> None:
    console = make_console()
    console.print(verdict_table(result))
    shortest = min(
        result.schedules.values(), key=lambda one: len(one.steps), default=None
    )
    if shortest is not None:
        told = explained(subject_of(shortest, result.scenario), shortest)
        console.print(explanation_text(told))
    for name, path in saved.items():
        console.print(f"{name}: wavecheck explain {path}")
    if result.schedules and not saved:
        console.print("--save DIR keeps the schedules; replay and explain read them")


def _read(file: Path) -> Schedule:
    schedule = read_schedule(file)
    find_scenario(schedule.scenario)
    return schedule


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
    schedule = _read(file)
    check_outputs(json_file)
    if db is not None:
        return _replay_on_database(schedule, db, coordinator, json_file)
    if coordinator is not None:
        raise InvalidScenario(
            "--coordinator takes the order of a recording to another coordinator on a"
            " database\nnext: give --db URL as well"
        )
    world = world_of(schedule, find_scenario(schedule.scenario))
    replayed = replay_schedule(world, schedule)
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
    schedule: Schedule, url: str, coordinator: str | None, json_file: Path | None
) -> int:
    with interrupted_by_termination():
        shown = replay_on_database(schedule, url, coordinator)
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
    schedule = _read(file)
    if markdown is not None and str(markdown) != "-":
        check_outputs(None, markdown)
    check_outputs(None, html_file)
    if test is not None:
        check_writable(test)
    subject = subject_of(schedule, find_scenario(schedule.scenario))
    explanation = explained(subject, schedule)
    write_page(html_file, explanation, json_file=markdown)
    if test is not None:
        write_whole(test, regression_test_text(schedule, file, test).encode())
    if markdown is not None:
        text = explanation_markdown(explanation, is_full=full)
        if str(markdown) == "-":
            typer.echo(text, nl=False)
            return 1
        write_whole(markdown, text.encode())
    make_console().print(explanation_text(explanation, is_full=full))
    return 1

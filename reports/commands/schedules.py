"""The commands `replay` and `explain`: verify a recorded schedule, tell it."""

from pathlib import Path
from typing import Annotated, Final

import typer

from wavecheck.reports.commands.options import (
    HTMLFile,
    JSONFile,
    check_outputs,
    write_json,
    write_page,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.data import header
from wavecheck.reports.explanation.text import explanation_markdown, explanation_text
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.schedule_files import read_schedule
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_writable, write_whole

EXIT_DISAGREEMENT: Final = 4  # the model is ours
_FILE_HELP = "A schedule, as `wavecheck check --save` writes it."


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
        **header("replay", schedule.scenario, schedule.settings),
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
    # SQLAlchemy and all below it: only this option needs them.
    from wavecheck.reports.verdicts.database import (
        database_replay_data,
        print_database_replay,
    )
    from wavecheck.scenarios.database.replay import replay_on_database

    schedule = evidence.schedule
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
        from wavecheck.reports.regressions import regression_test_text

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

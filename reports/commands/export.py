"""The command `export`: a schedule, a timed run or a state graph for other tools."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Annotated, Final

import typer

from wavecheck.reports.commands.options import (
    CoordinatorName,
    Seed,
    Settings,
    Until,
    check_outputs,
    collect_settings,
    timing_of,
)
from wavecheck.reports.export.sql_steps import sql_script
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.comparison import (
    Timing,
    build_timed_world,
    run_world,
    timed_world,
)
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.pipeline.timed_run import TimedRun, simulate
from wavecheck.scenarios.questions import state_graph
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.schedule_files import read_schedule
from wavecheck.scenarios.worlds.timed import WorldRun
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import write_whole
from wavecheck.sim.kernel import STEPS_MAX


class Format(StrEnum):
    """What can be written."""

    PERFETTO = "perfetto"
    SHIVIZ = "shiviz"
    MERMAID = "mermaid"
    GRAPHML = "graphml"
    CSV = "csv"
    VIDIGI = "vidigi"
    ISOLATION_SPEC = "isolation-spec"
    SQL = "sql"


_OF_SCHEDULES: Final = (
    Format.SHIVIZ,
    Format.MERMAID,
    Format.ISOLATION_SPEC,
    Format.SQL,
)


class RunTable(StrEnum):
    """Which table of a timed run becomes CSV."""

    BATCHES = "batches"
    CALLS = "calls"
    ALERTS = "alerts"


def export_command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A schedule's file, or a scenario to run."
        ),
    ],
    *,
    form: Annotated[Format, typer.Option("--format", help="Of the output.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="- prints it.")
    ] = Path("-"),
    rows: Annotated[
        RunTable, typer.Option(help="Of a timed run, as CSV.")
    ] = RunTable.BATCHES,
    coordinator: CoordinatorName = None,
    settings: Settings = None,
    seed: Seed = None,
    until: Until = None,
) -> int:
    """Write a schedule, a timed run or a state graph in another tool's format."""
    if str(output) != "-":
        check_outputs(None, output)
    path = Path(source)
    if path.is_file() and path.suffix != ".py":
        if settings or seed is not None:
            raise InvalidScenario(
                f"{source} is a schedule, which holds its own settings\n"
                "next: leave --set and --seed out"
            )
        text = _of_schedule(Evidence.of(read_schedule(path)), form)
    elif path.suffix == ".json":
        raise InvalidScenario(f"{source}: no such file")
    else:
        text = _of_scenario(
            find_scenario(source),
            coordinator,
            settings,
            timing_of(seed, until, STEPS_MAX),
            form=form,
            rows=rows,
        )
    if str(output) == "-":
        typer.echo(text, nl=False)
    else:
        write_whole(output, text.encode())
    return 0


def _of_schedule(evidence: Evidence, form: Format) -> str:
    from wavecheck.reports import export  # its graphs are slow to load

    writers: Final[Mapping[Format, Callable[[Evidence], str]]] = {
        Format.PERFETTO: export.perfetto,
        Format.SHIVIZ: export.shiviz,
        Format.MERMAID: export.mermaid,
        Format.GRAPHML: lambda one: export.graphml(one.happens_before),
        Format.VIDIGI: _no_time,
        Format.CSV: lambda one: export.csv_text(one.replayed.to_records()),
        Format.ISOLATION_SPEC: lambda one: export.isolation_spec(sql_script(one)),
        Format.SQL: lambda one: export.sql_text(sql_script(one)),
    }
    return writers[form](evidence)


def _no_time(evidence: Evidence) -> str:
    raise InvalidScenario(
        "--format vidigi shows a timed run, and a schedule has no time\n"
        f"next: wavecheck export {evidence.schedule.scenario} --format vidigi"
    )


def _of_scenario(
    scenario: Scenario,
    coordinator: str | None,
    settings: list[str] | None,
    timing: Timing,
    *,
    form: Format,
    rows: RunTable,
) -> str:
    from wavecheck.reports import export

    if form in _OF_SCHEDULES:
        raise InvalidScenario(
            f"--format {form.value} shows one schedule, and {scenario.name!r} is a"
            f" scenario\nnext: wavecheck check {scenario.name} --save DIR, then export"
            " a file of DIR"
        )
    coordinator = coordinator or scenario.default_coordinator
    is_small = form is Format.GRAPHML
    given = collect_settings(
        scenario, settings, is_small=is_small, seed=timing.seed or None
    )
    if is_small:
        return export.graphml(state_graph(scenario, coordinator, settings=given))
    settings_of = scenario.settings(given)
    if not scenario.is_timed:
        world = timed_world(scenario, coordinator, settings_of, timing)
        return _of_world(run_world(world, coordinator, timing, keeps=True), form)
    if form is Format.VIDIGI:
        raise InvalidScenario(
            f"--format vidigi is for worlds of tasks, and {scenario.name!r} is a"
            " pipeline\nnext: --format csv"
        )
    pipeline = build_timed_world(
        scenario, coordinator, settings_of, steps_max=STEPS_MAX
    )
    trace = StringIO()
    run = simulate(pipeline, coordinator, trace_lines=trace)
    if form is Format.PERFETTO:
        return export.perfetto_of_run(run, trace.getvalue().splitlines())
    return export.csv_text(_records(run, rows))


def _of_world(run: WorldRun, form: Format) -> str:
    from wavecheck.reports import export

    if form is Format.PERFETTO:
        return export.perfetto_of_world(run)
    return (
        export.vidigi_csv(run) if form is Format.VIDIGI else export.statements_csv(run)
    )


def _records(run: TimedRun, rows: RunTable) -> list[dict[str, object]]:
    if rows is RunTable.BATCHES:
        return run.batch_records()
    return run.call_records() if rows is RunTable.CALLS else run.alert_records()

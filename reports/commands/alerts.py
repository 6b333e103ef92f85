"""The command `alerts`: the simulated monitors, for production."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports.commands.options import Settings, assignments, check_outputs
from wavecheck.reports.monitors import Thresholds, prometheus_rules, sql_script
from wavecheck.sim.files import write_whole


class MonitorFormat(StrEnum):
    """What can be written."""

    PROMETHEUS = "prometheus"
    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


def alerts_command(
    *,
    form: Annotated[
        MonitorFormat, typer.Option("--format", help="Of the output.")
    ] = MonitorFormat.PROMETHEUS,
    settings: Settings = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="- prints it.")
    ] = Path("-"),
) -> int:
    """Write the monitors as Prometheus alert rules or as SQL probes."""
    thresholds = Thresholds.of(assignments(settings))
    if str(output) != "-":
        check_outputs(None, output)
    if form is MonitorFormat.PROMETHEUS:
        text = prometheus_rules(thresholds)
    else:
        text = sql_script(thresholds, form.value)
    if str(output) == "-":
        typer.echo(text, nl=False)
    else:
        write_whole(output, text.encode())
    return 0

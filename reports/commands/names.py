"""The command `list`: what there is, by name."""

from enum import StrEnum
from typing import Annotated

import typer

from wavecheck.reports import tables
from wavecheck.reports.console import make_console
from wavecheck.reports.verdicts.search import strategies_table
from wavecheck.reports.zoo.tables import exhibits_table


class Topic(StrEnum):
    """What `list` can list."""

    COORDINATORS = "coordinators"
    SCENARIOS = "scenarios"
    STRATEGIES = "strategies"
    PROPERTIES = "properties"
    ZOO = "zoo"


def list_names(
    topic: Annotated[
        Topic | None, typer.Argument(help="What to list; everything if not given.")
    ] = None,
) -> int:
    """List coordinators, scenarios, strategies, properties, and the zoo."""
    console = make_console()
    shown = {
        Topic.COORDINATORS: tables.coordinators_table,
        Topic.SCENARIOS: tables.scenarios_table,
        Topic.STRATEGIES: strategies_table,
        Topic.PROPERTIES: tables.properties_table,
        Topic.ZOO: exhibits_table,
    }
    for one in [topic] if topic is not None else list(Topic):
        console.print(shown[one]())
    return 0

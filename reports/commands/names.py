"""The command `list`: what there is, by name."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports import tables
from wavecheck.reports.console import make_console
from wavecheck.reports.verdicts.search import strategies_table
from wavecheck.reports.zoo.tables import exhibits_table
from wavecheck.scenarios.loading import load_file, worlds_of
from wavecheck.sim.errors import InvalidScenario, unknown_name


class Topic(StrEnum):
    """What `list` can list."""

    COORDINATORS = "coordinators"
    SCENARIOS = "scenarios"
    STRATEGIES = "strategies"
    PROPERTIES = "properties"
    ZOO = "zoo"


def list_names(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHAT]",
            help=f"{', '.join(Topic)}, or FILE.py; everything if not given.",
        ),
    ] = None,
) -> int:
    """List coordinators, scenarios, strategies, properties, the zoo, or a file."""
    console = make_console()
    if topic is not None and topic.endswith(".py"):
        worlds = worlds_of(load_file(Path(topic)))
        if not worlds:
            raise InvalidScenario(f"{topic} has no world\nnext: docs/own-world.md")
        named = [replace(one, name=f"{topic}:{n}") for n, one in worlds.items()]
        console.print(tables.worlds_report(named))
        return 0
    if topic is not None and topic not in list(Topic):
        raise unknown_name("list", topic, list(Topic))
    shown = {
        Topic.COORDINATORS: tables.coordinators_table,
        Topic.SCENARIOS: tables.scenarios_table,
        Topic.STRATEGIES: strategies_table,
        Topic.PROPERTIES: tables.properties_table,
        Topic.ZOO: exhibits_table,
    }
    for one in [Topic(topic)] if topic is not None else list(Topic):
        console.print(shown[one]())
    return 0

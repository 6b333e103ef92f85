"""Every scenario and exhibit by name, in the order in which reports show them."""

from dataclasses import replace
from importlib.metadata import entry_points
from typing import Final

from wavecheck.scenarios.classic import CLASSIC
from wavecheck.scenarios.fleet import FLEET
from wavecheck.scenarios.import_job import IMPORT_JOB
from wavecheck.scenarios.incident.scenario import INCIDENT
from wavecheck.scenarios.loading import load_world, named_world
from wavecheck.scenarios.pipeline.own_sql import OWN_SQL
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.wd.model import WD
from wavecheck.scenarios.zoo import ZOO
from wavecheck.sim.errors import InvalidScenario, unknown_name

EXHIBITS: Final = {one.name: one for one in (*ZOO, *CLASSIC)}
"""Every exhibit by name: the zoo, then the classic programs."""

SCENARIOS: Final = {
    one.name: one
    for one in (
        INCIDENT,
        IMPORT_JOB,
        FLEET,
        WD,
        OWN_SQL,
        *(one.scenario for one in EXHIBITS.values()),
    )
}
"""Every scenario by name, in the order in which reports show them."""


WORLDS_GROUP: Final = "wavecheck.worlds"
"""The entry points by which installed packages register worlds of their own."""


def find_scenario(scenario: str | Scenario) -> Scenario:
    """Return the world that is meant, with the name by which any process finds it.

    Args:
        scenario: a name; path/to/file.py:WORLD, or the file alone if it has one;
            package.module:WORLD; a declared world itself.

    Raises:
        InvalidScenario: there is none, or no other process could find it.
        CoordinatorError: its file or module does not load.
    """
    if isinstance(scenario, Scenario):
        return scenario if scenario.name else named_world(scenario)
    if not isinstance(scenario, str):
        raise InvalidScenario(
            f"{scenario!r} is no world\n"
            "  expected  a name, path/to/file.py:WORLD, package.module:WORLD, or what"
            " @wavecheck.world made"
        )
    if scenario in SCENARIOS:
        return SCENARIOS[scenario]
    if ":" in scenario or scenario.endswith(".py"):
        return load_world(scenario)
    registered = entry_points(group=WORLDS_GROUP, name=scenario)
    for one in registered:
        return replace(load_world(one.value), name=scenario)
    known = [one.name for one in entry_points(group=WORLDS_GROUP)]
    raise unknown_name("scenario", scenario, [*SCENARIOS, *known])


def is_built_in(scenario: Scenario, coordinator: str) -> bool:
    """Return whether a coordinator is ours, so that our own tests vouch for it."""
    is_ours = SCENARIOS.get(scenario.name) is scenario
    return is_ours and coordinator in scenario.coordinators

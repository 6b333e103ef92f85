"""What is tried: named, frozen descriptions of worlds, and coordinators for them."""

from typing import Final

from scenarios.import_job import IMPORT_JOB
from scenarios.incident import INCIDENT
from scenarios.loading import load_coordinator
from scenarios.scenario import Scenario
from scenarios.wd import WD
from sim.errors import unknown_name

__all__ = ["SCENARIOS", "Scenario", "find_scenario", "load_coordinator"]

SCENARIOS: Final = {one.name: one for one in (INCIDENT, IMPORT_JOB, WD)}
"""Every scenario by name, in the order in which reports show them."""


def find_scenario(name: str) -> Scenario:
    """Return the scenario with this name.

    Raises:
        InvalidScenario: there is none.
    """
    if name not in SCENARIOS:
        raise unknown_name("scenario", name, list(SCENARIOS))
    return SCENARIOS[name]

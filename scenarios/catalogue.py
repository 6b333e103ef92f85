"""Every scenario and exhibit by name, in the order in which reports show them."""

from typing import Final

from wavecheck.scenarios.classic import CLASSIC
from wavecheck.scenarios.fleet import FLEET
from wavecheck.scenarios.import_job import IMPORT_JOB
from wavecheck.scenarios.incident.scenario import INCIDENT
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.wd.model import WD
from wavecheck.scenarios.zoo import ZOO
from wavecheck.sim.errors import unknown_name

EXHIBITS: Final = {one.name: one for one in (*ZOO, *CLASSIC)}
"""Every exhibit by name: the zoo, then the classic programs."""

SCENARIOS: Final = {
    one.name: one
    for one in (
        INCIDENT,
        IMPORT_JOB,
        FLEET,
        WD,
        *(one.scenario for one in EXHIBITS.values()),
    )
}
"""Every scenario by name, in the order in which reports show them."""


def find_scenario(scenario: str | Scenario) -> Scenario:
    """Return the scenario with this name; a scenario is returned as it is.

    Raises:
        InvalidScenario: there is none.
    """
    if isinstance(scenario, Scenario):
        return scenario
    if scenario not in SCENARIOS:
        raise unknown_name("scenario", scenario, list(SCENARIOS))
    return SCENARIOS[scenario]


def is_built_in(scenario: Scenario, coordinator: str) -> bool:
    """Return whether a coordinator is ours, so that our own tests vouch for it."""
    is_ours = SCENARIOS.get(scenario.name) is scenario
    return is_ours and coordinator in scenario.coordinators

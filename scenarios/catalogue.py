"""Every scenario and exhibit by name, in the order in which reports show them."""

from typing import Final

from scenarios.classic import CLASSIC
from scenarios.fleet import FLEET
from scenarios.import_job import IMPORT_JOB
from scenarios.incident.scenario import INCIDENT
from scenarios.scenario import Scenario
from scenarios.wd.model import WD
from scenarios.zoo import ZOO
from sim.errors import unknown_name

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

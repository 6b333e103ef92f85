"""The published incident, or one of the user's own, from its recorded timeline."""

from typing import Final

from coordinator import VARIANTS, Coordinator
from scenarios.incident.timeline import read_timeline
from scenarios.scenario import Scenario
from sim.kernel import Kernel
from sim.pipeline.incident import IncidentWorld
from sim.pipeline.settings import IncidentSettings


def _build(
    kernel: Kernel, coordinator_type: type[Coordinator], settings: IncidentSettings
) -> IncidentWorld:
    timeline = read_timeline(settings.batches, settings.calls)
    return IncidentWorld(kernel, coordinator_type, settings, timeline)


INCIDENT: Final = Scenario(
    name="incident",
    summary="a recorded timeline of batches and dispatch calls; the published one",
    settings_type=IncidentSettings,
    coordinators=VARIANTS,
    methods=("check_and_trigger_next_wave", "dispatch_wave"),
    build=_build,
    small={},
    sizes={},
    is_timed=True,
    files=("batches", "calls"),
)

"""The published incident, or one of the user's own, from its recorded timeline."""

from typing import Final

from wavecheck.coordinator import VARIANTS, Coordinator
from wavecheck.scenarios.incident.timeline import read_timeline
from wavecheck.scenarios.pipeline.incident import IncidentWorld
from wavecheck.scenarios.pipeline.settings import IncidentSettings
from wavecheck.scenarios.scenario import Scenario
from wavecheck.sim.kernel import Kernel


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

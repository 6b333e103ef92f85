"""The published incident, or one of the user's own, from its recorded timeline."""

from typing import Final

from wavecheck.coordinator import VARIANTS
from wavecheck.scenarios.incident.claims import judge_claims
from wavecheck.scenarios.incident.timeline import read_timeline
from wavecheck.scenarios.pipeline.incident import IncidentWorld
from wavecheck.scenarios.pipeline.settings import IncidentSettings
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.worlds import WorldBuilder, world


def _build(w: WorldBuilder) -> IncidentWorld:
    timeline = read_timeline(w.settings.batches, w.settings.calls)
    return IncidentWorld(w.kernel, w.code, w.settings, timeline)


INCIDENT: Final[Scenario] = world(
    _build,
    name="incident",
    summary="a recorded timeline of batches and dispatch calls; the published one",
    settings=IncidentSettings,
    code=VARIANTS,
    default="progressive",
    claims=judge_claims,
    methods=("check_and_trigger_next_wave", "dispatch_wave"),
    is_timed=True,
    files=("batches", "calls"),
)

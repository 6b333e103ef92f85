"""Many jobs at once on one database and one worker pool: contention at scale."""

from typing import Final

from wavecheck.coordinator import VARIANTS
from wavecheck.scenarios.pipeline.fleet import FleetWorld
from wavecheck.scenarios.pipeline.mutants import PIPELINE_MUTANTS
from wavecheck.scenarios.pipeline.settings import FleetSettings
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.worlds import WorldBuilder, world


def _build(w: WorldBuilder) -> FleetWorld:
    return FleetWorld(w.kernel, w.code, w.settings)


FLEET: Final[Scenario] = world(
    _build,
    name="fleet",
    summary="many import jobs at once on one database and one worker pool",
    settings=FleetSettings,
    code=VARIANTS,
    default="progressive",
    methods=("check_and_trigger_next_wave", "dispatch_wave"),
    small={
        "jobs": 2,
        "parents": 2,
        "parents_per_batch": 1,
        "threshold": 0.5,
        "waves_before": 0,
        "workers": 2,
    },
    least={"parents": 1, "jobs": 1, "workers": 1},
    is_timed=True,
    mutants=PIPELINE_MUTANTS,
)

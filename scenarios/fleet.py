"""Many jobs at once on one database and one worker pool: contention at scale."""

from typing import Final

from wavecheck.coordinator import VARIANTS
from wavecheck.scenarios.pipeline.fleet import FleetWorld
from wavecheck.scenarios.pipeline.mutants import PIPELINE_MUTANTS
from wavecheck.scenarios.pipeline.settings import FleetSettings
from wavecheck.scenarios.scenario import Scenario

FLEET: Final = Scenario(
    name="fleet",
    summary="many import jobs at once on one database and one worker pool",
    settings_type=FleetSettings,
    coordinators=VARIANTS,
    methods=("check_and_trigger_next_wave", "dispatch_wave"),
    build=FleetWorld,
    small={
        "jobs": 2,
        "parents": 2,
        "parents_per_batch": 1,
        "threshold": 0.5,
        "waves_before": 0,
        "workers": 2,
    },
    sizes={"parents": 1, "jobs": 1, "workers": 1},
    is_timed=True,
    mutants=PIPELINE_MUTANTS,
)

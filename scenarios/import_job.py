"""A whole import job, generated: main waves, parents, a derived wave, workers."""

from typing import Final

from wavecheck.coordinator import VARIANTS
from wavecheck.scenarios.pipeline.import_job import ImportJobWorld
from wavecheck.scenarios.pipeline.mutants import PIPELINE_MUTANTS
from wavecheck.scenarios.pipeline.settings import ImportJobSettings
from wavecheck.scenarios.scenario import Scenario

IMPORT_JOB: Final = Scenario(
    name="import-job",
    summary="a whole job: main waves, SalesOrder parents, a TransactionLine wave",
    settings_type=ImportJobSettings,
    coordinators=VARIANTS,
    methods=("check_and_trigger_next_wave", "dispatch_wave"),
    build=ImportJobWorld,
    small={
        "parents": 3,
        "parents_per_batch": 2,
        "threshold": 0.5,
        "waves_before": 0,
        "workers": 2,
    },
    sizes={"parents": 1, "waves_before": 0, "workers": 1, "pollers": 0},
    is_timed=True,
    mutants=PIPELINE_MUTANTS,
)

"""A whole import job, generated: main waves, parents, a derived wave, workers."""

from typing import Final

from wavecheck.coordinator import VARIANTS
from wavecheck.scenarios.incident.claims import judge_claims
from wavecheck.scenarios.pipeline.import_job import ImportJobWorld
from wavecheck.scenarios.pipeline.mutants import PIPELINE_MUTANTS
from wavecheck.scenarios.pipeline.settings import ImportJobSettings
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.worlds import WorldBuilder, world


def _build(w: WorldBuilder) -> ImportJobWorld:
    return ImportJobWorld(w.kernel, w.code, w.settings)


IMPORT_JOB: Final[Scenario] = world(
    _build,
    name="import-job",
    summary="a whole job: main waves, SalesOrder parents, a TransactionLine wave",
    settings=ImportJobSettings,
    code=VARIANTS,
    default="progressive",
    claims=judge_claims,
    methods=("check_and_trigger_next_wave", "dispatch_wave"),
    small={
        "parents": 3,
        "parents_per_batch": 2,
        "threshold": 0.5,
        "waves_before": 0,
        "workers": 2,
    },
    least={"parents": 1, "waves_before": 0, "workers": 1, "pollers": 0},
    is_timed=True,
    mutants=PIPELINE_MUTANTS,
)

"""Small campaigns that take a fraction of a second."""

import pytest

from wavecheck.scenarios.campaign.campaign import campaign
from wavecheck.scenarios.campaign.plan import Plan
from wavecheck.scenarios.catalogue import find_scenario

SMALL = {
    "parents": 4,
    "parents_per_batch": 2,
    "workers": 2,
    "waves_before": 0,
    "service_seconds": 5.0,
    "statement_latency_ms": 300.0,
    "latency_spread": 0.5,
}


@pytest.fixture
def plan_of():
    """Return the plan of a small campaign of `import-job`."""

    def make(coordinators=("stalling", "progressive"), *, settings=None, **options):
        options = {"seeds_count": 40} | options
        return Plan.of(
            find_scenario("import-job"),
            coordinators,
            settings=SMALL | (settings or {}),
            **options,
        )

    return make


@pytest.fixture
def run_plan(plan_of):
    """Run a small campaign in this process."""

    def run(*args, **options):
        return campaign(plan_of(*args, **options))

    return run

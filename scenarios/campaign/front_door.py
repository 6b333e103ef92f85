"""Campaigns from Python: one call each, by name, as `scenarios` offers them.

Knows how plain arguments become plans, engines and stores; decides nothing else. What
is slow to import is imported by the call that needs it.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from wavecheck.scenarios.campaign.campaign import CampaignResult, Tell
    from wavecheck.scenarios.campaign.frames import Frame
    from wavecheck.scenarios.incident.calibration import Calibration


def run_campaign(
    scenario: str | Scenario,
    coordinators: Sequence[str | type[Any]] = (),
    *,
    grid: Mapping[str, Sequence[object]] | None = None,
    settings: Mapping[str, object] | None = None,
    seeds: int = 1000,
    first_seed: int = 0,
    until_width: float | None = None,
    rare: str = "",
    store: str | Path | None = None,
    resumes: bool = False,
    jobs: int = 1,
    cluster: Any = None,
    progress: "Tell | None" = None,
) -> "CampaignResult":
    """Run coordinators over many seeds and a grid of parameters: how often, how long.

    Args:
        scenario: where, or its name.
        coordinators: classes or names; all of the scenario's own if empty. The others
            are compared with the first one.
        grid: values to combine, by parameter.
        settings: of the scenario, by name, the same everywhere.
        seeds: runs of every point, at most.
        first_seed: the seeds go up from here.
        until_width: end a point when the intervals of its rates are this narrow.
        rare: without time, a property; schedules are drawn towards its violation.
        store: a file that keeps the runs; None: none does.
        resumes: go on with that file if it is there.
        jobs: processes on this machine; 0: one for each core.
        cluster: address of a Dask scheduler, or a Client; instead of `jobs`.
        progress: called with a `CampaignProgress` after each finished piece.

    Raises:
        InvalidScenario: a name, value or file that does not exist or fit.
        CoordinatorError: a coordinator does not load, or failed in a run.
        NondeterminismError: a run made twice is not the same twice.
    """
    from wavecheck.scenarios.campaign.campaign import campaign
    from wavecheck.scenarios.campaign.cluster import engine_of
    from wavecheck.scenarios.campaign.plan import Plan

    plan = Plan.of(
        find_scenario(scenario),
        coordinators,
        grid=grid,
        settings=settings,
        seeds_count=seeds,
        first_seed=first_seed,
        until_width=until_width,
        rare=rare,
    )
    path = None if store is None else Path(store)
    with closing(engine_of(jobs, cluster)) as engine:
        return campaign(
            plan, store=path, resumes=resumes, engine=engine, progress=progress
        )


def read_results(store: str | Path) -> "Frame":
    """Return the runs of a results file as a data frame, one row for each.

    Returns:
        Columns `coordinator`, the grid's parameters, `seed`, and what was measured;
        times in microseconds of virtual time. A property's column is 1 where the run
        violated it, 0 where it did not, and missing where it was not at risk.

    Raises:
        InvalidScenario: there is no such file, or pandas is not installed.
    """
    from wavecheck.scenarios.campaign.frames import read_frame

    return read_frame(store)


def calibrate(
    batches: str = "", calls: str = "", *, family: str = "empirical"
) -> "Calibration":
    """Measure service times, latencies and arrivals from an incident's files.

    Args:
        batches: CSV file of batches; empty, with `calls`: the published incident.
        calls: CSV file of dispatch calls.
        family: `empirical`, the name of a formula, or `best`.

    Raises:
        InvalidScenario: a malformed file, or no such formula.
    """
    from wavecheck.scenarios.incident.calibration import calibrate as measure

    return measure(batches, calls, family=family)

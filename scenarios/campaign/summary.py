"""What a campaign's runs say: rates, distributions, differences.

Knows the store and the statistics; prints nothing. Coordinators are compared on common
random numbers: the runs of one seed in two coordinators draw the same service times, so
their difference is taken seed by seed, which removes what the seed alone explains.

Units: microseconds of virtual time for measures that end in `_us`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavecheck.scenarios.campaign.columns import DISTRIBUTED, alert_columns
from wavecheck.scenarios.campaign.plan import Plan, Point
from wavecheck.scenarios.campaign.statistics import (
    Distribution,
    Floats,
    Interval,
    bootstrap_interval,
    bounded_mean_interval,
    distribution,
    rate_interval,
    rate_sequence,
)
from wavecheck.scenarios.campaign.store import ResultsStore
from wavecheck.scenarios.pipeline.alerts import ALERTS
from wavecheck.sim.search.biased_walk import SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often a property is violated.

    Attributes:
        property_name: which.
        hits: runs that violated it.
        runs: all runs.
        at_risk: runs that could have violated it.
        estimate: hits over runs, or the weighed mean where schedules were not drawn
            uniformly.
        interval: of the true rate.
    """

    property_name: str
    hits: int
    runs: int
    at_risk: int
    estimate: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSummary:
    """How an alert did.

    Attributes:
        name: which.
        stranded_runs: runs with a batch that is pending for ever.
        detected: those of them in which it fired where batches are stranded.
        false_runs: runs in which it fired where none is.
        runs: all runs.
        false_rate: interval of the rate of such runs.
        delay: from the creation of the first stranded batch until it fired.
    """

    name: str
    stranded_runs: int
    detected: int
    false_runs: int
    runs: int
    false_rate: Interval
    delay: Distribution | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSummary:
    """What the runs of one point say.

    Attributes:
        point: which.
        runs: how many.
        is_stopped: it ended early, because its intervals were narrow enough.
        rates: one for each property.
        alerts: one for each alert; none without time.
        distributions: by measure; a measure without any value is left out.
    """

    point: Point
    runs: int
    is_stopped: bool
    rates: tuple[Rate, ...]
    alerts: tuple[AlertSummary, ...]
    distributions: dict[str, Distribution]

    def rate(self, property_name: str) -> Rate:
        """Return the rate of one property."""
        return next(one for one in self.rates if one.property_name == property_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How two coordinators differ in one measure, on the same seeds.

    Attributes:
        cell: the grid cell, as the point of the second one.
        base: the coordinator that is compared with.
        measure: a column, or a property: then a rate.
        pairs: seeds on which both have a value.
        mean: second minus base.
        interval: of the true mean.
    """

    cell: Point
    base: str
    measure: str
    pairs: int
    mean: float
    interval: Interval


def summarise(plan: Plan, store: ResultsStore) -> tuple[PointSummary, ...]:
    """Return what the runs say, point by point."""
    return tuple(_summary(plan, store, point) for point in plan.points)


def _summary(plan: Plan, store: ResultsStore, point: Point) -> PointSummary:
    rates = point_rates(plan, store, point)
    runs = rates[0].runs
    alerts: tuple[AlertSummary, ...] = ()
    distributions: dict[str, Distribution] = {}
    if plan.scenario.is_timed:
        alerts = tuple(_alert(store, point, name) for name in ALERTS)
        for name in DISTRIBUTED:
            found = distribution(measure_values(store, point.index, name))
            if found is not None:
                distributions[name] = found
    return PointSummary(
        point=point,
        runs=runs,
        is_stopped=plan.until_width is not None
        and runs < plan.seeds_count
        and all(rate.interval.width <= plan.until_width for rate in rates),
        rates=rates,
        alerts=alerts,
        distributions=distributions,
    )


def point_rates(
    plan: Plan, store: ResultsStore, point: Point, *, seeds_max: int | None = None
) -> tuple[Rate, ...]:
    """Return the rate of each property at a point.

    Args:
        plan: the campaign.
        store: its runs.
        point: which.
        seeds_max: of the runs with the lowest seeds only.
    """
    judged = [plan.rare] if plan.rare else list(plan.properties())
    names = [*judged, "weight"] if plan.rare else judged
    values = store.values(point.index, names, seeds_max=seeds_max)
    return tuple(
        _rate(plan, name, values[:, place], values[:, -1])
        for place, name in enumerate(judged)
    )


def _rate(plan: Plan, name: str, outcomes: Floats, weights: Floats) -> Rate:
    is_hit = outcomes == 1.0
    hits, runs = int(is_hit.sum()), len(outcomes)
    if plan.rare:
        weighed = np.where(is_hit, weights, 0.0)
        estimate = float(weighed.mean()) if runs else 0.0
        interval = bounded_mean_interval(weighed, 1.0 / SHARE)
    else:
        estimate = hits / runs if runs else 0.0
        of = rate_interval if plan.until_width is None else rate_sequence
        interval = of(hits, runs)
    return Rate(
        property_name=name,
        hits=hits,
        runs=runs,
        at_risk=int((~np.isnan(outcomes)).sum()),
        estimate=estimate,
        interval=interval,
    )


def _alert(store: ResultsStore, point: Point, name: str) -> AlertSummary:
    columns = [*alert_columns(name), "stranded_batches"]
    right, false, delay, stranded = store.values(point.index, columns).T
    runs, false_runs = len(right), int((false > 0).sum())
    return AlertSummary(
        name=name,
        stranded_runs=int((stranded > 0).sum()),
        detected=int((right > 0).sum()),
        false_runs=false_runs,
        runs=runs,
        false_rate=rate_interval(false_runs, runs),
        delay=distribution(delay),
    )


def measure_values(store: ResultsStore, point: int, name: str) -> Floats:
    """Return one measure of a point's runs, ascending by seed.

    NaN where a run has none. The longest pending time of a run with a stranded batch is
    infinite.
    """
    if name == "longest_pending_us":
        waits, stranded = store.values(point, [name, "stranded_batches"]).T
        return np.where(stranded > 0, np.inf, waits)
    values: Floats = store.values(point, [name])[:, 0]
    return values


def differences(plan: Plan, store: ResultsStore) -> tuple[Difference, ...]:
    """Return every other coordinator against the first one, cell by cell."""
    if not plan.scenario.is_timed:
        return ()  # schedules of two coordinators have no choice in common
    found = []
    step = len(plan.coordinators)
    for first in range(0, len(plan.points), step):
        base, *others = plan.points[first : first + step]
        for other in others:
            found += list(_pair(plan, store, base, other))
    return tuple(found)


def _pair(
    plan: Plan, store: ResultsStore, base: Point, other: Point
) -> Iterator[Difference]:
    measures = [*DISTRIBUTED, *plan.properties()]
    for name in measures:
        mine, theirs = (_by_seed(store, one.index, name) for one in (base, other))
        seeds = [seed for seed in mine if seed in theirs]
        gaps = np.array([theirs[seed] - mine[seed] for seed in seeds])
        if len(gaps):
            yield Difference(
                cell=other,
                base=base.coordinator,
                measure=name,
                pairs=len(gaps),
                mean=float(gaps.mean()),
                interval=bootstrap_interval(gaps),
            )


def _by_seed(store: ResultsStore, point: int, name: str) -> dict[float, float]:
    """Return the finite values of one measure by seed."""
    seeds = store.values(point, ["seed"])[:, 0]
    values = measure_values(store, point, name)
    is_known = np.isfinite(values)
    pairs = zip(seeds[is_known].tolist(), values[is_known].tolist(), strict=True)
    return dict(pairs)


def records(summaries: Sequence[PointSummary]) -> list[dict[str, Any]]:
    """Return one flat row for each point, its rates with their intervals by name."""
    rows = []
    for one in summaries:
        row: dict[str, Any] = {
            "coordinator": one.point.coordinator,
            **one.point.cell,
            "runs": one.runs,
        }
        for rate in one.rates:
            row[rate.property_name] = rate.estimate
            row[f"{rate.property_name}_low"] = rate.interval.low
            row[f"{rate.property_name}_high"] = rate.interval.high
        for name, found in one.distributions.items():
            row[f"{name}_mean"] = found.mean
            row[f"{name}_median"] = found.quantiles[2]
        rows.append(row)
    return rows

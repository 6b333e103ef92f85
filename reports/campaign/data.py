"""A campaign's results as plain data, for `--json`; docs/json.md describes it."""

import math
from dataclasses import asdict
from typing import Any

from wavecheck import __version__
from wavecheck.reports.campaign.tables import campaign_answer
from wavecheck.reports.data import FORMAT_VERSION
from wavecheck.scenarios.campaign.campaign import CampaignResult
from wavecheck.scenarios.campaign.statistics import Distribution, Interval
from wavecheck.scenarios.campaign.summary import Difference, PointSummary


def campaign_data(result: CampaignResult) -> dict[str, Any]:
    """Return what a campaign says as data; nothing in it depends on the machine."""
    plan = result.plan
    return {
        "answer": campaign_answer(result),
        "format": FORMAT_VERSION,
        "kind": "campaign",
        "wavecheck": __version__,
        "scenario": plan.scenario.name,
        "digest": plan.digest(),
        "first_seed": plan.first_seed,
        "seeds": plan.seeds_count,
        "until_width": plan.until_width,
        "rare": plan.rare or None,
        "was_interrupted": result.was_interrupted,
        "runs": result.runs,
        "points": [_point(one) for one in result.points],
        "differences": [_difference(one) for one in result.differences],
    }


def _point(summary: PointSummary) -> dict[str, Any]:
    return {
        "coordinator": summary.point.coordinator,
        "settings": dict(summary.point.given),
        "runs": summary.runs,
        "ended_early": summary.is_stopped,
        "rates": [
            {
                "property": rate.property_name,
                "violated": rate.hits,
                "at_risk": rate.at_risk,
                "rate": rate.estimate,
                "interval": _interval(rate.interval),
            }
            for rate in summary.rates
        ],
        "alerts": [
            {
                "alert": alert.name,
                "stranded_runs": alert.stranded_runs,
                "detected": alert.detected,
                "false_alarms": alert.false_runs,
                "false_alarm_interval": _interval(alert.false_rate),
                "time_to_detect_us": _distribution(alert.delay),
            }
            for alert in summary.alerts
        ],
        "distributions": {
            name: _distribution(found) for name, found in summary.distributions.items()
        },
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "coordinator": one.cell.coordinator,
        "settings": dict(one.cell.given),
        "base": one.base,
        "measure": one.measure,
        "pairs": one.pairs,
        "mean": one.mean,
        "interval": _interval(one.interval),
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return asdict(interval)


def _distribution(found: Distribution | None) -> dict[str, Any] | None:
    if found is None:
        return None
    names = ("p5", "p25", "p50", "p75", "p95")
    quantiles = dict(zip(names, map(_finite, found.quantiles), strict=True))
    return {
        "runs": found.count,
        "missing": found.missing,
        "mean": _finite(found.mean),
        "min": _finite(found.least),
        **quantiles,
        "max": _finite(found.most),
    }


def _finite(value: float) -> float | str:
    """Return a number that JSON can hold; what never ends is said in words."""
    return value if math.isfinite(value) else "for ever"

"""Results as plain data, for `--json`; docs/json.md describes every field.

Times are whole microseconds of virtual time, counted from the start of the run.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from wavecheck.scenarios.comparison import Comparison
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.verdicts.checking import CheckResult
from wavecheck.sim.trace import plain
from wavecheck.sim.verdict import Verdict

FORMAT_VERSION = 2


def to_text(data: Mapping[str, Any]) -> str:
    """Return a document as indented JSON, byte for byte the same for equal data."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def header(kind: str, scenario_name: str, settings: Any) -> dict[str, Any]:
    """Return what every document starts with."""
    as_mapping = settings if isinstance(settings, Mapping) else asdict(settings)
    return {
        "format": FORMAT_VERSION,
        "kind": kind,
        "wavecheck": version("wavecheck"),
        "scenario": scenario_name,
        "settings": plain(as_mapping),
    }


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as data."""
    return {
        **header("comparison", comparison.scenario.name, comparison.settings),
        "runs": [run_data(run) for run in comparison.runs],
        "claims": [
            {
                "claim": claim.text,
                "answer": claim.answer.value,
                "measured": claim.measured,
            }
            for claim in comparison.claims
        ],
    }


def run_data(run: TimedRun) -> dict[str, Any]:
    """Return one timed run as data."""
    return {
        "coordinator": run.coordinator_name,
        "job_status": run.job_status,
        "batches_by_status": run.batches_by_status,
        "derived_batches_by_status": run.derived_by_status,
        **run.measures(),
        "alerts": [
            {
                "alert": alert.name,
                "wave_number": alert.wave_number,
                "fired_at_us": alert.fired_at,
                "is_right": alert.is_right,
            }
            for alert in run.alerts
        ],
        "verdicts": [verdict_data(verdict) for verdict in run.verdicts],
    }


def log_data(run: TimedRun) -> list[dict[str, Any]]:
    """Return the coordinator's log lines as data."""
    return [
        {
            "time_us": line.time,
            "task": line.task,
            "level": line.level,
            "message": line.message,
            **{name: plain(value) for name, value in line.fields},
        }
        for line in run.log_lines
    ]


def check_data(result: CheckResult) -> dict[str, Any]:
    """Return the result of a search as data."""
    seen = result.statistics
    return {
        **header("check", result.scenario.name, result.settings),
        "coordinator": result.coordinator,
        "faults": dict(result.faults),
        "strategy": result.strategy,
        "seed": result.seed,
        "was_interrupted": result.was_interrupted,
        "note": result.note,
        "executions": seen.executions_count,
        "steps": seen.steps_count,
        "distinct_schedules": seen.schedules_count,
        "distinct_final_states": seen.final_states_count,
        "last_new_final_state": seen.last_new_final_state,
        "unseen_final_state_odds": seen.unseen_odds(),
        "seconds": round(seen.seconds, 3),
        "never_performed": list(result.never_performed),
        "verdicts": [
            verdict_data(verdict)
            | {
                "odds_max": verdict.odds_max(),
                "schedule": _schedule_data(result, verdict.property_name),
            }
            for verdict in result.verdicts
        ],
    }


def _schedule_data(result: CheckResult, name: str) -> dict[str, Any] | None:
    schedule = result.schedules.get(name)
    if schedule is None:
        return None
    first = result.first_found[name]
    return {
        "settings": plain(dict(schedule.settings)),
        "message": schedule.message,
        "steps": len(schedule.steps),
        "choices": list(schedule.choices),
        "digest": schedule.digest,
        "found_in_execution": first.execution,
        "found_by": first.strategy_name,
    }


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    """Return one verdict as data."""
    violation = verdict.violation
    return {
        "property": verdict.property_name,
        "outcome": verdict.outcome.value,
        "executions": verdict.executions_count,
        "violation": None
        if violation is None
        else {
            "step": violation.step,
            "time_us": violation.time,
            "message": violation.message,
        },
    }

"""Results as plain data, for `--json`; docs/json.md describes every field.

Times are whole microseconds of virtual time, counted from the start of the run.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from wavecheck import __version__
from wavecheck.sim.trace import plain
from wavecheck.sim.verdict import Verdict

if TYPE_CHECKING:
    from wavecheck.scenarios.pipeline.timed_run import TimedRun

FORMAT_VERSION = 2


def to_text(data: Mapping[str, Any]) -> str:
    """Return a document as indented JSON, byte for byte the same for equal data."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return text.translate(_CONTROLS) + "\n"


_CONTROLS: Final = {
    number: f"\\u{number:04x}"
    for number in (*range(0x7F, 0xA0), 0x2028, 0x2029, *range(0xD800, 0xE000))
}
"""What JSON may hold as it is, and a terminal obeys or a file cannot have."""


def header(kind: str, scenario_name: str, settings: Any) -> dict[str, Any]:
    """Return what every document starts with."""
    as_mapping = settings if isinstance(settings, Mapping) else asdict(settings)
    return {
        "format": FORMAT_VERSION,
        "kind": kind,
        "wavecheck": __version__,
        "scenario": scenario_name,
        "settings": plain(as_mapping),
    }


def run_data(run: "TimedRun") -> dict[str, Any]:
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


def log_data(run: "TimedRun") -> list[dict[str, Any]]:
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

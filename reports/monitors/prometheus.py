"""The monitors as Prometheus alert rules.

They need three metrics, each with the labels `job_id` and `wave_number`; the metric
queries of `wavecheck.reports.monitors.sql` give them to any SQL exporter:

    wave_batches{kind, status}    gauge: batches of one wave in one status
    wave_processing               gauge: 1 while the wave is processing, else 0
    wave_dispatch_calls_total     counter: calls of dispatch_wave

Source: Prometheus documentation, "Alerting rules"; the published report, "Monitoring
Recommendations".
"""

import json
from dataclasses import dataclass
from typing import Final

from wavecheck.reports.monitors.thresholds import Thresholds, milliseconds_of

_WAVE: Final = "job_id, wave_number"
_LABELS: Final = "job {{ $labels.job_id }}, wave {{ $labels.wave_number }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alert rule.

    Attributes:
        alert: its name.
        expression: PromQL.
        lasts: how long it must hold, as Prometheus writes durations; empty: not at all.
        severity: a label.
        summary: one line, with labels filled in.
        description: what to do, or what to doubt.
    """

    alert: str
    expression: str
    lasts: str
    severity: str
    summary: str
    description: str


def prometheus_rules(thresholds: Thresholds) -> str:
    """Return the monitors as a Prometheus rule file (YAML)."""
    lines = [
        "# Made by `wavecheck alerts`; the thresholds are those of the simulation.",
        "groups:",
        "  - name: wavecheck",
        "    rules:",
    ]
    for rule in rules(thresholds):
        lines.append(f"      - alert: {rule.alert}")
        lines.append("        expr: |")
        lines += [f"          {line}" for line in rule.expression.splitlines()]
        if rule.lasts:
            lines.append(f"        for: {rule.lasts}")
        lines.append("        labels:")
        lines.append(f"          severity: {rule.severity}")
        lines.append("        annotations:")
        lines.append(f"          summary: {json.dumps(rule.summary)}")
        lines.append(f"          description: {json.dumps(rule.description)}")
    return "\n".join(lines) + "\n"


def rules(thresholds: Thresholds) -> list[AlertRule]:
    """Return one rule for each monitor, in the order of `ALERTS`."""
    still = _duration(thresholds.not_decreasing_seconds)
    derived = 'wave_batches{kind="derived", status="pending"}'
    return [
        AlertRule(
            alert="PendingTooLong",
            expression=(
                f'sum by ({_WAVE}) (wave_batches{{status="pending"}}) > 0\n'
                f"and on ({_WAVE}) wave_processing == 1"
            ),
            lasts=_duration(thresholds.pending_limit_seconds),
            severity="page",
            summary=f"{_LABELS}: pending batches in a processing wave",
            description=(
                "Batches are pending and nothing sends them."
                " Find them with the probe pending_too_long of wavecheck alerts."
            ),
        ),
        AlertRule(
            alert="PendingNotDecreasing",
            # A gauge that falls is what resets() counts. The offset asks that the
            # series is old enough for its silence to mean anything.
            expression=(
                f"min_over_time({derived}[{still}]) > 0\n"
                f"and resets({derived}[{still}]) == 0\n"
                f"and ({derived} offset {still}) > 0"
            ),
            lasts="",
            severity="page",
            summary=f"{_LABELS}: the pending count of a derived wave stands still",
            description=(
                "New batches arrive and none is sent: the stall of the published"
                " incident. It also fires when all workers are busy for so long."
            ),
        ),
        AlertRule(
            alert="ManyDispatchCalls",
            expression=(
                f"sum by ({_WAVE}) (wave_dispatch_calls_total) > {thresholds.calls_max}"
            ),
            lasts="",
            severity="info",
            summary=f"{_LABELS}: more than {thresholds.calls_max} dispatch calls",
            description=(
                "Fires on healthy waves too, because each finished parent calls once:"
                " look, do not page."
            ),
        ),
    ]


def _duration(seconds: float) -> str:
    whole, rest = divmod(milliseconds_of(seconds), 1_000)
    return "".join([f"{whole}s" if whole else "", f"{rest}ms" if rest else ""])

"""Timed runs as a page shows them: side by side, and each one in detail.

Knows timed runs, comparisons and the charts; knows no markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from wavecheck.reports.html.charts import Gantt, StatusChart, gantt_of, status_chart
from wavecheck.reports.tables import seconds
from wavecheck.scenarios.incident.claims import Claim
from wavecheck.scenarios.pipeline.alerts import Alert
from wavecheck.scenarios.pipeline.observation import BATCH_STATES
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.worlds.timed import WorldRun
from wavecheck.sim.kernel import TICKS_PER_SECOND

_MARGIN: Final = 1.02
"""Share of the time line that is drawn, so that the last change is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """One alert: its number on the charts, what it is, and whether it was right."""

    number: int
    name: str
    wave_number: int
    moment: str
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run in detail.

    Attributes:
        id: of its section.
        coordinator: its name.
        facts: (name, value).
        charts: one for each wave with batches.
        gantt: all batches.
        alerts: that fired.
        log: the coordinator's log, if it was collected: (moment, task, text).
    """

    id: str
    coordinator: str
    facts: tuple[tuple[str, str], ...]
    charts: tuple[StatusChart, ...]
    gantt: Gantt
    alerts: tuple[AlertLine, ...]
    log: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldRunView:
    """One run of a world that is no pipeline.

    Attributes:
        facts: (name, value).
        statements: of each its name, and as texts: how often, waited, took.
        tasks: of each its name, and as texts: statements, end.
    """

    facts: tuple[tuple[str, str], ...]
    statements: tuple[tuple[str, str, str, str, str], ...]
    tasks: tuple[tuple[str, str, str], ...]


def world_run_view(run: WorldRun) -> WorldRunView:
    """Lay out one run of a world."""
    return WorldRunView(
        facts=(
            ("makespan", seconds(run.makespan)),
            ("ended by", run.ended_by or "nothing could happen any more"),
            ("steps", f"{run.steps_count:,}"),
            ("statements", f"{run.statements_count:,}"),
        ),
        statements=tuple(
            (name, f"{count:,}", seconds(waited), seconds(longest), seconds(took))
            for name, count, waited, longest, took in run.statements
        ),
        tasks=tuple(
            (
                one.name,
                f"{one.statements:,}",
                f"at {one.waits_for}"
                if one.ended_at is None
                else f"ended after {seconds(one.ended_at)}",
            )
            for one in run.tasks
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """The last wave of several runs under one time line, and what was measured.

    Attributes:
        states: names of the states, from the bottom of the charts upwards.
        columns: names of the measures.
        rows: (id of the run, coordinator, chart, measures).
        claims: of the published report, judged on these runs.
        notes: what a reader must know.
    """

    states: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, StatusChart, tuple[str, ...]], ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]


def end_of(runs: Sequence[TimedRun]) -> int:
    """Return the ticks at the right edge: the last change or alert in any run."""
    moments = [
        int(history.times[-1])
        for run in runs
        for history in run.histories.values()
        if len(history.times)
    ]
    fired = [alert.fired_at for run in runs for alert in run.alerts]
    return round((max([*moments, *fired], default=0) or TICKS_PER_SECOND) * _MARGIN)


def run_view(run: TimedRun, run_id: str, end: int) -> RunView:
    """Lay out one run.

    Args:
        run: what was run.
        run_id: of its section.
        end: ticks at the right edge.
    """
    return RunView(
        id=run_id,
        coordinator=run.coordinator_name,
        facts=tuple(_facts(run)),
        charts=tuple(
            status_chart(
                run.histories[number],
                number,
                end=end,
                alerts=_alert_marks(run, number),
            )
            for number in sorted(run.histories)
            if len(run.histories[number].times)
        ),
        gantt=gantt_of(run.batches, end=end),
        alerts=tuple(
            AlertLine(
                number=index,
                name=alert.name,
                wave_number=alert.wave_number,
                moment=seconds(alert.fired_at),
                is_right=alert.is_right,
            )
            for index, alert in enumerate(_in_time(run.alerts), start=1)
        ),
        log=tuple(
            (
                seconds(line.time),
                line.task,
                f"[{line.level}] {line.message} "
                + ", ".join(f"{name}={value!r}" for name, value in line.fields),
            )
            for line in run.log_lines
        ),
    )


def side_by_side(
    runs: Sequence[tuple[str, TimedRun]],
    end: int,
    claims: tuple[Claim, ...],
    notes: tuple[str, ...],
) -> SideBySide:
    """Lay out several runs under one time line.

    Args:
        runs: (id of its section, run).
        end: ticks at the right edge.
        claims: judged on these runs.
        notes: what a reader must know.
    """
    rows = []
    for run_id, run in runs:
        last = max(run.histories)
        chart = status_chart(
            run.histories[last], last, end=end, alerts=_alert_marks(run, last)
        )
        values = tuple(value for _, value in _facts(run))
        rows.append((run_id, run.coordinator_name, chart, values))
    names = tuple(name for name, _ in _facts(runs[0][1]))
    return SideBySide(
        states=tuple(str(state) for state in reversed(BATCH_STATES)),
        columns=names,
        rows=tuple(rows),
        claims=claims,
        notes=notes,
    )


def _in_time(alerts: Sequence[Alert]) -> list[Alert]:
    return sorted(alerts, key=lambda one: (one.fired_at, one.name, one.wave_number))


def _alert_marks(run: TimedRun, wave_number: int) -> list[tuple[int, int, bool]]:
    return [
        (alert.fired_at, index, alert.is_right)
        for index, alert in enumerate(_in_time(run.alerts), start=1)
        if alert.wave_number == wave_number
    ]


def _facts(run: TimedRun) -> list[tuple[str, str]]:
    counts = [f"{count} {name}" for name, count in run.batches_by_status.items()]
    calls = run.calls
    useful = sum(call.batches_dispatched > 0 for call in calls)
    each = fmean([call.statements for call in calls]) if calls else 0.0
    total = sum(run.batches_by_status.values())
    return [
        ("batches", ", ".join(one for one in counts if not one.startswith("0 "))),
        ("job", run.job_status),
        ("sent", f"{run.messages_count:,} of {total:,}"),
        ("dispatch calls", f"{len(calls):,}, of which {useful:,} sent something"),
        ("statements", f"{run.statements_count:,}; {each:.2f} in a call"),
        ("first derived batch sent", seconds(run.first_derived_dispatch)),
        ("makespan", seconds(run.makespan)),
        ("parent ids held", f"{run.held_ids_max:,}"),
    ]

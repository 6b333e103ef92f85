"""Timed runs of worlds that are no pipeline: tables for people, data for `--json`."""

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.reports.data import verdict_data
from wavecheck.reports.tables import seconds, verdict_text
from wavecheck.scenarios.worlds.timed import WorldRun


def world_run_report(run: WorldRun) -> RenderableType:
    """Return what one timed run of a world showed."""
    head = Table(box=None, show_header=False, pad_edge=False)
    head.add_row("code", Text(run.coordinator_name, style="bold"))
    head.add_row("makespan", _makespan(run))
    head.add_row("steps", f"{run.steps_count:,}, {run.statements_count:,} statements")
    for one in run.unfinished():
        head.add_row("not ended", f"{one.name}, at {one.waits_for or 'its start'}")
    times = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    times.add_column("statement")
    for column in ("times", "waited in all", "longest wait", "took in all"):
        times.add_column(column, justify="right", no_wrap=True)
    for name, count, waited, waited_max, took in run.statements:
        times.add_row(
            name, f"{count:,}", seconds(waited), seconds(waited_max), seconds(took)
        )
    judged = Table(box=None, show_header=False, pad_edge=False)
    for verdict in run.verdicts:
        violation = verdict.violation
        why = "" if violation is None else violation.message
        judged.add_row(verdict_text(verdict), why)
    return Group(head, times, judged)


def _makespan(run: WorldRun) -> str:
    ended = f", ended by {run.ended_by}" if run.ended_by else ""
    return seconds(run.makespan) + ended


def world_run_data(run: WorldRun) -> dict[str, Any]:
    """Return one timed run of a world as data."""
    return {
        "coordinator": run.coordinator_name,
        "seed": run.seed,
        "ended_by": run.ended_by,
        **run.measures(),
        "statements": [
            {
                "statement": name,
                "count": count,
                "waited_us": waited,
                "waited_max_us": waited_max,
                "took_us": took,
            }
            for name, count, waited, waited_max, took in run.statements
        ],
        "tasks": [
            {
                "task": one.name,
                "statements_count": one.statements,
                "ended_at_us": one.ended_at,
                "waits_for": one.waits_for,
            }
            for one in run.tasks
        ],
        "state": run.state,
        "verdicts": [verdict_data(verdict) for verdict in run.verdicts],
    }

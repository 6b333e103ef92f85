"""Results as tables and sentences on a terminal, or as plain text when piped.

Knows rich and the result types; computes nothing but the form.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.reports.verdicts.outcomes import OUTCOME_STYLE
from wavecheck.scenarios.catalogue import SCENARIOS
from wavecheck.scenarios.incident.claims import Claim, ClaimAnswer
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.scenario import Scenario, plain_settings
from wavecheck.sim.kernel import TICKS_PER_SECOND
from wavecheck.sim.verdict import Verdict

_PIPELINES: Final = [one for one in SCENARIOS.values() if not one.collection]
_ANSWER_STYLE: Final = {
    ClaimAnswer.SUPPORTED: "green",
    ClaimAnswer.CONTRADICTED: "bold red",
    ClaimAnswer.NOT_DECIDED: "dim",
}


def run_report(run: TimedRun) -> RenderableType:
    """Return what one timed run showed."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("coordinator", Text(run.coordinator_name, style="bold"))
    table.add_row("batches and job", _batches(run))
    table.add_row("dispatch calls", _calls(run))
    table.add_row("derived wave", _times(run))
    table.add_row("alerts", _alerts(run))
    properties = Table(box=None, show_header=False, pad_edge=False)
    for verdict in run.verdicts:
        violation = verdict.violation
        why = "" if violation is None else f"{violation.message}"
        properties.add_row(verdict_text(verdict), why)
    table.add_row("properties", properties)
    table.add_row("", "")
    return table


def log_table(run: TimedRun) -> RenderableType:
    """Return the coordinator's log lines."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for line in run.log_lines:
        fields = ", ".join(f"{name}: {value!r}" for name, value in line.fields)
        where = f"{seconds(line.time)} {line.task}"
        table.add_row(where, f"[{line.level}] {line.message}", f"{{{fields}}}")
    return table


def coordinators_table() -> RenderableType:
    """Return the built-in coordinators by scenario, with the first line of each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("coordinator", style="bold", no_wrap=True)
    table.add_column("scenarios")
    table.add_column("what it does")
    rows: dict[tuple[str, str], list[str]] = {}
    for scenario in _PIPELINES:
        for name, found in scenario.coordinators.items():
            doc = (found.__doc__ or "").strip().splitlines()[0]
            rows.setdefault((name, doc), []).append(scenario.name)
    for (name, doc), where in rows.items():
        table.add_row(name, ", ".join(where), doc)
    return table


def scenarios_table() -> RenderableType:
    """Return the scenarios with their parameters and defaults."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=True)
    table.add_column("scenario", style="bold", no_wrap=True)
    table.add_column("what it is")
    table.add_column("parameters (--set KEY=VALUE) and defaults")
    for scenario in _PIPELINES:
        table.add_row(scenario.name, scenario.summary, _parameters(scenario))
    return table


def worlds_report(worlds: Sequence[Scenario]) -> RenderableType:
    """Return worlds with their code, parameters and properties, a block each."""
    parts: list[RenderableType] = []
    for one in worlds:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_row("  code (-c)", ", ".join(one.coordinators))
        table.add_row("  sizes (--set)", _parameters(one))
        table.add_row(
            "  properties", ", ".join(judged.name for judged in one.properties())
        )
        parts += [Text(one.name, style="bold"), Text(f"  {one.summary}"), table]
    return Group(*parts, Text(f"next: wavecheck check {worlds[0].name}"))


def _parameters(scenario: Scenario) -> str:
    defaults = plain_settings(scenario.settings())
    return ", ".join(f"{name}={value!r}" for name, value in defaults.items())


def properties_table() -> RenderableType:
    """Return the properties with moment and meaning."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("property", style="bold", no_wrap=True)
    table.add_column("judged", no_wrap=True)
    table.add_column("meaning")
    seen: set[str] = set()
    for scenario in _PIPELINES:
        for judged in scenario.properties():
            if judged.name not in seen:
                seen.add(judged.name)
                table.add_row(judged.name, judged.moment.value, judged.meaning)
    return table


def _batches(run: TimedRun) -> str:
    counts = [f"{count} {name}" for name, count in run.batches_by_status.items()]
    lines = [line for line in counts if not line.startswith("0 ")]
    total = sum(run.batches_by_status.values())
    lines.append(f"{run.messages_count} sent of {total}")
    lines.append(f"job {run.job_status}")
    return "\n".join(lines)


def _calls(run: TimedRun) -> str:
    if not run.calls:
        return "none"
    useful = sum(call.batches_dispatched > 0 for call in run.calls)
    each = fmean(call.statements for call in run.calls)
    return (
        f"{len(run.calls)} calls\n{useful} dispatched\n"
        f"{each:.2f} statements each\n{run.statements_count} in all tasks"
    )


def seconds(ticks: int | None) -> str:
    """Write a moment for people."""
    return "never" if ticks is None else f"{ticks / TICKS_PER_SECOND:.3f} s"


def _times(run: TimedRun) -> str:
    return (
        f"first sent {seconds(run.first_derived_dispatch)}\n"
        f"makespan {seconds(run.makespan)}\n"
        f"{run.held_ids_max} ids held"
    )


def _alerts(run: TimedRun) -> RenderableType:
    if not run.alerts:
        return "none"
    lines = []
    for alert in run.alerts:
        text = f"{alert.name}\n  wave {alert.wave_number}, {seconds(alert.fired_at)}, "
        line = Text(text)
        line.append(
            "right" if alert.is_right else "false alarm",
            style="green" if alert.is_right else "yellow",
        )
        lines.append(line)
    return Group(*lines)


def verdict_text(verdict: Verdict) -> Text:
    """Return a verdict's word and property, in its colour."""
    return Text(
        f"{verdict.outcome.word:<11} {verdict.property_name}",
        style=OUTCOME_STYLE[verdict.outcome],
    )


def comparison_notes(scenario: Scenario, settings: Any) -> tuple[str, ...]:
    """Say what a reader of timed runs of this scenario must know."""
    if scenario.name != "incident" or settings.derived_call:
        return ()
    return (
        "job_completes: the record ends before the batches do"
        " (--set derived_call=true).",
    )


def claims_table(claims: Sequence[Claim]) -> RenderableType:
    """Return what a published report claims, and what the runs say of it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("the published report claims")
    table.add_column("these runs say", no_wrap=True)
    table.add_column("measured")
    for claim in claims:
        answer = Text(claim.answer.value, style=_ANSWER_STYLE[claim.answer])
        table.add_row(claim.text, answer, claim.measured)
    return table

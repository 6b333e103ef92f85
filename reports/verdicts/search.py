"""What a search says of a subject: sentences and data."""

from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table

from wavecheck.reports.data import header, verdict_data
from wavecheck.scenarios.verdicts.approaches import APPROACHES
from wavecheck.scenarios.verdicts.result import CheckResult, Searched
from wavecheck.sim.trace import plain
from wavecheck.sim.verdict import Outcome, Verdict


def sizes_text(result: CheckResult) -> str:
    """Return the settings that differ from the scenario's defaults."""
    scenario, settings = result.subject.scenario, result.subject.settings
    defaults = scenario.settings()
    differing = [
        f"{name}={getattr(settings, name)}"
        for name in scenario.settings_type.__dataclass_fields__
        if getattr(settings, name) != getattr(defaults, name) or name in scenario.sizes
    ]
    return ", ".join(differing) or "default settings"


def search_strength(result: CheckResult, seen: Searched, verdict: Verdict) -> str:
    """Say how strong a verdict of a search is, in words."""
    if verdict.outcome is Outcome.VIOLATED:
        first = seen.first_found[verdict.property_name]
        schedule = result.schedules[verdict.property_name]
        return (
            f"{schedule.message} (execution {first.execution} by"
            f" {first.strategy_name}; {len(schedule.steps)} steps once shrunk)"
        )
    if verdict.outcome is Outcome.NOT_TESTED:
        return f"never at risk in {verdict.executions_count:,} executions"
    if verdict.outcome is Outcome.PROVED:
        return f"every schedule was run: {verdict.executions_count:,}"
    odds = verdict.odds_max()
    bound = "" if odds is None else f"; odds below {odds:.2g} at 95 %"
    return (
        f"not found in {verdict.executions_count:,} executions, nothing proved{bound}"
    )


def statistics_lines(result: CheckResult, searched: Searched) -> list[str]:
    """Say what the search has seen."""
    seen, effort = searched.statistics, result.effort
    rate = seen.executions_count / seen.seconds if seen.seconds else 0.0
    lines = [
        f"{effort.strategy}, seed {effort.seed}: {seen.executions_count:,} executions"
        f" ({rate:,.0f}/s), {seen.schedules_count:,} distinct schedules,"
        f" {seen.final_states_count:,} distinct final states; the last new one in"
        f" execution {seen.last_new_final_state:,}; odds that the next execution"
        f" ends in a new one: {seen.unseen_odds():.2g}",
        f"statements never performed: {', '.join(searched.never_performed) or 'none'}",
    ]
    if seen.cut_count:
        lines.append(
            f"{seen.cut_count:,} executions do not end though each task has its turn;"
            " what holds at an end was not judged in them\n"
            "next: --strategy exhaustive looks for loops that violate a property"
        )
    if searched.remarks():
        lines.append(searched.remarks())
    if result.was_interrupted:
        lines.append("interrupted: this is what was found until then")
    return lines


def search_data(result: CheckResult, searched: Searched) -> dict[str, Any]:
    """Return the result of a search as data."""
    subject, seen = result.subject, searched.statistics
    return {
        **header("check", subject.scenario.name, subject.settings),
        "coordinator": subject.coordinator,
        "faults": dict(subject.faults),
        "strategy": result.effort.strategy,
        "seed": result.effort.seed,
        "was_interrupted": result.was_interrupted,
        "note": searched.remarks(),
        "executions": seen.executions_count,
        "steps": seen.steps_count,
        "distinct_schedules": seen.schedules_count,
        "distinct_final_states": seen.final_states_count,
        "last_new_final_state": seen.last_new_final_state,
        "unseen_final_state_odds": seen.unseen_odds(),
        "cut_executions": seen.cut_count,
        "seconds": round(seen.seconds, 3),
        "never_performed": list(searched.never_performed),
        "verdicts": [
            verdict_data(verdict)
            | {
                "odds_max": verdict.odds_max(),
                "schedule": _schedule_data(result, searched, verdict.property_name),
            }
            for verdict in result.verdicts
        ],
    }


def _schedule_data(
    result: CheckResult, searched: Searched, name: str
) -> dict[str, Any] | None:
    schedule = result.schedules.get(name)
    if schedule is None:
        return None
    first = searched.first_found[name]
    return {
        "settings": plain(dict(schedule.settings)),
        "message": schedule.message,
        "steps": len(schedule.steps),
        "choices": list(schedule.choices),
        "digest": schedule.digest,
        "found_in_execution": first.execution,
        "found_by": first.strategy_name,
    }


def strategies_table() -> RenderableType:
    """Return the strategies and what they do."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy", style="bold", no_wrap=True)
    table.add_column("what it does")
    for name, approach in APPROACHES.items():
        table.add_row(name, approach.meaning)
    return table

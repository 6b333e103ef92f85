"""The result of a search as tables and sentences."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.scenarios.verdicts.checking import CheckResult
from wavecheck.scenarios.verdicts.strategies import MEANINGS
from wavecheck.sim.verdict import Outcome, Verdict

OUTCOME_STYLE = {
    Outcome.VIOLATED: "bold red",
    Outcome.PROVED: "bold green",
    Outcome.NOT_FOUND: "",
    Outcome.NOT_TESTED: "bold yellow",
}


def verdict_table(result: CheckResult) -> RenderableType:
    """Return one row per property: verdict and strength."""
    return judged_table(
        f"{result.coordinator} in {result.scenario.name}, {sizes_text(result)}",
        result.faults,
        [(verdict, strength(result, verdict)) for verdict in result.verdicts],
        statistics_lines(result),
    )


def judged_table(
    subject: str,
    faults: Mapping[str, int],
    judged: Sequence[tuple[Verdict, str]],
    lines: Sequence[str],
) -> RenderableType:
    """Return what was judged, one row per verdict with its strength, and some lines."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("property", style="bold", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("strength")
    for verdict, told in judged:
        outcome = Text(verdict.outcome.word, style=OUTCOME_STYLE[verdict.outcome])
        table.add_row(verdict.property_name, outcome, told)
    struck = ", ".join(f"{kind}={count}" for kind, count in faults.items())
    return Group(
        Text(subject), Text(f"faults: {struck or 'none'}"), table, *map(Text, lines)
    )


def sizes_text(result: CheckResult) -> str:
    """Return the settings that differ from the scenario's defaults."""
    defaults = result.scenario.settings()
    names = result.scenario.settings_type.__dataclass_fields__
    differing = [
        f"{name}={getattr(result.settings, name)}"
        for name in names
        if getattr(result.settings, name) != getattr(defaults, name)
        or name in result.scenario.sizes
    ]
    return ", ".join(differing) or "default settings"


def strength(result: CheckResult, verdict: Verdict) -> str:
    """Say how strong a verdict is, in words."""
    if verdict.outcome is Outcome.VIOLATED:
        first = result.first_found[verdict.property_name]
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


def statistics_lines(result: CheckResult) -> list[str]:
    """Say what the search has seen."""
    seen = result.statistics
    rate = seen.executions_count / seen.seconds if seen.seconds else 0.0
    lines = [
        f"{result.strategy}, seed {result.seed}: {seen.executions_count:,} executions"
        f" ({rate:,.0f}/s), {seen.schedules_count:,} distinct schedules,"
        f" {seen.final_states_count:,} distinct final states; the last new one in"
        f" execution {seen.last_new_final_state:,}; odds that the next execution"
        f" ends in a new one: {seen.unseen_odds():.2g}",
        f"statements never performed: {', '.join(result.never_performed) or 'none'}",
    ]
    if result.note:
        lines.append(result.note)
    if result.was_interrupted:
        lines.append("interrupted: this is what was found until then")
    return lines


def strategies_table() -> RenderableType:
    """Return the strategies and what they do."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy", style="bold", no_wrap=True)
    table.add_column("what it does")
    for name, meaning in MEANINGS.items():
        table.add_row(name, meaning)
    return table

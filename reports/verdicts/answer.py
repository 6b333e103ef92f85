"""The answer to a question, searched or proved, as a table and as data."""

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.reports.verdicts.outcomes import OUTCOME_STYLE
from wavecheck.reports.verdicts.proof import (
    proof_data,
    proof_lines,
    proof_strength,
    sizes_of,
)
from wavecheck.reports.verdicts.search import (
    search_data,
    search_strength,
    sizes_text,
    statistics_lines,
)
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.verdict import Verdict


def strength(result: CheckResult, verdict: Verdict) -> str:
    """Say how strong a verdict is, in words."""
    if result.explored is not None:
        return proof_strength(result, result.explored, verdict)
    assert result.searched is not None
    return search_strength(result, result.searched, verdict)


def sizes(result: CheckResult) -> str:
    """Write the sizes that an answer holds for."""
    return sizes_text(result) if result.explored is None else sizes_of(result)


def verdict_table(result: CheckResult) -> RenderableType:
    """Return one row per property with verdict and strength, and what was seen."""
    subject = result.subject
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("property", style="bold", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("strength")
    for verdict in result.verdicts:
        outcome = Text(verdict.outcome.word, style=OUTCOME_STYLE[verdict.outcome])
        table.add_row(verdict.property_name, outcome, strength(result, verdict))
    struck = ", ".join(f"{kind}={count}" for kind, count in subject.faults.items())
    lines: list[str] = []
    if result.searched is not None:
        lines += statistics_lines(result, result.searched)
    if result.explored is not None:
        lines += proof_lines(result.explored)
    return Group(
        Text(f"{subject.coordinator} in {subject.scenario.name}, {sizes(result)}"),
        Text(f"faults: {struck or 'none'}"),
        table,
        *map(Text, lines),
    )


def result_data(result: CheckResult) -> dict[str, Any]:
    """Return an answer as data."""
    if result.explored is not None:
        return proof_data(result, result.explored)
    assert result.searched is not None
    return search_data(result, result.searched)

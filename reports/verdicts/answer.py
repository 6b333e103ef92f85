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
from wavecheck.sim.verdict import Outcome, Verdict


def strength(result: CheckResult, verdict: Verdict) -> str:
    """Say how strong a verdict is, in words."""
    if result.explored is not None:
        return proof_strength(result, result.explored, verdict)
    assert result.searched is not None
    return search_strength(result, result.searched, verdict)


def sizes(result: CheckResult) -> str:
    """Write the sizes that an answer holds for."""
    if result.explored is None:
        return sizes_text(result)
    return sizes_of(result) or "default settings"


def answer(result: CheckResult) -> str:
    """Return the answer in one sentence: what is violated, or how sure it is."""
    named: dict[Outcome, list[str]] = {outcome: [] for outcome in Outcome}
    for verdict in result.verdicts:
        named[verdict.outcome].append(verdict.property_name)
    who = f"{result.subject.coordinator} in {result.subject.scenario.name}"
    total, violated = len(result.verdicts), named[Outcome.VIOLATED]
    if violated:
        of = "the property" if total == 1 else f"{len(violated)} of {total} properties"
        return f"{who} violates {of}: {', '.join(violated)}"
    said = []
    if named[Outcome.NOT_FOUND]:
        said.append("nothing found, nothing proved")
    if named[Outcome.PROVED]:
        count = len(named[Outcome.PROVED])
        of = "" if count == total else f", {count} of {total} properties"
        said.append(f"proved{of}, within these sizes")
    if named[Outcome.NOT_TESTED]:
        said.append(f"not tested: {', '.join(named[Outcome.NOT_TESTED])}")
    return f"{who}: {'; '.join(said) or 'nothing was judged'}"


def verdict_table(result: CheckResult) -> RenderableType:
    """Return the answer, a row per property with its strength, and what was seen."""
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
        Text(answer(result), style="bold"),
        Text(f"{sizes(result)}; faults: {struck or 'none'}"),
        table,
        *map(Text, lines),
    )


def result_data(result: CheckResult) -> dict[str, Any]:
    """Return an answer as data; the sentence comes first."""
    said = {"answer": answer(result)}
    if result.explored is not None:
        return said | proof_data(result, result.explored)
    assert result.searched is not None
    return said | search_data(result, result.searched)

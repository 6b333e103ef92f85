"""The answer of a canary: which planted faults the budget catches."""

from pathlib import Path
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from wavecheck.reports.commands.options import write_json
from wavecheck.reports.console import make_console
from wavecheck.reports.progress import showing_answer
from wavecheck.reports.verdicts.answer import result_data, verdict_table
from wavecheck.reports.verdicts.hash_seeds import compare_hash_seeds
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.canary import CanaryResult, Fate, MutantResult, canary

_STYLE: Final = {
    Fate.CAUGHT: "bold green",
    Fate.SURVIVED: "bold red",
    Fate.HARMLESS: "",
    Fate.NOT_REACHED: "dim",
}


def show_canary(subject: Subject, effort: Effort, json_file: Path | None) -> int:
    """Run a canary and print or write its answer; return the exit status."""
    with showing_answer() as watch:
        result = canary(subject, effort, watch)
    compare_hash_seeds(result.base)
    if not write_json(json_file, canary_data(result)):
        console = make_console()
        console.print(verdict_table(result.base))
        console.print(mutants_table(result))
        for line in summary_lines(result):
            console.print(line)
    return int(not result.is_sensitive())


def mutants_table(result: CanaryResult) -> Table:
    """Return one row per mutant: what was dropped, and what became of it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("mutant", style="bold")
    table.add_column("fate", no_wrap=True)
    table.add_column("how")
    for one in result.mutants:
        table.add_row(
            f"{one.mutant.name} ({one.mutant.statement})",
            Text(one.fate.name.replace("_", " "), style=_STYLE[one.fate]),
            _how(one),
        )
    return table


def _how(one: MutantResult) -> str:
    if one.fate is Fate.CAUGHT:
        by = one.property_name or "a failure of the coordinator"
        return f"by {by} in execution {one.execution:,}: {one.reason}"
    if one.fate is Fate.NOT_REACHED:
        return "the coordinator never performed the statement"
    reason = f"; {one.reason}" if one.reason else ""
    return f"not found in {one.executions_count:,} executions{reason}"


def summary_lines(result: CanaryResult) -> list[str]:
    """Say what the budget is good for."""
    caught = len(result.with_fate(Fate.CAUGHT))
    survived = result.with_fate(Fate.SURVIVED)
    lines = [f"{caught} of {caught + len(survived)} mutants that can do harm caught"]
    lines += [f"weakness of this budget: {one.mutant.name}" for one in survived]
    if result.base.has_violation():
        lines.append(
            "the coordinator itself violates a property; its mutants were judged by"
            " the others"
        )
    if not caught + len(survived):
        lines.append("no mutant was reached, so nothing is known of this budget")
    if result.was_interrupted:
        lines.append("interrupted: this is what was found until then")
    return lines


def canary_data(result: CanaryResult) -> dict[str, Any]:
    """Return the answer as data."""
    return {
        **result_data(result.base),
        "kind": "canary",
        "was_interrupted": result.was_interrupted,
        "is_sensitive": result.is_sensitive(),
        "mutants": [
            {
                "mutant": one.mutant.name,
                "statement": one.mutant.statement,
                "fate": one.fate.value,
                "property": one.property_name or None,
                "reason": one.reason or None,
                "execution": one.execution or None,
                "executions": one.executions_count,
            }
            for one in result.mutants
        ],
    }

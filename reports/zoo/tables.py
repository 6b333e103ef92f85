"""The exhibits, and what an examination of them says, as tables and as data."""

from collections.abc import Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.reports.verdicts.outcomes import OUTCOME_STYLE
from wavecheck.scenarios.catalogue import EXHIBITS
from wavecheck.scenarios.exhibit import Exhibit
from wavecheck.scenarios.verdicts.examination import Examination
from wavecheck.sim.verdict import Outcome

COLUMNS: Final = (
    "exhibit",
    "variant",
    "verdict",
    "property",
    "found by",
    "executions",
    "shortest",
    "states",
)
"""The columns of the matrix."""

CLASSIC_ROOT: Final = "classic programs"
"""Stands in for a root where an exhibit has none."""

_WIDTHS: Final = (24, 18, 9, 36, 8, 10, 7, 6)


def exhibits_table() -> RenderableType:
    """Return the zoo and the classic programs: name, root, title, coordinators."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("exhibit", style="bold", no_wrap=True)
    table.add_column("root of the fault")
    table.add_column("what happens")
    table.add_column("coordinators")
    table.add_column("parameters")
    for one in EXHIBITS.values():
        table.add_row(
            one.name,
            root_of(one),
            one.title,
            ", ".join(one.variants),
            ", ".join(f"{name}={size}" for name, size in one.sizes.items()),
        )
    return table


def root_of(exhibit: Exhibit) -> str:
    """Return the root of an exhibit's fault, in words."""
    return exhibit.pattern.value if exhibit.pattern else CLASSIC_ROOT


def matrix_rows(one: Examination) -> list[tuple[str, ...]]:
    """Return the rows of one variant: one for each property that it violates.

    Shape:
        As many cells as `COLUMNS`.
    """
    first = (one.exhibit.name, one.variant, one.strength().word)
    states = f"{one.states:,}" if one.states is not None else "not all"
    if not one.findings:
        sampled = f"{one.executions_count:,}" if one.executions_count else ""
        return [(*first, "", "", sampled, "", states)]
    return [
        (
            *first,
            found.property_name,
            found.strategy,
            f"{found.execution:,}",
            steps_text(len(found.schedule.steps), found.shortest),
            states,
        )
        for found in one.findings
    ]


def steps_text(steps: int, shortest: int | None) -> str:
    """Write the length of a counterexample, and of a shortest one if that differs."""
    if shortest is None or shortest == steps:
        return str(steps)
    return f"{steps}, {shortest} possible"


def by_root(
    examinations: Sequence[Examination],
) -> dict[str, dict[str, list[Examination]]]:
    """Return the examinations by root, and by exhibit within it, in their order."""
    found: dict[str, dict[str, list[Examination]]] = {}
    for one in examinations:
        exhibits = found.setdefault(root_of(one.exhibit), {})
        exhibits.setdefault(one.exhibit.name, []).append(one)
    return found


def matrix(examinations: Sequence[Examination]) -> RenderableType:
    """Return a table for each root: a row for each variant and violated property."""
    parts: list[RenderableType] = []
    for root, exhibits in by_root(examinations).items():
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, title=root, title_justify="left"
        )
        for name, width in zip(COLUMNS, _WIDTHS, strict=True):
            table.add_column(name, no_wrap=True, min_width=width)
        for found in exhibits.values():
            _add_exhibit(table, found)
        parts.append(table)
    return Group(*parts, *(Text(line) for line in summary(examinations)))


def _add_exhibit(table: Table, found: Sequence[Examination]) -> None:
    for number, one in enumerate(found):
        for index, row in enumerate(matrix_rows(one)):
            cells: list[Text | str] = list(row)
            cells[0] = "" if number or index else Text(row[0], style="bold")
            cells[1] = "" if index else row[1]
            cells[2] = Text(row[2], style=OUTCOME_STYLE[one.strength()])
            table.add_row(*cells)


def summary(examinations: Sequence[Examination]) -> list[str]:
    """Say how many are what they are said to be, and which are not."""
    faulty = [one for one in examinations if one.expected()]
    fixed = [one for one in examinations if not one.expected()]
    proved = sum(one.strength() is Outcome.PROVED for one in fixed)
    lines = [
        f"{len(faulty)} faulty variants,"
        f" {sum(one.strength() is Outcome.VIOLATED for one in faulty)} refuted;"
        f" {len(fixed)} fixed ones, {proved} proved"
    ]
    for one in examinations:
        if not one.is_as_expected():
            found = ", ".join(found.property_name for found in one.findings)
            untested = ", ".join(one.not_tested)
            lines.append(
                f"NOT AS EXPECTED: {one.exhibit.name}, {one.variant}\n"
                f"  expected  {', '.join(one.expected()) or 'no violation'}\n"
                f"  got       search: {found or 'none'};"
                f" proof: {', '.join(one.refuted) or 'none'};"
                f" not tested: {untested or 'none'}"
            )
    return lines


def examination_data(one: Examination) -> dict[str, Any]:
    """Return one examination as data."""
    exhibit = one.exhibit
    return {
        "exhibit": exhibit.name,
        "source": exhibit.source,
        "pattern": exhibit.pattern.value if exhibit.pattern else None,
        "harms": [harm.value for harm in exhibit.harms],
        "variant": one.variant,
        "expected": list(one.expected()),
        "is_as_expected": one.is_as_expected(),
        "verdict": one.strength().word,
        "findings": [
            {
                "property": found.property_name,
                "message": found.schedule.message,
                "strategy": found.strategy,
                "execution": found.execution,
                "steps": len(found.schedule.steps),
                "shortest": found.shortest,
            }
            for found in one.findings
        ],
        "executions": one.executions_count,
        "states": one.states,
        "refuted_by_proof": list(one.refuted),
        "not_tested": list(one.not_tested),
        "statements": one.statements,
    }

"""The zoo as a page of Markdown: the matrix, then each exhibit in words."""

from collections.abc import Iterable, Sequence
from typing import Final

from wavecheck.reports.zoo.tables import COLUMNS, by_root, matrix_rows
from wavecheck.scenarios.exhibit import Exhibit
from wavecheck.scenarios.verdicts.examination import Examination

_INTRODUCTION: Final = """\
# The zoo

Public dispatch faults of other systems, each told as a small world with the code as it
was and once fixed, and small programs that the literature on concurrency testing
measures with. This page is made by

    wavecheck zoo --markdown docs/zoo.md

- **found by**, **executions**: which strategy of the portfolio showed the violation
  first, and in which execution.
- **shortest**: the steps of the counterexample once it is shrunk. *n possible*: the
  exhaustive engine knows a shorter one in the same sizes.
- **states**: all there are, in the sizes of the exhibit's file; `PROVED` is a proof
  in these sizes.
- A variant between the first and `fixed` is a fix that is not enough: a public one,
  as we read it, or an obvious one. Each exhibit says which.

Try one: `wavecheck check zoo/solid-queue-689`, and its fix with `-c fixed`. Start
from one: `wavecheck new NAME --from zoo/solid-queue-689`. The roots and their fixes are
the [pattern guide](patterns.md); the [strategies](zoo-strategies.md) are compared on
all of them. What a thread does not say and we have supplied is listed under *inferred*.
Names and numbers of threads are those of the projects; no code of theirs is here.
"""


def zoo_page(examinations: Sequence[Examination]) -> str:
    """Return the page."""
    parts = [_INTRODUCTION]
    told: list[str] = []
    for root, exhibits in by_root(examinations).items():
        parts.append(f"## {root[0].upper()}{root[1:]}\n\n{_table(exhibits.values())}")
        told.extend(_told(found[0].exhibit) for found in exhibits.values())
    return "\n".join([*parts, "## The exhibits\n", *told])


def _table(exhibits: Iterable[list[Examination]]) -> str:
    lines = [
        "| " + " | ".join(COLUMNS) + " |",
        "| --- | --- | --- | --- | --- | ---: | --- | ---: |",
    ]
    for found in exhibits:
        rows = [row for one in found for row in matrix_rows(one)]
        for index, row in enumerate(rows):
            cells = list(row)
            cells[0] = f"`{cells[0]}`" if index == 0 else ""
            cells[3] = f"`{cells[3]}`" if cells[3] else ""
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _told(exhibit: Exhibit) -> str:
    lines = [
        f"### `{exhibit.name}`: {exhibit.title}\n",
        f"{exhibit.source}. {exhibit.mechanism}\n",
        f"- harm: {', '.join(harm.value for harm in exhibit.harms)}",
    ]
    for name, variant in exhibit.variants.items():
        lines.append(f"- `{name}`: {_first_line(variant.code)}")
    lines.extend(
        f"- `{judged.name}`: {judged.meaning}." for judged in exhibit.properties
    )
    if exhibit.fault_budget:
        lines.append(f"- must fail: {exhibit.fault_budget}")
    if exhibit.inferred:
        lines.append(f"- inferred: {exhibit.inferred}")
    lines.append(f"- left out: {exhibit.left_out}")
    return "\n".join(lines) + "\n"


def _first_line(code: type) -> str:
    return (code.__doc__ or "").strip().splitlines()[0]

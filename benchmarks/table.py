"""A benchmark's result: rows, the bars they must reach, the command that makes it.

Printed as a Markdown table, so that what a terminal shows can be pasted into a page.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a table must reach.

    Attributes:
        text: the bar, with its number.
        is_reached: whether this run reached it.
    """

    text: str
    is_reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What one benchmark measured.

    Attributes:
        title: one line.
        command: what makes this table.
        columns: their names, units last; the first column is text.
        rows: one tuple of cells for each thing measured, as text.
        bars: what must be reached.
        note: how it was measured, in one or two sentences.
    """

    title: str
    command: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[Bar] = ()
    note: str = ""

    def __str__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
        rule = ["-" * (width - 1) + ":" for width in widths]
        rule[0] = "-" * widths[0]
        body = [
            "| " + " | ".join(map(_padded, cells, widths, range(len(widths)))) + " |"
            for cells in (self.columns, rule, *self.rows)
        ]
        bars = [
            f"- {'reached' if bar.is_reached else 'MISSED'}: {bar.text}"
            for bar in self.bars
        ]
        parts = [f"### {self.title}", f"`{self.command}`", self.note, "\n".join(body)]
        return "\n\n".join(filter(None, [*parts, "\n".join(bars)])) + "\n"


def _padded(cell: str, width: int, position: int) -> str:
    return cell.ljust(width) if position == 0 else cell.rjust(width)

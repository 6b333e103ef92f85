"""Moments of the shared state as small numbers, so that a page can hold all of them.

Every text, row and table content is written once and named by its number. A moment is
then a short list of numbers, and going to any moment is a look-up: no script ever has
to apply or undo a change. Columns and parts that say nothing in any moment are left
out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from wavecheck.reports.explanation.playback import Frame, PartState
from wavecheck.reports.explanation.wording import Wording

_UNTIMED_SUFFIX = "_at"  # moments of virtual time, which stands still in a search


class Numbered:
    """Gives equal things the same number, in order of their first appearance."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, item: Any) -> int:
        """Return the number of a hashable item."""
        number = self._numbers.get(item)
        if number is None:
            number = self._numbers[item] = len(self.items)
            self.items.append(item)
        return number


class FrameTable:
    """The moments of one or more executions of one world.

    Args:
        frames: all of them, in any order; they decide which columns are shown.
        wording: writes the cells; what all calls have in common is not shown.

    Attributes:
        texts: numbered texts.
    """

    def __init__(self, frames: Sequence[Frame], wording: Wording) -> None:
        self.texts = Numbered()
        self._rows, self._contents = Numbered(), Numbered()
        self._wording = wording
        self._shown = _shown_columns(frames, wording.common)
        # A part that is empty in every moment says nothing.
        filled = {part.name for frame in frames for part in frame if part.rows}
        self._parts: dict[str, tuple[str, ...]] = {
            part.name: part.columns for part in frames[0] if part.name in filled
        }

    def frame(self, frame: Frame) -> list[int]:
        """Return the number of each part's content at one moment."""
        return [self._content(part) for part in frame if part.name in self._parts]

    def _content(self, part: PartState) -> int:
        seen: Counter[str] = Counter()
        numbers = []
        for row in part.rows:
            cells = [
                self._cell(column, cell)
                for column, cell in zip(part.columns, row, strict=True)
            ]
            # The value of a part that has but one is the same row, whatever it is.
            is_one = part.columns == ("value",)
            key = "" if is_one else "\x1f".join(cells[: part.keys] or cells)
            # A queue may hold an item twice: the second is another row.
            seen[key] += 1
            name = self.texts.number(f"{key}\x1f{seen[key]}")
            shown = [self.texts.number(cells[at]) for at in self._shown[part.name]]
            numbers.append(self._rows.number((name, *shown)))
        return self._contents.number(tuple(numbers))

    def _cell(self, column: str, cell: Any) -> str:
        if column in ("key", "item") and isinstance(cell, list):
            return self._wording.key(tuple(cell))
        return self._wording.value(cell)

    def data(self) -> dict[str, Any]:
        """Return everything numbered so far, as plain data."""
        return {
            "texts": self.texts.items,
            "rows": self._rows.items,
            "contents": self._contents.items,
            "parts": [
                {"name": name, "columns": [columns[at] for at in self._shown[name]]}
                for name, columns in self._parts.items()
            ],
        }


def _shown_columns(frames: Iterable[Frame], common: str) -> dict[str, list[int]]:
    """Return which columns of each part say anything in any moment."""
    telling: dict[str, dict[int, None]] = {}
    for frame in frames:
        for part in frame:
            found = telling.setdefault(part.name, {})
            if not part.columns[1:]:
                found[0] = None
            for row in part.rows:
                for at, cell in enumerate(row):
                    if cell not in (None, 0, "", [], common) or at == part.keys - 1:
                        found[at] = None
            for at, column in enumerate(part.columns):
                if column.endswith(_UNTIMED_SUFFIX):
                    found.pop(at, None)
    return {name: sorted(found) for name, found in telling.items()}

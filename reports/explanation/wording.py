"""How calls, results and changes of a trace are written, shortly.

Knows traces only; text, Markdown and pages use the same words.
"""

from collections.abc import Sequence
from typing import Any, Final

from wavecheck.sim.trace import RowChange, Step, plain

_LIST_MAX: Final = 4
_TEXT_MAX: Final = 60


class Wording:
    """Writes calls, results and changes shortly.

    The argument that nearly every call begins with (the job) is left out, and ids lose
    the prefix that it gives them.

    Attributes:
        common: that argument; empty if there is none.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        firsts = [
            step.args[0] if step.args and isinstance(step.args[0], str) else ""
            for step in steps
        ]
        # The job itself, or an id that begins with it.
        shares = {
            name: sum(one == name or one.startswith(f"{name}-") for one in firsts)
            for name in firsts
            if name
        }
        name = max(shares, key=lambda one: shares[one], default="")
        self.common = name if shares.get(name, 0) > len(steps) / 2 else ""

    def call(self, step: Step) -> str:
        """Write a step as a call."""
        args = [plain(argument) for argument in step.args]
        if args and self.common and args[0] == self.common:
            args = args[1:]
        return f"{step.operation}({', '.join(self.value(one) for one in args)})"

    def result(self, step: Step) -> str:
        """Write what a step returned; nothing for None."""
        value = plain(step.result)
        return "" if value is None else f" = {self.value(value)}"

    def value(self, value: Any) -> str:
        """Write a plain value."""
        if isinstance(value, dict):
            return self._row(value)
        if isinstance(value, list):
            shown = [self.value(one) for one in value[:_LIST_MAX]]
            if len(value) > _LIST_MAX:
                shown.append(f"{len(value) - _LIST_MAX} more")
            return f"[{', '.join(shown)}]"
        if isinstance(value, bool) or value is None:
            return {True: "yes", False: "no", None: "none"}[value]
        text = str(value)
        if self.common and text.startswith(f"{self.common}-"):
            text = text[len(self.common) + 1 :]
        return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}..."

    def _row(self, row: dict[str, Any]) -> str:
        names = [name for name, value in row.items() if value != self.common]
        key = self.value(row[names[0]]) if names else "row"
        return f"{key} {row['status']}" if "status" in row else key

    def key(self, key: Any) -> str:
        """Write a key without the common argument and without a trailing zero."""
        if key is None:
            return ""
        parts = list(key) if isinstance(key, tuple) else [key]
        if len(parts) > 1:
            parts = [part for part in parts if part not in (self.common, 0)]
        return " ".join(self.value(plain(part)) for part in parts)

    def changes(self, changes: Sequence[RowChange]) -> str:
        """Write what steps did to rows, items and values; like goes with like."""
        groups: dict[tuple[str, str], list[str]] = {}
        for change in changes:
            part = change.part.removesuffix(f" {self.common}")
            what = self._what(change)
            if what:
                groups.setdefault((part, what), []).append(self.key(change.key))
        return "; ".join(
            f"{part} {', '.join(names)}".rstrip() + what
            for (part, what), names in groups.items()
        )

    def _what(self, change: RowChange) -> str:
        """Write what happened to one row, item or value; empty: nothing to tell."""
        if change.is_gone:
            return " gone"
        if change.is_new and change.columns == (("value", None, change.key),):
            return " added"
        if change.is_new and len(change.columns) > 1:
            status = next(
                (new for col, _, new in change.columns if col == "status"), ""
            )
            return f" new {status}".rstrip()
        parts = [
            f"{self.value(plain(old))} -> {self.value(plain(new))}"
            if column in ("status", "value")
            else f"{column} {self.value(plain(old))} -> {self.value(plain(new))}"
            for column, old, new in change.columns
            if not column.endswith("_at")
        ]
        return f": {', '.join(parts)}" if parts else ""

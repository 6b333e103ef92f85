"""How calls, results and changes of a trace are written, shortly.

Knows traces only; text, Markdown and pages use the same words.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from wavecheck.sim.trace import RowChange, Step, plain

_LIST_MAX: Final = 4
_TEXT_MAX: Final = 60
_SQL_MAX: Final = 160
_BRIEF_MAX: Final = 60


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

        # Small numbers of transactions are used again: a slot is its last beginner's.
        self._holders: dict[int, dict[Any, str]] = {}
        begun: dict[Any, str] = {}
        for step in steps:
            for change in step.changes:
                if change.is_bookkeeping and change.is_new:
                    begun[change.key] = step.task
            self._holders[step.number] = dict(begun)

    def call(self, step: Step, length_max: int = _SQL_MAX) -> str:
        """Write a step as a call, a statement of SQL as it ran."""
        told = next((one.told() for one in step.args if hasattr(one, "told")), None)
        if told is not None:
            return told if len(told) <= length_max else f"{told[:length_max]}..."
        if hasattr(step.result, "told"):  # the end of a transaction
            return step.operation.upper()
        args = [plain(argument) for argument in step.args]
        if args and self.common and args[0] == self.common:
            args = args[1:]
        if _is_recorded(step):
            args = json.loads(args[2])
        return f"{step.operation}({', '.join(self.value(one) for one in args)})"

    def brief(self, step: Step) -> str:
        """Write a call within a sentence."""
        return self.call(step, _BRIEF_MAX)

    def result(self, step: Step) -> str:
        """Write what a step returned; nothing for None."""
        waits = self._waits(step)
        if waits:
            return f" {waits}"
        if hasattr(step.result, "told"):
            told = step.result.told()
            return f" = {told}" if told else ""
        if _is_recorded(step) and not step.result:
            return ""
        value = plain(step.result)
        return "" if value is None else f" = {self.value(value)}"

    def _waits(self, step: Step) -> str:
        """Say for whom a statement waits, and for which row; empty: it does not."""
        inner = step.result[0] if type(step.result) is tuple and step.result else None
        holder = getattr(inner or step.result, "holder", None)
        if holder is None:
            return ""
        if not holder:
            return "(goes on)"
        who = self._holders.get(step.number, {}).get(holder, "another transaction")
        for change in step.changes:
            for column, _, place in change.columns:
                if change.is_bookkeeping and column == "waits_for" and place:
                    table, key = place
                    return f"waits for {who} ({table} {self.key(key)})"
        return f"waits for {who}"

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
        told = {name: one for name, one in row.items() if one != self.common}
        if "status" in told:
            return f"{self.value(next(iter(told.values())))} {row['status']}"
        first = next(iter(told.values()), None)
        if isinstance(first, dict):  # a message about a row
            return self._row(first)
        cells = [f"{name} {self.value(one)}" for name, one in told.items()]
        more = ["..."] if len(cells) > _LIST_MAX else []
        return ", ".join([*cells[:_LIST_MAX], *more]) or "row"

    def key(self, key: Any) -> str:
        """Write a key without the common argument and without a trailing zero."""
        if key is None:
            return ""
        parts = list(key) if isinstance(key, tuple) else [key]
        if len(parts) > 1:
            parts = [part for part in parts if part != self.common]
        if len(parts) > 1 and parts[-1] == 0:
            parts.pop()
        return " ".join(self.value(plain(part)) for part in parts)

    def changes(self, changes: Sequence[RowChange]) -> str:
        """Write what steps did to rows, items and values; like goes with like."""
        groups: dict[tuple[str, str], list[str]] = {}
        for one in changes:
            change = one.shown
            if change is None:
                continue
            part = change.part.removesuffix(f" {self.common}")
            what = self._what(change)
            if what and change.uncommitted is not None:
                what = f"{what} (not committed)"
            if what:
                groups.setdefault((part, what), []).append(self.key(change.key))
        return "; ".join(
            f"{part} {', '.join(names)}".rstrip() + what
            for (part, what), names in groups.items()
        )

    def amounts(self, changes: Sequence[RowChange]) -> str:
        """Write how many rows, items and values of each part were changed."""
        rows: dict[str, set[str]] = {}
        for one in changes:
            change = one.shown
            if change is not None:
                part = change.part.removesuffix(f" {self.common}")
                rows.setdefault(part, set()).add(repr(change.key))
        return "; ".join(f"{len(keys)} of {part}" for part, keys in rows.items())

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


def _is_recorded(step: Step) -> bool:
    """Return whether a step is a call of what is outside the database."""
    service, _, method = step.operation.partition(".")
    return bool(service and method) and len(step.args) == 3 and step.args[0] == method

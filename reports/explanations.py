"""An explanation as text or Markdown: one column per task, and why it fails.

Knows rich and the explanation; the words are the same in both forms.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sim.search.explain import Explanation
from sim.search.stale import StaleRead
from sim.trace import RowChange, Step, plain

_LIST_MAX: Final = 4
_TEXT_MAX: Final = 60


class Wording:
    """Writes calls, results and changes shortly.

    The argument that nearly every call begins with (the job) is left out, and ids lose
    the prefix that it gives them.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        firsts = Counter(
            str(step.args[0])
            for step in steps
            if step.args and isinstance(step.args[0], str)
        )
        name, count = firsts.most_common(1)[0] if firsts else ("", 0)
        self._common = name if count > len(steps) / 2 else ""

    def call(self, step: Step) -> str:
        """Write a step as a call."""
        args = [plain(argument) for argument in step.args]
        if args and self._common and args[0] == self._common:
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
        if self._common and text.startswith(f"{self._common}-"):
            text = text[len(self._common) + 1 :]
        return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}..."

    def _row(self, row: dict[str, Any]) -> str:
        names = [name for name, value in row.items() if value != self._common]
        key = self.value(row[names[0]]) if names else "row"
        return f"{key} {row['status']}" if "status" in row else key

    def _key(self, key: Any) -> str:
        """Write a key without the common argument and without a trailing zero."""
        if key is None:
            return ""
        parts = list(key) if isinstance(key, tuple) else [key]
        if len(parts) > 1:
            parts = [part for part in parts if part not in (self._common, 0)]
        return "".join(f" {self.value(plain(part))}" for part in parts)

    def change(self, change: RowChange) -> str:
        """Write what a step did to one row, item or value."""
        name = self._key(change.key)
        part = change.part.removesuffix(f" {self._common}")
        if change.is_gone:
            return f"{part}{name} gone"
        if change.is_new and change.columns == (("value", None, change.key),):
            return f"{part}{name} added"
        if change.is_new and len(change.columns) > 1:
            status = next(
                (new for col, _, new in change.columns if col == "status"), ""
            )
            return f"{part}{name} new {status}".rstrip()
        parts = [
            f"{self.value(plain(old))} -> {self.value(plain(new))}"
            if column in ("status", "value")
            else f"{column} {self.value(plain(old))} -> {self.value(plain(new))}"
            for column, old, new in change.columns
            if not column.endswith("_at")
        ]
        return f"{part}{name}: {', '.join(parts)}" if parts else ""


def headline(explanation: Explanation) -> str:
    """Say in one line what is violated, and by whom."""
    schedule = explanation.schedule
    return (
        f"{schedule.coordinator} violates {schedule.property_name} in"
        f" {schedule.scenario} after {explanation.violation.step} steps:"
        f" {explanation.violation.message}"
    )


def reasons(explanation: Explanation) -> list[str]:
    """Say why it fails, in sentences."""
    wording = Wording(explanation.steps)
    sentences = []
    stale = explanation.stale_read
    if stale is not None:
        sentences.append(_stale_sentence(explanation, stale, wording))
    else:
        sentences.append(
            "No step acted on a value that had changed: the rule itself leads here."
        )
    sentences.append(_no_return_sentence(explanation, wording))
    escape = explanation.escape
    if escape is not None:
        here = _step(explanation, escape.step)
        fails = f" instead of {here.task}: {wording.call(here)}" if here else ""
        sentences.append(
            f"Nearest schedule that passes ({escape.steps_count} steps): at step"
            f" {escape.step} take {escape.instead.task}:"
            f" {wording.call(escape.instead)}{wording.result(escape.instead)}{fails}."
        )
    return sentences


def _stale_sentence(
    explanation: Explanation, stale: StaleRead, wording: Wording
) -> str:
    read = _step(explanation, stale.read_step)
    changed = _step(explanation, stale.changed_step)
    assert read is not None
    assert changed is not None
    text = (
        f"Stale read: at step {stale.read_step} {stale.task} reads"
        f" {wording.call(read)} = {wording.value(stale.value)}; at step"
        f" {stale.changed_step} {stale.changed_by} makes that"
        f" {wording.value(stale.value_then)} ({wording.call(changed)});"
    )
    if stale.acted_step is None:
        return f"{text} {stale.task} has decided by the old value and looks no more."
    acted = _step(explanation, stale.acted_step)
    assert acted is not None
    return (
        f"{text} at step {stale.acted_step} {stale.task} acts on the old value"
        f" ({wording.call(acted)})."
    )


def _no_return_sentence(explanation: Explanation, wording: Wording) -> str:
    point = explanation.no_return
    if point is None:
        return "Point of no return: none; no schedule of this world was seen to pass."
    step = _step(explanation, point.step)
    where = f" ({step.task}: {wording.call(step)})" if step else ""
    strength = (
        f"all {point.continuations_count} continuations were run, and all fail"
        if point.is_exact
        else f"none of {point.continuations_count} continuations tried passes"
    )
    return f"Point of no return: step {point.step}{where}; after it, {strength}."


def _step(explanation: Explanation, number: int) -> Step | None:
    return next((one for one in explanation.steps if one.number == number), None)


def _marks(explanation: Explanation) -> dict[int, str]:
    marks: dict[int, list[str]] = {}
    stale, point = explanation.stale_read, explanation.no_return
    if stale is not None:
        marks.setdefault(stale.read_step, []).append("reads")
        marks.setdefault(stale.changed_step, []).append("makes it stale")
        if stale.acted_step is not None:
            marks.setdefault(stale.acted_step, []).append("acts on it")
    if point is not None:
        marks.setdefault(point.step, []).append("no return")
    marks.setdefault(explanation.violation.step, []).append("VIOLATED")
    return {number: ", ".join(words) for number, words in marks.items()}


def _lanes(explanation: Explanation) -> list[str]:
    return list(dict.fromkeys(step.task for step in explanation.steps))


def explanation_text(explanation: Explanation) -> RenderableType:
    """Return an explanation for a terminal."""
    wording, marks = Wording(explanation.steps), _marks(explanation)
    lanes = _lanes(explanation)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("step", justify="right", no_wrap=True)
    for lane in lanes:
        table.add_column(lane)
    table.add_column("what changed")
    table.add_column("")
    for step in explanation.steps:
        cells = [""] * len(lanes)
        cells[lanes.index(step.task)] = f"{wording.call(step)}{wording.result(step)}"
        mark = marks.get(step.number, "")
        style = "bold" if mark else ""
        table.add_row(
            str(step.number),
            *cells,
            "; ".join(filter(None, map(wording.change, step.changes))),
            Text(mark, style="bold red" if "VIOLATED" in mark else "bold yellow"),
            style=style,
        )
    return Group(
        Text(headline(explanation), style="bold"),
        table,
        *(Text(f"{sentence}") for sentence in reasons(explanation)),
    )


def explanation_markdown(explanation: Explanation) -> str:
    """Return an explanation as Markdown."""
    wording, marks = Wording(explanation.steps), _marks(explanation)
    lanes = _lanes(explanation)
    rows = [["step", *lanes, "what changed", ""], ["---:"] + ["---"] * (len(lanes) + 2)]
    for step in explanation.steps:
        cells = [""] * len(lanes)
        cells[lanes.index(step.task)] = f"{wording.call(step)}{wording.result(step)}"
        changes = "; ".join(filter(None, map(wording.change, step.changes)))
        mark = marks.get(step.number, "")
        rows.append([str(step.number), *cells, changes, f"**{mark}**" if mark else ""])
    lines = [f"### {_escaped(headline(explanation))}", ""]
    lines += [f"| {' | '.join(map(_escaped, row))} |" for row in rows]
    lines.append("")
    lines += [f"- {_escaped(sentence)}" for sentence in reasons(explanation)]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    for character in "\\|<>`_[]":
        text = text.replace(character, f"\\{character}")
    return text

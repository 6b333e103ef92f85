"""An explanation as text or Markdown: why it fails, and its steps.

Knows rich and the explanation; the words are the same in both forms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final

from rich import box
from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    RenderableType,
    RenderResult,
)
from rich.table import Table
from rich.text import Text

from wavecheck.reports.explanation.causes import cause_marks, cause_sentences
from wavecheck.reports.explanation.episodes import (
    ROWS_MAX,
    Episode,
    episodes_of,
)
from wavecheck.reports.explanation.wording import Wording
from wavecheck.sim.search.explain import Escape, Explanation
from wavecheck.sim.trace import Step

_LANE_RATIO: Final = 2
"""Width of a lane, where the changes have one more than there are lanes."""
_WIDTH: Final = 150
_CHANGES_MAX: Final = 12
"""More changes than this in one row are counted, and not told."""
_LANES_MAX: Final = 6
"""With more tasks than this each row names its task."""
_LINES_MAX: Final = 3
"""Where columns are so narrow that a call takes more lines, as well."""


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
    sentences = cause_sentences(explanation, wording)
    sentences.append(no_return_sentence(explanation, wording))
    if explanation.escape is not None:
        sentences.append(escape_sentence(explanation, explanation.escape, wording))
    return sentences


def escape_sentence(explanation: Explanation, escape: Escape, wording: Wording) -> str:
    """Say where the nearest schedule that passes takes another way."""
    here = _step(explanation, escape.step)
    fails = ""
    if here is not None:
        fails = f" instead of {here.task}: {wording.brief(here)}"
        if here.operation == escape.instead.operation:
            fails += wording.result(here)
    return (
        f"Nearest schedule that passes ({escape.steps_count} steps): at step"
        f" {escape.step} take {escape.instead.task}:"
        f" {wording.brief(escape.instead)}{wording.result(escape.instead)}{fails}."
    )


def no_return_sentence(explanation: Explanation, wording: Wording) -> str:
    """Say from which step on the violation cannot be avoided, and how surely."""
    point = explanation.no_return
    if point is None and explanation.was_cut:
        return "Point of no return: not known; a limit of the command came before."
    if point is None:
        return "Point of no return: none; no schedule of this world was seen to pass."
    step = _step(explanation, point.step)
    where = f" ({step.task}: {wording.brief(step)})" if step else ""
    if point.states_count:
        return (
            f"Point of no return: step {point.step}{where}; after it, no continuation"
            f" passes: all {point.states_count:,} states of this world were visited."
        )
    count = point.continuations_count
    if not count:  # the violation itself: there is nothing left to try after it
        return (
            f"Point of no return: step {point.step}{where}, the last one; until then,"
            " some continuation passes."
        )
    strength = f"none of {count} continuations tried passes"
    if point.is_exact:
        strength = f"all {count} continuations were run, and all fail"
        if count == 1:
            strength = "the only continuation was run, and it fails"
    return f"Point of no return: step {point.step}{where}; after it, {strength}."


def _step(explanation: Explanation, number: int) -> Step | None:
    return next((one for one in explanation.steps if one.number == number), None)


def marks_of(explanation: Explanation) -> dict[int, str]:
    """Say what is special about a step, by number."""
    marks: dict[int, list[str]] = {}
    point = explanation.no_return
    for cause in explanation.causes[:1]:
        for number, role in cause_marks(cause, explanation.steps).items():
            marks.setdefault(number, []).append(role)
    if point is not None:
        marks.setdefault(point.step, []).append("no return")
    marks.setdefault(explanation.violation.step, []).append("VIOLATED")
    return {number: ", ".join(words) for number, words in marks.items()}


def lanes_of(steps: Sequence[Step]) -> list[str]:
    """Return the tasks in order of their first step."""
    return list(dict.fromkeys(step.task for step in steps))


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table, as text.

    Attributes:
        numbers: of its steps.
        lane: index of the task's column.
        who: whose steps they are.
        told: the call and its result, or the calls of a run of steps.
        changed: what changed.
        mark: why the row matters; empty for most.
    """

    numbers: str
    lane: int
    who: str
    told: str
    changed: str
    mark: str


def _rows(explanation: Explanation, *, is_full: bool) -> list[_Row]:
    wording, marks = Wording(explanation.steps), marks_of(explanation)
    lanes = lanes_of(explanation.steps)
    rows = []
    for one in episodes_of(explanation.steps, marks, is_full=is_full):
        first, last = one.first, one.last
        is_run = len(one.steps) > 1
        rows.append(
            _Row(
                f"{first.number}-{last.number}" if is_run else str(first.number),
                lanes.index(first.task),
                ", ".join(one.tasks),
                _told(one, wording),
                wording.changes(one.changes)
                if len(one.tasks) == 1 and len(one.changes) <= _CHANGES_MAX
                else wording.amounts(one.changes),
                "" if is_run else marks.get(first.number, ""),
            )
        )
    return rows


def _told(episode: Episode, wording: Wording) -> str:
    """Say what is done in a row."""
    first, last = episode.first, episode.last
    if len(episode.steps) == 1:
        return f"{wording.call(first)}{wording.result(first)}"
    if len(episode.tasks) > 1:
        return f"{len(episode.steps)} steps of {', '.join(episode.tasks)}"
    if episode.times > 1:
        calls = dict.fromkeys(wording.brief(step) for step in episode.steps)
        return f"{episode.times} times: {', '.join(calls)}"
    return f"{first.operation} ... {last.operation}"


def explanation_text(
    explanation: Explanation, *, is_full: bool = False
) -> RenderableType:
    """Return an explanation for a terminal: why first, then the steps.

    Args:
        explanation: what to tell.
        is_full: a row for every step, however many there are.
    """
    return Group(
        Text(headline(explanation), style="bold"),
        *map(Text, reasons(explanation)),
        _Steps(explanation, is_full=is_full),
    )


class _Steps:
    """The steps as a table: a column for each task where that leaves room to read."""

    def __init__(self, explanation: Explanation, *, is_full: bool) -> None:
        self._rows = _rows(explanation, is_full=is_full)
        self._lanes = lanes_of(explanation.steps)
        # A run is told by its changes: they are the longest text, and get the room.
        self._is_long = len(explanation.steps) > ROWS_MAX and not is_full

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        yield self._table(options.max_width)

    def _table(self, width: int) -> Table:
        longest = max((len(row.told) for row in self._rows), default=0)
        room = width // (len(self._lanes) + 1)
        has_lanes = len(self._lanes) <= _LANES_MAX and (
            width >= _WIDTH or longest <= room * _LINES_MAX
        )
        columns = self._lanes if has_lanes else ["task", "what it does"]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=self._is_long)
        table.add_column("step", justify="right", no_wrap=True)
        for column in columns:
            ratio = _LANE_RATIO if self._is_long else None
            table.add_column(column, overflow="fold", ratio=ratio)
        ratio = len(columns) + 1 if self._is_long else None
        table.add_column("what changed", overflow="fold", ratio=ratio)
        table.add_column("")
        for row in self._rows:
            cells = [""] * len(columns)
            if has_lanes:
                cells[row.lane] = row.told
            else:
                cells = [row.who, row.told]
            style = "bold red" if "VIOLATED" in row.mark else "bold yellow"
            table.add_row(
                row.numbers,
                *cells,
                row.changed,
                Text(row.mark, style=style),
                style="bold" if row.mark else "",
            )
        return table


def explanation_markdown(explanation: Explanation, *, is_full: bool = False) -> str:
    """Return an explanation as Markdown; arguments as for `explanation_text`."""
    lanes = lanes_of(explanation.steps)
    names = map(escaped_markdown, lanes)
    rows = [["step", *names, "what changed", ""], ["---:"] + ["---"] * (len(lanes) + 2)]
    for row in _rows(explanation, is_full=is_full):
        cells = [""] * len(lanes)
        cells[row.lane] = row.told
        mark = f"**{row.mark}**" if row.mark else ""
        told = [escaped_markdown(one) for one in (*cells, row.changed)]
        rows.append([row.numbers, *told, mark])
    lines = [f"### {escaped_markdown(headline(explanation))}", ""]
    lines += [f"- {escaped_markdown(sentence)}" for sentence in reasons(explanation)]
    lines.append("")
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def explanation_plain(explanation: Explanation) -> str:
    """Return an explanation as text for files and messages, without colours."""
    return plain_text(explanation_text(explanation))


def plain_text(what: RenderableType) -> str:
    """Return what a terminal of a fixed width would show, without colours."""
    buffer = StringIO()
    console = Console(
        file=buffer, width=_WIDTH, highlight=False, emoji=False, markup=False
    )
    console.print(what)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def escaped_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, in a cell of a table as well."""
    text = "".join(one if one.isprintable() else " " for one in text)
    for character in "\\|<>`_[]*~&@#":
        text = text.replace(character, f"\\{character}")
    return text

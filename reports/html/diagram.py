"""The space-time diagram: one lane per task, time downwards, arrows between lanes.

Turns steps into coordinates and SVG paths; knows no colour and no word. The text of a
step stands beside the lanes, in a row as high as the diagram says, so that arrows never
cross it and any number of lanes fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wavecheck.reports.explanation.playback import Track
from wavecheck.sim.search.kinds import Cause

ROW_HEIGHT: Final = 46
_LANE_WIDTHS: Final = ((4, 46), (6, 36), (9, 26), (16, 18))
_NARROWEST: Final = 10
_WIDE: Final = 60  # between lanes that are not neighbours
_MARGIN: Final = 22
_DOT: Final = 6
_END: Final = 17  # from a task's last step to the bar that ends its lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One task.

    Attributes:
        name: of the task.
        x: of its lane.
        first: where the task begins to act.
        last: where it ends, or how far it is seen; 0: it does not act here.
        has_ended: it takes no further step.
    """

    name: str
    x: int
    first: int
    last: int
    has_ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One step: its number and its place."""

    step: int
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One arrow: an SVG path, and what it says.

    Attributes:
        kind: "order" for happens-before, "cause" between the steps of the main cause.
        path: the `d` of an SVG path.
        says: the same in words.
    """

    kind: str
    path: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """Everything to draw, in pixels from the upper left corner.

    Attributes:
        width: of all lanes.
        height: of all rows.
        first: number of the first step shown.
        lanes: in order of their tasks' first steps.
        dots: one for each step shown.
        arrows: happens-before first, the cause on top.
    """

    width: int
    height: int
    first: int
    lanes: tuple[Lane, ...]
    dots: tuple[Dot, ...]
    arrows: tuple[Arrow, ...]


def diagram_of(
    track: Track,
    tasks: Sequence[str],
    *,
    first: int = 1,
    cause: Cause | None = None,
) -> Diagram:
    """Lay out one execution.

    Args:
        track: whose steps.
        tasks: names of the lanes, from left to right.
        first: number of the first step to show.
        cause: to mark.
    """
    spacing = next((w for n, w in _LANE_WIDTHS if len(tasks) <= n), _NARROWEST)
    shown = [step for step in track.steps if step.number >= first]
    place = {name: _MARGIN + index * spacing for index, name in enumerate(tasks)}
    dots = {
        step.number: Dot(step=step.number, x=place[step.task], y=_row(index))
        for index, step in enumerate(shown)
    }
    cause_arrows = [] if cause is None else _cause_arrows(cause, dots)
    taken = [arrow.path for arrow in cause_arrows]
    arrows = [
        Arrow(kind="order", path=path, says=why)
        for earlier, later, why in track.order
        if why != "task" and earlier in dots
        if (path := _curve(dots[earlier], dots[later])) not in taken
    ]
    height = ROW_HEIGHT * len(shown)
    lanes = []
    for name in tasks:
        mine = [dots[step.number].y for step in shown if step.task == name]
        has_ended = name in track.ended
        last = max(mine, default=0) + _END if has_ended else height
        lanes.append(
            Lane(
                name=name,
                x=place[name],
                first=min(mine, default=0),
                last=last if mine else 0,
                has_ended=has_ended,
            )
        )
    arrows += cause_arrows
    return Diagram(
        width=2 * _MARGIN + spacing * max(0, len(tasks) - 1),
        height=height,
        first=first,
        lanes=tuple(lanes),
        dots=tuple(dots.values()),
        arrows=tuple(arrows),
    )


def _row(index: int) -> int:
    return index * ROW_HEIGHT + ROW_HEIGHT // 2


def _cause_arrows(cause: Cause, dots: dict[int, Dot]) -> list[Arrow]:
    """From each step of a cause to the next one that is shown."""
    shown = [dots[number] for number in cause.steps if number in dots]
    return [
        Arrow(
            kind="cause",
            path=_curve(one, other),
            says=f"steps {one.step} and {other.step}: {cause.kind.value}",
        )
        for one, other in pairwise(shown)
    ]


def _curve(start: Dot, end: Dot) -> str:
    """Leave one dot downwards and reach the other from above, or from the side."""
    top, bottom = start.y + _DOT, end.y - _DOT - 3
    if start.x == end.x:
        bend = start.x + 18
        return f"M{start.x} {top}C{bend} {top},{bend} {bottom},{end.x} {bottom}"
    if bottom - top > 2 * ROW_HEIGHT:  # between the lanes, not across the dots
        gap = (start.x + end.x) // 2 if abs(end.x - start.x) < _WIDE else end.x - 14
        return (
            f"M{start.x} {top}C{start.x} {top + 22},{gap} {top + 6},{gap} {top + 34}"
            f"V{bottom - 34}C{gap} {bottom - 6},{end.x} {bottom - 22},{end.x} {bottom}"
        )
    pull = max(8, min(26, (bottom - top) // 2))
    return (
        f"M{start.x} {top}C{start.x} {top + pull},{end.x} {bottom - pull},"
        f"{end.x} {bottom}"
    )

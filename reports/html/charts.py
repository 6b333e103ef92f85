"""Charts of timed runs: batches by status over time, and a bar for each batch.

Turns histories and batches into SVG coordinates; knows no colour and no word. Long
histories are thinned to what can be told apart on a screen: of the changes that fall
into one column the last one is drawn.

Units: pixels of the drawing; ticks where it says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from wavecheck.coordinator import Batch
from wavecheck.scenarios.pipeline.observation import BATCH_STATES, WaveHistory
from wavecheck.sim.kernel import TICKS_PER_SECOND

WIDTH: Final = 520
LEFT: Final = 42
TOP: Final = 10
PLOT_HEIGHT: Final = 150
BOTTOM: Final = 26
BARS_MAX: Final = 120
_COLUMNS: Final = 300
_BAR: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One mark of an axis: where, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The frame of a chart."""

    height: int
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMark:
    """An alert on the time line.

    Attributes:
        x: where.
        number: in the list of alerts of the run.
        is_right: batches really stay pending.
    """

    x: float
    number: int
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChart:
    """Batches of one wave by status over time, stacked.

    Attributes:
        wave_number: of the wave.
        axes: seconds, and batches.
        areas: (status, path), from the bottom upwards.
        alerts: of this wave.
        says: the same in one sentence, for who does not see it.
    """

    wave_number: int
    axes: Axes
    areas: tuple[tuple[str, str], ...]
    alerts: tuple[AlertMark, ...]
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One batch: waiting from creation until it is sent, then until it is completed.

    Attributes:
        y: of its upper edge.
        waits: (from, width); it is pending.
        runs: (from, width); it is sent and not completed; None: never sent.
        says: the same in words.
    """

    y: int
    waits: tuple[float, float]
    runs: tuple[float, float] | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    """A bar for each batch, or for every so many.

    Attributes:
        axes: seconds, and the first batch of each wave.
        bars: from top to bottom, in order of creation.
        every: 1: all batches are shown; else one of so many.
    """

    axes: Axes
    bars: tuple[Bar, ...]
    every: int


def status_chart(
    history: WaveHistory,
    wave_number: int,
    *,
    end: int,
    alerts: Sequence[tuple[int, int, bool]] = (),
) -> StatusChart:
    """Stack the batches of one wave by status over time.

    Args:
        history: of the wave.
        wave_number: its number.
        end: ticks at the right edge.
        alerts: (ticks, number, is right) of those that fired for this wave.
    """
    times, counts = _thinned(history, end)
    most = max(1, int(counts.sum(axis=1).max(initial=0)))
    scale = PLOT_HEIGHT / most
    base = np.zeros(len(times))
    areas = []
    for index in reversed(range(len(BATCH_STATES))):
        top = base + counts[:, index]
        if counts[:, index].any():
            areas.append((str(BATCH_STATES[index]), _area(times, base, top, scale)))
        base = top
    last = ", ".join(
        f"{count} {status}"
        for status, count in zip(BATCH_STATES, counts[-1].tolist(), strict=True)
        if count
    )
    return StatusChart(
        wave_number=wave_number,
        axes=Axes(height=TOP + PLOT_HEIGHT + BOTTOM, x=_seconds(end), y=_counts(most)),
        areas=tuple(areas),
        alerts=tuple(
            AlertMark(x=_x(time, end), number=number, is_right=is_right)
            for time, number, is_right in alerts
        ),
        says=f"Wave {wave_number}: at the end {last or 'no batch'}.",
    )


def _thinned(history: WaveHistory, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and counts by status at each change that can be seen, and at the end."""
    if not len(history.times):
        edges = np.array([LEFT, WIDTH], dtype=float)
        return edges, np.zeros((2, len(BATCH_STATES)), dtype=int)
    columns = np.minimum(history.times * _COLUMNS // max(1, end), _COLUMNS)
    is_last = np.r_[columns[1:] != columns[:-1], True]
    times = LEFT + history.times[is_last] / max(1, end) * (WIDTH - LEFT)
    counts = np.asarray(history.counts[is_last], dtype=int)
    zero = np.zeros((1, len(BATCH_STATES)), dtype=int)
    return (
        np.r_[LEFT, np.minimum(times, WIDTH), WIDTH],
        np.concatenate([zero, counts, counts[-1:]]),
    )


def _area(xs: np.ndarray, low: np.ndarray, high: np.ndarray, scale: float) -> str:
    """Return the path of a band that keeps its height until the next change."""
    floor = TOP + PLOT_HEIGHT
    upper, lower = [], []
    for at in range(len(xs) - 1):
        for x in (xs[at], xs[at + 1]):
            upper.append(f"{x:.1f} {floor - high[at] * scale:.1f}")
            lower.append(f"{x:.1f} {floor - low[at] * scale:.1f}")
    return f"M{'L'.join(_distinct(upper))}L{'L'.join(_distinct(lower[::-1]))}z"


def _distinct(points: list[str]) -> list[str]:
    return [one for at, one in enumerate(points) if at == 0 or one != points[at - 1]]


def gantt_of(batches: Sequence[Batch], *, end: int) -> Gantt:
    """Return a bar for each batch, waves apart.

    Args:
        batches: of one run.
        end: ticks at the right edge.
    """
    ordered = sorted(batches, key=lambda one: (one.wave_number, one.batch_id))
    every = max(1, -(-len(ordered) // BARS_MAX))
    bars, labels, y = [], [], TOP
    wave = None
    for batch in ordered[::every]:
        if batch.wave_number != wave:
            y += _BAR if wave is not None else 0
            wave = batch.wave_number
            labels.append(Tick(at=y + _BAR / 2, text=f"w{wave}"))
        bars.append(_bar(batch, y, end))
        y += _BAR
    height = y + BOTTOM
    return Gantt(
        axes=Axes(height=height, x=_seconds(end), y=tuple(labels)),
        bars=tuple(bars),
        every=every,
    )


def _bar(batch: Batch, y: int, end: int) -> Bar:
    created, sent, done = batch.created_at, batch.dispatched_at, batch.completed_at
    words = [f"{batch.batch_id[:80]}: created {_text(created)}"]
    words.append("never sent" if sent is None else f"sent {_text(sent)}")
    runs = None
    if sent is not None:
        words.append("not completed" if done is None else f"completed {_text(done)}")
        runs = _span(sent, end if done is None else done, end)
    waits = _span(created, end if sent is None else sent, end)
    return Bar(y=y, waits=waits, runs=runs, says=", ".join(words))


def _span(start: int, stop: int, end: int) -> tuple[float, float]:
    left = _x(start, end)
    return round(left, 1), round(max(0.0, _x(stop, end) - left), 1)


def _text(ticks: int) -> str:
    return f"{ticks / TICKS_PER_SECOND:.3f} s"


def _x(ticks: int, end: int) -> float:
    return round(LEFT + min(1.0, ticks / max(1, end)) * (WIDTH - LEFT), 1)


def _seconds(end: int) -> tuple[Tick, ...]:
    last = max(1, end) / TICKS_PER_SECOND
    found = _tick_values(last, 6)
    return tuple(
        Tick(at=_x(round(one * TICKS_PER_SECOND), end), text=f"{one:g}")
        for one in found
        if 0 <= one <= last * 0.97
    )


def _tick_values(last: float, count: int, **options: bool) -> list[float]:
    from matplotlib.ticker import MaxNLocator  # slow to load

    locator = MaxNLocator(count, steps=[1, 2, 5, 10], **options)
    return [float(one) for one in locator.tick_values(0, last)]


def _counts(most: int) -> tuple[Tick, ...]:
    found = _tick_values(most, 4, integer=True)
    floor = TOP + PLOT_HEIGHT
    return tuple(
        Tick(at=round(floor - one / most * PLOT_HEIGHT, 1), text=f"{one:g}")
        for one in found
        if 0 <= one <= most
    )

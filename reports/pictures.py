"""Pictures of timed runs: batches by status over time, and a time line per batch.

Knows matplotlib and the result types. A picture holds no date and no path, so that the
same result gives the same bytes.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wavecheck.scenarios.comparison import Comparison
from wavecheck.scenarios.pipeline.observation import BATCH_STATES
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.sim.files import make_folder, write_whole
from wavecheck.sim.kernel import TICKS_PER_SECOND

Draw = Callable[[Axes, TimedRun, float], None]

# Okabe and Ito's palette: distinguishable with colour-vision deficiency.
COLOURS: Final = {
    "pending": "#d55e00",
    "dispatched": "#e69f00",
    "processing": "#56b4e9",
    "completed": "#009e73",
}
STATUS_LEGEND: Final[list[Artist]] = [
    *(Patch(color=colour, label=name) for name, colour in COLOURS.items()),
    Line2D([], [], color="black", linewidth=1, label="alert, right"),
    Line2D([], [], color="grey", linewidth=1, linestyle=":", label="false alarm"),
]
BATCH_LEGEND: Final[list[Artist]] = [
    Patch(color=COLOURS["pending"], label="created, not sent"),
    Patch(color=COLOURS["processing"], label="sent, not completed"),
]
_BARS_MAX: Final = 400
_STYLE: Final[Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
}


def write_pictures(comparison: Comparison, folder: Path) -> list[Path]:
    """Write both pictures of a comparison; return their paths."""
    make_folder(folder)
    written = []
    for name, draw, legend in (
        ("status", _draw_status, STATUS_LEGEND),
        ("timelines", _draw_batches, BATCH_LEGEND),
    ):
        path = folder / f"{comparison.scenario.name}-{name}.png"
        write_whole(path, _picture(comparison, draw, legend))
        written.append(path)
    return written


def _picture(comparison: Comparison, draw: Draw, legend: list[Artist]) -> bytes:
    runs = comparison.runs
    columns = min(3, len(runs))
    rows = -(-len(runs) // columns)
    # The moment of the last change in any run, so that all panels compare by eye.
    end = max(_last_moment(run) for run in runs)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(4.2 * columns, 2.9 * rows + 0.6))
        panels = figure.subplots(
            rows, columns, sharex=True, sharey=True, squeeze=False
        ).ravel()
        for panel, run in zip(panels, runs, strict=False):
            draw(panel, run, end)
        for panel in panels[len(runs) :]:
            panel.set_visible(False)
        for panel in panels[max(0, len(runs) - columns) : len(runs)]:
            panel.set_xlabel("virtual time (s)")
            panel.xaxis.set_tick_params(labelbottom=True)
        for panel in panels[::columns]:
            panel.set_ylabel("batches of the derived wave")
        figure.legend(handles=legend, loc="outside upper center", ncols=len(legend))
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _last_moment(run: TimedRun) -> float:
    moments = [
        history.times[-1] for history in run.histories.values() if len(history.times)
    ]
    fired = [alert.fired_at for alert in run.alerts]
    # A run without any latency ends at tick 0; a picture of no width cannot be drawn.
    last = max([*moments, *fired], default=0) or TICKS_PER_SECOND
    return float(last) / TICKS_PER_SECOND * 1.02


def _draw_status(panel: Axes, run: TimedRun, end: float) -> None:
    """Stack the batches of the derived wave (the last one) by status over time."""
    number = max(run.histories)
    history = run.histories[number]
    times = np.concatenate([[0], history.times, [end * TICKS_PER_SECOND]])
    counts = np.zeros((len(times), len(BATCH_STATES)), dtype=np.int64)
    if len(history.times):
        counts[1:-1] = history.counts
        counts[-1] = history.counts[-1]
    panel.stackplot(
        times / TICKS_PER_SECOND,
        counts.T[::-1],
        colors=[COLOURS[str(status)] for status in reversed(BATCH_STATES)],
        step="post",
        linewidth=0,
    )
    for alert in run.alerts:
        panel.axvline(
            alert.fired_at / TICKS_PER_SECOND,
            color="black" if alert.is_right else "grey",
            linestyle="-" if alert.is_right else ":",
            linewidth=1,
        )
    pending = run.derived_by_status["pending"]
    panel.set_title(f"{run.coordinator_name}: {pending} pending at the end")
    panel.set_xlim(0, end)


def _draw_batches(panel: Axes, run: TimedRun, end: float) -> None:
    """Draw a bar per batch: waiting from creation, then sent, until completion."""
    number = max(run.histories)
    batches = [batch for batch in run.batches if batch.wave_number == number]
    shown = batches[:: max(1, -(-len(batches) // _BARS_MAX))]
    for row, batch in enumerate(shown, start=1):
        created = batch.created_at / TICKS_PER_SECOND
        sent = (
            end
            if batch.dispatched_at is None
            else batch.dispatched_at / TICKS_PER_SECOND
        )
        panel.broken_barh(
            [(created, sent - created)], (row - 0.4, 0.8), color=COLOURS["pending"]
        )
        if batch.dispatched_at is not None:
            done = (
                end
                if batch.completed_at is None
                else batch.completed_at / TICKS_PER_SECOND
            )
            panel.broken_barh(
                [(sent, done - sent)], (row - 0.4, 0.8), color=COLOURS["processing"]
            )
    sent_count = sum(batch.dispatched_at is not None for batch in batches)
    panel.set_title(f"{run.coordinator_name}: {sent_count} of {len(batches)} sent")
    panel.set_xlim(0, end)

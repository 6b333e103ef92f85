"""Pictures of a campaign: rates, distributions, a trade-off, a tornado.

Knows matplotlib and the summaries. Equal results give equal bytes.
"""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavecheck.reports.campaign.tables import measure_text
from wavecheck.scenarios.campaign.campaign import CampaignResult
from wavecheck.scenarios.campaign.columns import TIMED
from wavecheck.scenarios.campaign.sensitivity import Effect
from wavecheck.scenarios.campaign.statistics import Distribution
from wavecheck.scenarios.campaign.summary import PointSummary
from wavecheck.sim.files import make_folder, write_whole
from wavecheck.sim.kernel import TICKS_PER_SECOND

# Okabe and Ito's palette, in an order that also differs in brightness.
COLOURS: Final = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
)
MARKERS: Final = "osD^vPX"
_DASHES: Final = (("-", True), ("--", False), (":", True), ("-.", False))
"""Line style, and whether markers are filled."""

BOXES_MAX: Final = 24
_AIR: Final = 1.04
"""Beyond the largest value, so that no mark is cut by the edge of its panel."""

_STYLE: Final[Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "figure.constrained_layout.use": True,
}


def write_pictures(result: CampaignResult, folder: Path) -> list[Path]:
    """Draw what a campaign has to show; return the files.

    A picture without anything in it is left out: no rates where nothing was violated,
    no distributions without time, no trade-off with one coordinator.
    """
    make_folder(folder)
    name = result.plan.scenario.name
    written = []
    drawers: dict[str, Callable[[CampaignResult], Figure | None]] = {
        "rates": _rates,
        "distributions": _distributions,
        "trade-off": _trade_off,
    }
    for kind, draw in drawers.items():
        with mpl.rc_context(_STYLE):
            figure = draw(result)
            if figure is not None:
                path = folder / f"{name}-{kind}.png"
                write_whole(path, _png(figure))
                written.append(path)
    return written


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _look(result: CampaignResult, coordinator: str) -> tuple[str, str]:
    """Return the colour and the marker of a coordinator, the same in all pictures."""
    place = result.plan.coordinators.index(coordinator)
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def _short(coordinator: str) -> str:
    return coordinator.rpartition("/")[2]


# Rates --------------------------------------------------------------------------


def _rates(result: CampaignResult) -> Figure | None:
    """Draw each violated property's rate over the first parameter of the grid."""
    shown = [
        rate.property_name
        for rate in result.points[0].rates
        if any(point.rate(rate.property_name).hits for point in result.points)
    ]
    if not shown:
        return None
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.0 * rows + 0.5))
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for panel, name in zip(panels, shown, strict=False):
        _rate_panel(panel, result, name)
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
    for panel in panels[::columns]:
        panel.set_ylabel("rate of runs (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(4, len(labels))
    )
    return figure


def _rate_panel(panel: Axes, result: CampaignResult, name: str) -> None:
    parameter, ticks = _axis(result)
    lines = _lines(result.points, parameter)
    others: list[list[str]] = []  # what tells two lines of one coordinator apart
    for number, (label, points) in enumerate(lines.items()):
        colour, marker = _look(result, points[0].point.coordinator)
        cell = points[0].point.cell
        other = [value for name, value in cell.items() if name != parameter]
        if other not in others:
            others.append(other)
        dashes, is_filled = _DASHES[others.index(other) % len(_DASHES)]
        # A little apart, or equal rates would hide one another.
        shift = (number - (len(lines) - 1) / 2.0) * 0.5 / max(4, len(lines))
        cells = [point.point.cell.get(parameter, "") for point in points]
        places = [ticks.index(cell) for cell in cells]
        rates = [point.rate(name) for point in points]
        middle = np.array([rate.estimate for rate in rates]) * 100
        low = np.array([rate.interval.low for rate in rates]) * 100
        high = np.array([rate.interval.high for rate in rates]) * 100
        panel.errorbar(
            np.array(places) + shift,
            middle,
            yerr=np.abs([middle - low, high - middle]),
            color=colour,
            marker=marker,
            markersize=5,
            capsize=3,
            linewidth=1.2,
            linestyle=dashes,
            markerfacecolor=colour if is_filled else "white",
            label=label,
        )
    panel.set_title(name)
    panel.set_xticks(range(len(ticks)), ticks if parameter else [""])
    panel.set_xlabel(parameter)
    panel.set_ylim(-3, 103)


def _axis(result: CampaignResult) -> tuple[str, list[str]]:
    """Return the parameter along the axis, and its values."""
    for name, values in result.plan.grid.items():
        if len(values) > 1:
            return name, list(values)
    return "", [""]


def _lines(
    points: Sequence[PointSummary], parameter: str
) -> dict[str, list[PointSummary]]:
    """Return the points by what they have in common apart from one parameter."""
    lines: dict[str, list[PointSummary]] = {}
    for one in points:
        others = [
            f"{name}={value}"
            for name, value in one.point.cell.items()
            if name != parameter
        ]
        label = ", ".join([_short(one.point.coordinator), *others])
        lines.setdefault(label, []).append(one)
    return lines


# Distributions ------------------------------------------------------------------


def _distributions(result: CampaignResult) -> Figure | None:
    """Draw a box for each point, side by side, one panel for each measure."""
    points = result.points[:BOXES_MAX]
    measures = [
        name for name in TIMED if any(name in one.distributions for one in points)
    ]
    if not measures:
        return None
    figure = Figure(figsize=(3.0 * len(measures) + 1.6, 0.32 * len(points) + 1.7))
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False).ravel()
    for panel, name in zip(panels, measures, strict=True):
        _box_panel(panel, result, points, name)
    labels = [_short(one.point.label()) for one in points]
    panels[0].set_yticks(range(len(points)), labels)
    panels[0].set_ylim(len(points) - 0.5, -0.5)
    return figure


def _box_panel(
    panel: Axes, result: CampaignResult, points: Sequence[PointSummary], name: str
) -> None:
    scale = TICKS_PER_SECOND if name.endswith("_us") else 1
    for row, one in enumerate(points):
        found = one.distributions.get(name)
        colour, _ = _look(result, one.point.coordinator)
        if found is None or not np.isfinite(found.quantiles[2]):
            text = "never" if found is None else _infinite(found)
            panel.text(0.02, row, text, va="center", transform=_row(panel), size=8)
            continue
        low, first, median, third, high = (
            value / scale if np.isfinite(value) else np.nan for value in found.quantiles
        )
        panel.bxp(
            [{"whislo": low, "q1": first, "med": median, "q3": third, "whishi": high}],
            positions=[row],
            widths=0.6,
            orientation="horizontal",
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "alpha": 0.45, "edgecolor": colour},
            medianprops={"color": "black"},
            whiskerprops={"color": colour},
            capprops={"color": colour},
        )
    unit = " (s)" if name.endswith("_us") else ""
    panel.set_xlabel(TIMED[name] + unit)
    panel.set_xlim(0, panel.get_xlim()[1] * _AIR)


def _infinite(found: Distribution) -> str:
    return f"for ever in at least half of {found.count:,} runs"


def _row(panel: Axes) -> Any:
    """Return coordinates that are the panel's across and the data's down."""
    return panel.get_yaxis_transform()


# The trade-off ------------------------------------------------------------------

_TRADED: Final = ("held_ids_max", "makespan_us", "statements")
_START: Final = "first_derived_dispatch_us"


def _trade_off(result: CampaignResult) -> Figure | None:
    """Draw what an early start of the derived wave costs."""
    points = [one for one in result.points if _START in one.distributions]
    if len(dict.fromkeys(one.point.coordinator for one in points)) < 2:
        return None
    figure = Figure(figsize=(4.0 * len(_TRADED), 3.6))
    panels = figure.subplots(1, len(_TRADED), squeeze=False).ravel()
    for panel, name in zip(panels, _TRADED, strict=True):
        for one in points:
            _trade_point(panel, result, one, name)
        panel.set_xlabel("first derived dispatch (s)")
        unit = " (s)" if name.endswith("_us") else ""
        panel.set_ylabel(TIMED[name] + unit)
        panel.set_xlim(0, panel.get_xlim()[1] * _AIR)
        panel.set_ylim(0, panel.get_ylim()[1] * _AIR)
    handles, labels = panels[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    if result.plan.grid:
        figure.supxlabel(f"at each point: {', '.join(result.plan.grid)}", size=8)
    figure.legend(unique.values(), unique.keys(), loc="outside upper center", ncols=7)
    return figure


def _trade_point(
    panel: Axes, result: CampaignResult, one: PointSummary, name: str
) -> None:
    colour, marker = _look(result, one.point.coordinator)
    across, up = one.distributions[_START], one.distributions[name]
    scale = TICKS_PER_SECOND if name.endswith("_us") else 1
    x = np.array(across.quantiles) / TICKS_PER_SECOND
    y = np.array(up.quantiles) / scale
    panel.errorbar(
        x[2],
        y[2],
        xerr=[[x[2] - x[0]], [x[4] - x[2]]],
        yerr=[[y[2] - y[0]], [y[4] - y[2]]],
        color=colour,
        marker=marker,
        markersize=6,
        linewidth=0.8,
        alpha=0.8,
        label=_short(one.point.coordinator),
    )
    panel.annotate(
        ", ".join(one.point.cell.values()),
        (x[2], y[2]),
        xytext=(4, 4),
        textcoords="offset points",
        size=7,
        color="0.35",
    )


# The tornado --------------------------------------------------------------------


def write_tornado(
    effects: Sequence[Effect], measure: str, path: Path, *, title: str
) -> None:
    """Draw which parameter moves a measure most, largest on top."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.0, 0.5 * len(effects) + 1.6))
        panel = figure.subplots()
        ranked = sorted(effects, key=lambda one: one.strength)
        scale = TICKS_PER_SECOND if measure.endswith("_us") else 1
        for row, one in enumerate(ranked):
            colour = COLOURS[1] if one.mean > 0 else COLOURS[0]
            panel.barh(row, one.strength / scale, color=colour, alpha=0.7, height=0.6)
            ends = np.array([one.low(), one.high()])
            panel.errorbar(
                one.strength / scale,
                row,
                xerr=np.abs(ends - one.strength)[:, None] / scale,
                color="black",
                capsize=3,
                linewidth=1,
            )
        labels = [
            f"{one.parameter}\n{_direction(one)} it by"
            f" {measure_text(measure, one.strength)}"
            for one in ranked
        ]
        panel.set_yticks(range(len(ranked)), labels)
        panel.set_xlim(0, max(one.high() for one in ranked) / scale * _AIR or 1.0)
        unit = " (s)" if measure.endswith("_us") else ""
        panel.set_xlabel(f"mean effect on {TIMED.get(measure, measure)}{unit}")
        panel.set_title(title)
        panel.grid(visible=False, axis="y")
        write_whole(path, _png(figure))


def _direction(effect: Effect) -> str:
    return "raises" if effect.mean > 0 else "lowers"

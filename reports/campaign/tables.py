"""A campaign's results on a terminal: rates, distributions, alerts, differences.

Knows rich and the summaries; computes nothing but the form.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.scenarios.campaign.campaign import CampaignResult
from wavecheck.scenarios.campaign.columns import TIMED
from wavecheck.scenarios.campaign.statistics import Distribution, Interval
from wavecheck.scenarios.campaign.summary import Difference, PointSummary, Rate
from wavecheck.sim.kernel import TICKS_PER_SECOND
from wavecheck.sim.search.biased_walk import SHARE

ROWS_MAX: Final = 8
"""More points than this are shown on demand; those that violate most come first."""

_SHORT: Final = {
    "first_derived_dispatch_us": "first derived dispatch",
    "makespan_us": "makespan",
    "longest_pending_us": "longest pending",
    "statements": "statements",
    "held_ids_max": "ids held",
}


def campaign_answer(result: CampaignResult) -> str:
    """Return in one sentence what is violated, in how many points, and where most."""
    points, name = result.points, result.plan.scenario.name
    parts = []
    for judged in [rate.property_name for rate in points[0].rates]:
        rates = [one.rate(judged) for one in points]
        count = sum(rate.hits > 0 for rate in rates)
        if count:
            worst = max(range(len(points)), key=lambda index: rates[index].estimate)
            share = percent(rates[worst].estimate)
            where = f", most in {_where(points[worst])}" * (len(points) > 1)
            parts.append(f"{judged} in {count} ({share} of runs{where})")
    if not parts:
        return f"{name}: no property was violated in any run"
    return f"{name}: of {len(points)} points, {'; '.join(parts)}"


def _where(summary: PointSummary) -> str:
    cell = [f"{name}={value}" for name, value in summary.point.cell.items()]
    return " ".join([summary.point.coordinator.rpartition("/")[2], *cell])


def campaign_report(
    result: CampaignResult, *, is_verbose: bool = False
) -> RenderableType:
    """Return the answer, and the points that violate most; all if it is verbose."""
    plan = result.plan
    points = result.points if is_verbose else _worst(result.points)
    parts: list[RenderableType] = [
        Text(campaign_answer(result), style="bold"),
        Text(_effort(result)),
        _rates(result, points),
        *(Text(line) for line in _notes(result, len(points))),
    ]
    if not is_verbose:
        parts.append(Text("--verbose: every point, times, alerts and differences"))
        return Group(*parts)
    if plan.scenario.is_timed:
        parts += [_distributions(points), _alerts(points)]
    if result.differences:
        parts.append(_differences(result))
    return Group(*parts)


def _worst(points: Sequence[PointSummary]) -> Sequence[PointSummary]:
    """Return the points that violate anything most often, in their own order."""
    by_rate = sorted(
        range(len(points)),
        key=lambda index: -max(rate.estimate for rate in points[index].rates),
    )
    return [points[index] for index in sorted(by_rate[:ROWS_MAX])]


def percent(share: float) -> str:
    """Return a share in percent, with the digits that it deserves."""
    if share in (0.0, 1.0):
        return f"{share * 100:.0f} %"
    if 0.01 <= share <= 0.99:
        return f"{share * 100:.1f} %"
    return f"{share * 100:.2g} %" if share < 0.01 else f"{share * 100:.2f} %"


def rate_text(rate: Rate) -> str:
    """Return a rate with its interval below it."""
    return f"{percent(rate.estimate)}\n{interval_text(rate.interval)}"


def interval_text(interval: Interval) -> str:
    """Return the ends of an interval of a rate."""
    low, high = percent(interval.low), percent(interval.high)
    if interval.low <= 0.0:
        return f"up to {high}"
    return f"{low.removesuffix(' %')} to {high}"


def measure_text(name: str, value: float) -> str:
    """Return a measure's value with its unit."""
    if value == float("inf"):
        return "for ever"
    if name.endswith("_us"):
        return _seconds_text(value / TICKS_PER_SECOND)
    return f"{value:.4g}" if abs(value) < 9_999.5 else f"{value:,.0f}"


def _seconds_text(seconds: float) -> str:
    """Return a time with three digits, or all before the point; never an exponent."""
    size = abs(seconds)
    if 0.0 < size < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds:,.0f} s" if size >= 999.5 else f"{seconds:.3g} s"


def _effort(result: CampaignResult) -> str:
    plan = result.plan
    rate = result.new_runs / max(result.seconds, 1e-9)
    text = (
        f"{result.runs:,} runs: {len(plan.points)} points, seeds from"
        f" {plan.first_seed}, at most {plan.seeds_count:,} each"
    )
    if result.new_runs:
        text += f"; {result.new_runs:,} made now, {rate:,.0f} a second"
    if result.engine != "this process":
        text += f" on {result.engine}"
    return text + ("; interrupted" if result.was_interrupted else "")


def _table(first: Sequence[str], others: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=True)
    for name in first:
        table.add_column(name.replace("_", " "), overflow="fold")
    for name in others:
        table.add_column(name.replace("_", " "), justify="right", overflow="fold")
    return table


def _names(points: Sequence[PointSummary]) -> list[str]:
    return ["coordinator", *points[0].point.cell]


def _point(summary: PointSummary) -> list[str]:
    return [summary.point.coordinator.rpartition("/")[2], *summary.point.cell.values()]


def _rates(result: CampaignResult, points: Sequence[PointSummary]) -> RenderableType:
    shown = [
        rate.property_name
        for rate in points[0].rates
        if any(point.rate(rate.property_name).hits for point in result.points)
    ]
    if not shown:
        return Text("")
    table = _table(_names(points), ["runs", *shown])
    for point in points:
        cells = [
            Text(rate_text(rate), style="bold red" if rate.hits else "")
            for rate in map(point.rate, shown)
        ]
        runs = f"{point.runs:,}" + ("*" if point.is_stopped else "")
        table.add_row(*_point(point), runs, *cells)
    return table


def _notes(result: CampaignResult, shown_count: int) -> Iterator[str]:
    plan, points = result.plan, result.points
    never = [
        rate
        for rate in points[0].rates
        if not any(point.rate(rate.property_name).hits for point in points)
    ]
    if never:
        most = max(
            point.rate(rate.property_name).interval.high
            for rate in never
            for point in points
        )
        names = ", ".join(
            rate.property_name
            if any(point.rate(rate.property_name).at_risk for point in points)
            else f"{rate.property_name} (never at risk)"
            for rate in never
        )
        yield (
            f"NOT FOUND in any run: {names}; rates up to {percent(most)} would be no"
            " surprise"
        )
    if len(points) > shown_count:
        yield f"{len(points) - shown_count:,} more points, none worse: --verbose"
    if plan.until_width is not None:
        yield (
            "low to high: a 95 % confidence sequence, which holds however often one"
            " looks and whenever one stops;"
            f" *: ended early, every interval at most {percent(plan.until_width)} wide"
        )
    elif plan.rare:
        yield (
            f"low to high: a 95 % interval by betting, for schedules of which"
            f" {SHARE:.0%} are drawn uniformly and the others towards the violation;"
            f" the rate is that of uniformly random schedules"
        )
    else:
        yield "low to high: the 95 % interval of the rate, for a fixed number of runs"


def _distributions(points: Sequence[PointSummary]) -> RenderableType:
    names = [
        name for name in _SHORT if any(name in point.distributions for point in points)
    ]
    table = _table(_names(points), [_SHORT[name] for name in names])
    for point in points:
        table.add_row(
            *_point(point),
            *(_spread(name, point.distributions.get(name)) for name in names),
        )
    return Group(table, Text("median, and below it 5 % to 95 % of the runs"))


def _spread(name: str, found: Distribution | None) -> str:
    if found is None:
        return "never"
    low, _, median, _, high = (measure_text(name, one) for one in found.quantiles)
    missing = f"\n{found.missing:,} without" if found.missing else ""
    if low == high:
        return f"{median}\nalways{missing}"
    return f"{median}\n{low.removesuffix(' s')} to {high}{missing}"


def _alerts(points: Sequence[PointSummary]) -> RenderableType:
    names = [one.name for one in points[0].alerts]
    table = _table(_names(points), ["stranded", *names])
    for point in points:
        cells = []
        for alert in point.alerts:
            text = ""
            if alert.stranded_runs:
                text = f"{alert.detected:,} of {alert.stranded_runs:,} found"
                if alert.delay is not None:
                    delay = measure_text("delay_us", alert.delay.quantiles[2])
                    text += f" after {delay}"
                text += "\n"
            low_high = interval_text(alert.false_rate)
            share = percent(alert.false_runs / max(1, alert.runs))
            cells.append(f"{text}false in {share}\n{low_high}")
        table.add_row(*_point(point), f"{point.alerts[0].stranded_runs:,}", *cells)
    return Group(
        table,
        Text(
            "found after: median time from the creation of the first stranded batch to"
            " the alert; false: no batch of the wave is stranded, or none was yet"
        ),
    )


def _differences(result: CampaignResult) -> RenderableType:
    found = result.differences
    measures = [name for name in _SHORT if any(one.measure == name for one in found)]
    cells = list(result.plan.grid)
    table = _table(["coordinator", *cells], [_SHORT[name] for name in measures])
    rows: dict[int, dict[str, Difference]] = {}
    for one in found:
        rows.setdefault(one.cell.index, {})[one.measure] = one
    for row in rows.values():
        point = next(iter(row.values())).cell
        table.add_row(
            point.coordinator.rpartition("/")[2],
            *point.cell.values(),
            *(_gap(row.get(name)) for name in measures),
        )
    return Group(
        table,
        Text(
            f"mean difference to {found[0].base} on the same seeds, with its 95 %"
            " bootstrap interval; seeds without a value in both are left out"
        ),
    )


def _gap(one: Difference | None) -> str:
    if one is None:
        return ""
    texts = [
        measure_text(one.measure, value)
        for value in (one.mean, one.interval.low, one.interval.high)
    ]
    sign = "+" if one.mean > 0 else ""
    low, high = texts[1].removesuffix(" s"), texts[2]
    return f"{sign}{texts[0]}\n{low} to {high}"


def meaning(name: str) -> str:
    """Return what a measure is called in words."""
    return TIMED.get(name, name)

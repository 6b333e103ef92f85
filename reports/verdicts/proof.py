"""What a proof, or a sweep over sizes, says: sentences, a table, and data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.reports.data import header, verdict_data
from wavecheck.reports.verdicts.outcomes import OUTCOME_STYLE
from wavecheck.scenarios.verdicts.result import CheckResult, Explored
from wavecheck.sim.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from wavecheck.sim.exhaustive.paths import Odds

_SIZES_WIDTH: Final = len("waves_before=0,")
_VERDICT_WIDTH: Final = max(len(one.word) for one in Outcome)


def sweep_table(results: Sequence[CheckResult]) -> RenderableType:
    """Return one row per size: states, seconds, verdict per property."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("sizes", min_width=_SIZES_WIDTH)
    for name in ("states", "transitions", "levels", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for verdict in results[0].verdicts:
        # Words instead of underscores: a head may wrap, a verdict is never cut.
        table.add_column(
            verdict.property_name.replace("_", " "), min_width=_VERDICT_WIDTH
        )
    for result in results:
        assert result.explored is not None
        explored = result.explored.exploration
        table.add_row(
            sizes_of(result),
            f"{explored.states:,}",
            f"{explored.transitions:,}",
            str(explored.levels),
            f"{result.explored.seconds:.1f}",
            *(_short(verdict) for verdict in result.verdicts),
        )
    return table


def _short(verdict: Verdict) -> Text:
    text = verdict.outcome.word
    if verdict.violation is not None:
        text += f" in {verdict.violation.step}"
    return Text(text, style=OUTCOME_STYLE[verdict.outcome])


def sizes_of(result: CheckResult) -> str:
    """Write the sizes that a proof holds for."""
    sizes = result.subject.sizes()
    return ", ".join(f"{name}={size}" for name, size in sizes.items())


def proof_strength(result: CheckResult, seen: Explored, verdict: Verdict) -> str:
    """Say how strong a verdict of a proof is, in words."""
    name = verdict.property_name
    lasso = seen.lassos.get(name)
    if lasso is not None and name not in result.schedules:
        return (
            f"for ever, in a fair loop of {len(lasso.loop)} steps after"
            f" {len(lasso.stem)}: {lasso.message}"
        )
    if verdict.outcome is Outcome.VIOLATED:
        schedule = result.schedules[name]
        what = f"{schedule.message}; shortest: {len(schedule.steps)} steps"
        chance = seen.odds.get(name)
        return what if chance is None else f"{what}; odds {_odds(chance)}"
    if verdict.outcome is Outcome.NOT_TESTED:
        return f"never at risk in any of {seen.exploration.states:,} states"
    if verdict.outcome is Outcome.PROVED:
        return f"no state of {seen.exploration.states:,} violates it"
    if not seen.exploration.stopped_by:
        return "not decided: the graph of all states is too large to be asked"
    return (
        f"not violated within {seen.exploration.levels} steps of the start;"
        f" ended by {seen.exploration.stopped_by}"
    )


def _odds(chance: "Odds") -> str:
    if chance.exact is None:
        return f"{chance.value:.6g} (relative error below {chance.relative_error:.1g})"
    if chance.exact.denominator < 1_000_000:
        return f"{chance.exact} = {chance.value:.4g}"
    return f"{chance.value:.6g}, exactly known"


def proof_lines(seen: Explored) -> list[str]:
    """Say what was explored."""
    explored = seen.exploration
    rate = explored.states / seen.seconds if seen.seconds else 0.0
    lines = [
        f"{explored.states:,} states, {explored.transitions:,} transitions,"
        f" {explored.levels} levels in {seen.seconds:.2f} s ({rate:,.0f} states/s);"
        f" Python code was run {explored.python_calls:,} times;"
        f" {explored.peak_bytes / max(1, explored.states):.0f} bytes a state",
    ]
    if explored.accompanied:
        lines.append(
            f"{explored.accompanied:,} executions on the kernel went, step by step, as"
            " the proof says"
        )
    if seen.schedules_count is not None:
        lines.append(f"{seen.schedules_count:,} complete schedules")
    for name, one in seen.recoveries.items():
        if one.lost and one.point_of_no_return is not None:
            lines.append(
                f"{name}: {one.lost:,} of {one.states:,} states cannot end well"
                f" any more; the first is {len(one.point_of_no_return)} steps"
                " from the start"
            )
    always = [name for name, one in seen.recoveries.items() if not one.lost]
    if always:
        lines.append(
            f"from every state some continuation ends well for {', '.join(always)}"
        )
    if explored.left_out:
        lines.append(f"left out, because nothing looks at it: {_left_out(seen)}")
    lines.extend(
        f"explored in one order, because alike: {', '.join(group)}"
        for group in explored.merged
    )
    if explored.not_merged:
        lines.append(f"explored in full, because not alike: {explored.not_merged}")
    lines.extend(explored.kept)
    if explored.stopped_by:
        lines.append(f"ended by {explored.stopped_by}: nothing is proved")
    return lines


def _left_out(seen: Explored) -> str:
    return ", ".join(dict.fromkeys(map(str, seen.exploration.left_out)))


def proof_data(result: CheckResult, seen: Explored) -> dict[str, Any]:
    """Return a proof as data."""
    explored, subject = seen.exploration, result.subject
    return {
        **header("proof", subject.scenario.name, subject.settings),
        "coordinator": subject.coordinator,
        "faults": dict(subject.faults),
        "strategy": result.effort.strategy,
        "is_complete": explored.is_complete,
        "stopped_by": explored.stopped_by,
        "states": explored.states,
        "transitions": explored.transitions,
        "levels": explored.levels,
        "schedules": seen.schedules_count,
        "python_calls": explored.python_calls,
        "accompanied": explored.accompanied,
        "peak_bytes": explored.peak_bytes,
        "left_out": [str(one) for one in explored.left_out],
        "merged": [list(group) for group in explored.merged],
        "not_merged": explored.not_merged,
        "kept": list(explored.kept),
        "seconds": round(seen.seconds, 3),
        "verdicts": [
            verdict_data(verdict) | _evidence(result, seen, verdict.property_name)
            for verdict in result.verdicts
        ],
    }


def _evidence(result: CheckResult, seen: Explored, name: str) -> dict[str, Any]:
    schedule, chance = result.schedules.get(name), seen.odds.get(name)
    recovered = seen.recoveries.get(name)
    exact = None if chance is None or chance.exact is None else str(chance.exact)
    lasso, no_return = seen.lassos.get(name), seen.no_returns.get(name)
    return {
        "lasso": None
        if lasso is None
        else {
            "stem": [task for task, _ in lasso.stem],
            "loop": [task for task, _ in lasso.loop],
            "choices": list(lasso.choices),
        },
        "shortest": None if schedule is None else len(schedule.steps),
        "choices": None if schedule is None else list(schedule.choices),
        "odds": None if chance is None else chance.value,
        "odds_exact": exact,
        "is_recoverable": None if recovered is None else recovered.lost == 0,
        "states_beyond_return": None if recovered is None else recovered.lost,
        "no_return": None if no_return is None else no_return.step,
    }

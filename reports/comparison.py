"""Timed runs side by side: the answer, what differs, and what is the same for all.

Codes that did the same share a column, so that a reader sees kinds of behaviour and not
a list of names. Knows what the runs of pipelines and of other worlds tell; draws
nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import fmean
from textwrap import wrap
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.coordinator import BatchState
from wavecheck.reports.data import header, run_data
from wavecheck.reports.tables import claims_table, comparison_notes, run_report, seconds
from wavecheck.reports.verdicts.outcomes import OUTCOME_STYLE
from wavecheck.reports.world_runs import world_run_data, world_run_report
from wavecheck.scenarios.comparison import Comparison, WorldComparison
from wavecheck.scenarios.incident.claims import Claim, ClaimAnswer
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.worlds.timed import WorldRun
from wavecheck.sim.verdict import Outcome

Run = TimedRun | WorldRun
Facts = dict[str, str]
"""What one run tells, by what it is called."""

_ONE_RUN_EACH: Final = (
    "NOT FOUND proves nothing in one run each; wavecheck check searches other orders."
)
_GAP: Final = 2
_HEADER_WIDTH: Final = 16
_STYLES: Final = {outcome.word: style for outcome, style in OUTCOME_STYLE.items()}


def comparison_answer(comparison: Comparison | WorldComparison) -> str:
    """Return in one sentence who violated what, and how the first of it was told."""
    runs = _named(comparison.runs)
    by_who: dict[tuple[str, ...], list[str]] = {}
    messages: dict[str, str] = {}
    for property_name in (one.property_name for one in comparison.runs[0].verdicts):
        found = {
            name: violation.message
            for name, run in runs.items()
            if (violation := run.verdict(property_name).violation) is not None
        }
        if found:
            by_who.setdefault(tuple(found), []).append(property_name)
            messages[property_name] = next(iter(found.values()))
    parts = []
    for who, names in sorted(by_who.items(), key=lambda one: len(one[0])):
        violated = ", ".join(names)
        if len(who) == len(runs):
            all_of = who[0] if len(who) == 1 else f"all {len(who)}"
            parts.append(f"{all_of} violate{'s'[len(who) - 1 :]} {violated}")
        else:
            parts.append(
                f"{len(who)} of {len(runs)} violate{'s'[len(who) - 1 :]} {violated}"
                f" ({messages[names[0]]}): {', '.join(who)}"
            )
    told = "; ".join(parts) or "nothing was violated in these runs"
    return f"{comparison.scenario.name}: {told}"


def _named(runs: Sequence[Run]) -> dict[str, Run]:
    """Return runs by names that fit a column: the class of code given by path.

    Where two classes have one name, as an old and a new version do, by the whole path.
    """
    short = {run.coordinator_name.rpartition(":")[2]: run for run in runs}
    whole = {run.coordinator_name: run for run in runs}
    return short if len(short) == len(whole) else whole


def comparison_report(
    comparison: Comparison | WorldComparison, width: int, *, is_verbose: bool = False
) -> RenderableType:
    """Return the answer, what differs, and what is the same for all.

    Args:
        comparison: of any world.
        width: of the terminal, in characters.
        is_verbose: add every run, and the claims one by one.
    """
    facts = {name: _facts(run) for name, run in _named(comparison.runs).items()}
    claims = comparison.claims if isinstance(comparison, Comparison) else ()
    lines = [_ONE_RUN_EACH, *_same_for_all(facts), *_counted(claims)]
    lines += comparison_notes(comparison.scenario, comparison.settings)
    parts: list[RenderableType] = [Text(comparison_answer(comparison), style="bold")]
    parts += _tables(facts, width)
    parts += [Text(line) for line in lines]
    if is_verbose:
        parts += [
            run_report(run) if isinstance(run, TimedRun) else world_run_report(run)
            for run in comparison.runs
        ]
        parts += [claims_table(claims)] if claims else []
    return Group(*parts)


def _facts(run: Run) -> Facts:
    told = _pipeline_facts(run) if isinstance(run, TimedRun) else _world_facts(run)
    return told | {one.property_name: one.outcome.word for one in run.verdicts}


def _pipeline_facts(run: TimedRun) -> Facts:
    calls, total = run.calls, sum(run.batches_by_status.values())
    facts = {"batches sent": f"{run.messages_count} of {total}"}
    facts |= {
        f"batches {name}": f"{n}"
        for name, n in run.batches_by_status.items()
        if name != BatchState.COMPLETED
    }
    facts |= {
        "job": run.job_status,
        "dispatch calls": f"{len(calls)}",
        "calls that dispatched": f"{sum(one.batches_dispatched > 0 for one in calls)}",
        "statements per call": (
            f"{fmean(one.statements for one in calls):.2f}" if calls else "-"
        ),
        "first derived batch": seconds(run.first_derived_dispatch),
        "makespan": seconds(run.makespan),
        "parent ids held": f"{run.held_ids_max}",
    }
    for alert in run.alerts:
        facts[f"alert {alert.name}"] = "right" if alert.is_right else "false alarm"
    return facts


def _world_facts(run: WorldRun) -> Facts:
    measures = run.measures()
    return {
        "makespan": seconds(run.makespan),
        "ended by": run.ended_by or "itself",
        "statements": f"{run.statements_count:,}",
        "waited in all": seconds(measures["waited_total_us"]),
        "waited at most": seconds(measures["waited_max_us"]),
        "tasks not ended": f"{measures['unfinished_tasks']}",
    }


def _names(facts: dict[str, Facts]) -> list[str]:
    """Return what any run tells, in order."""
    return list(dict.fromkeys(name for told in facts.values() for name in told))


def _differing(facts: dict[str, Facts]) -> list[str]:
    return [
        name
        for name in _names(facts)
        if len({told.get(name) for told in facts.values()}) > 1
    ]


def _tables(facts: dict[str, Facts], width: int) -> Iterator[Table]:
    """Yield what differs, as many columns side by side as fit."""
    names = _differing(facts) or _names(facts)
    columns: dict[tuple[str, ...], list[str]] = {}
    for who, told in facts.items():
        columns.setdefault(tuple(told.get(name, "-") for name in names), []).append(who)
    label = max(map(len, names), default=0) + _GAP
    left, shown = width - label, dict[tuple[str, ...], list[str]]()
    for cells, alike in columns.items():
        needed = max(map(len, (*cells, *_header(alike)))) + _GAP
        if shown and needed > left:
            yield _table(names, shown)
            left, shown = width - label, {}
        left -= needed
        shown[cells] = alike
    yield _table(names, shown)


def _table(names: Sequence[str], columns: dict[tuple[str, ...], list[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column("", no_wrap=True)
    for who in columns.values():
        table.add_column("\n".join(_header(who)), no_wrap=True, vertical="bottom")
    for row, name in enumerate(names):
        told = [cells[row] for cells in columns]
        table.add_row(name, *(Text(one, style=_STYLES.get(one, "")) for one in told))
    return table


def _header(who: Sequence[str]) -> list[str]:
    """Return the names of a column, a few lines of them; none is broken."""
    return wrap(", ".join(who), _HEADER_WIDTH, break_long_words=False)


def _same_for_all(facts: dict[str, Facts]) -> Iterator[str]:
    """Say what does not differ: measures in a line, then properties by verdict."""
    if len(facts) == 1:
        return
    differing = set(_differing(facts))
    if not differing:
        yield f"All {len(facts)} did the same."
        return
    first = next(iter(facts.values()))
    same = {name: word for name, word in first.items() if name not in differing}
    words: dict[str, list[str]] = {outcome.word: [] for outcome in Outcome}
    measures = []
    for name, said in same.items():
        if said in words:
            words[said].append(name)
        else:
            measures += [f"{name} {said}"] if said != "0" else []
    told = [", ".join(measures)] if measures else []
    told += [f"{word}: {', '.join(on)}" for word, on in words.items() if on]
    if told:
        yield f"The same for all: {'; '.join(told)}."


def _counted(claims: Sequence[Claim]) -> Iterator[str]:
    """Say how the claims of the published report fared."""
    if claims:
        counts = Counter(claim.answer for claim in claims)
        told = ", ".join(f"{counts[one]} {one.value}" for one in ClaimAnswer)
        yield f"Published claims: {told} (--verbose)."


def comparison_data(comparison: Comparison | WorldComparison) -> dict[str, Any]:
    """Return a comparison as data; the sentence comes first."""
    return {
        "answer": comparison_answer(comparison),
        **header("comparison", comparison.scenario.name, comparison.settings),
        "runs": [
            run_data(run) if isinstance(run, TimedRun) else world_run_data(run)
            for run in comparison.runs
        ],
    } | (
        {"claims": [_claim_data(claim) for claim in comparison.claims]}
        if isinstance(comparison, Comparison)
        else {}
    )


def _claim_data(claim: Claim) -> dict[str, str]:
    return {
        "claim": claim.text,
        "answer": claim.answer.value,
        "measured": claim.measured,
    }

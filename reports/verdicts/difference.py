"""What a change of code changes, in a sentence, as a table, as Markdown and as data."""

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.reports.explanation.text import escaped_markdown
from wavecheck.reports.explanation.wording import Wording
from wavecheck.reports.verdicts.answer import result_data, sizes, strength
from wavecheck.reports.verdicts.outcomes import OUTCOME_STYLE
from wavecheck.scenarios.difference import Change, CodeDifference, Reperformed
from wavecheck.sim.verdict import Verdict


def sentence(difference: CodeDifference, change: Change) -> str:
    """Say in one sentence what a code fixes, breaks and costs."""
    old, new = difference.first.subject.coordinator, change.result.subject.coordinator
    parts = []
    if change.fixed:
        sure = _sure(change)
        parts.append(f"fixes {', '.join(change.fixed)} of {old}{sure}")
    if change.both:
        parts.append(f"still violates {', '.join(change.both)}")
    if change.broken:
        parts.append(f"breaks {', '.join(change.broken)}")
    elif change.fixed or change.both:
        parts.append("breaks nothing")
    if not parts:
        parts.append(f"violates nothing, and neither does {old}")
    return f"{new} {', '.join(parts)}, and {_cost(change)}"


def _sure(change: Change) -> str:
    outcomes = {one.property_name: one.outcome.word for one in change.result.verdicts}
    words = {outcomes[name] for name in change.fixed}
    return f" ({', '.join(sorted(words))})"


def _cost(change: Change) -> str:
    """Say what it costs where nobody is in the way."""
    more = sum(change.statements.values())
    if not change.statements:
        return "costs no statement"
    amounts = set(change.statements.values())
    plural = "" if abs(more) == 1 else "s"
    who = ", ".join(change.statements)
    if len(amounts) == 1 and len(change.statements) > 1:
        (each,) = amounts
        word = "more" if each > 0 else "less"
        plural = "" if abs(each) == 1 else "s"
        return f"costs {abs(each)} statement{plural} {word} in each of {who}"
    if more < 0:
        return f"saves {-more} statement{plural} of a run without contention ({who})"
    return f"costs {more} statement{plural} more in a run without contention ({who})"


def _performed(difference: CodeDifference, change: Change, one: Reperformed) -> str:
    """Say how far a counterexample of the first code goes with another one."""
    new, old = change.result.subject.coordinator, difference.first.subject.coordinator
    head = f"{old}'s counterexample of {one.property_name} with {new}: "
    end = "still violated" if one.is_violated else "the property holds"
    if one.alike == one.steps_count:
        return f"{head}all {one.steps_count} steps are the same, and it is {end}"
    if one.instead is None:
        return f"{head}{one.alike} of {one.steps_count} steps are the same; {end}"
    wording = Wording([one.instead])
    step = f"{wording.brief(one.instead)}{wording.result(one.instead)}"
    return (
        f"{head}the first {one.alike} of {one.steps_count} steps are the same; then"
        f" {one.instead.task} does {step}; followed as far as it goes, {end}"
    )


def lines(difference: CodeDifference) -> list[str]:
    """Say what becomes of the first code's counterexamples, and why others fail."""
    told = []
    for change in difference.changes:
        told += [_performed(difference, change, one) for one in change.performed]
        for name, is_same in change.both.items():
            word = "the same kind of cause" if is_same else "another kind of cause"
            new = change.result.subject.coordinator
            told.append(f"{new} violates {name} as well: {word}")
    return told


_Cells = list[tuple[Verdict, str]]
"""Of one property: the verdict of each code, and its strength."""


def _rows(difference: CodeDifference) -> list[tuple[str, _Cells]]:
    results = [difference.first, *(one.result for one in difference.changes)]
    found: dict[str, list[tuple[Verdict, str]]] = {}
    for result in results:
        for verdict in result.verdicts:
            cells = found.setdefault(verdict.property_name, [])
            cells.append((verdict, strength(result, verdict)))
    return list(found.items())


def _names(difference: CodeDifference) -> list[str]:
    results = [difference.first, *(one.result for one in difference.changes)]
    return [one.subject.coordinator for one in results]


def difference_text(difference: CodeDifference) -> RenderableType:
    """Return the comparison for a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("property", style="bold", no_wrap=True)
    for name in _names(difference):
        table.add_column(name)
    for name, cells in _rows(difference):
        shown = [
            Text.assemble(
                (verdict.outcome.word, OUTCOME_STYLE[verdict.outcome]), f"  {strong}"
            )
            for verdict, strong in cells
        ]
        table.add_row(name, *shown)
    return Group(
        *(Text(sentence(difference, one), style="bold") for one in difference.changes),
        Text(sizes(difference.first)),
        table,
        *map(Text, lines(difference)),
    )


def difference_markdown(difference: CodeDifference) -> str:
    """Return the comparison for a pull request."""
    said = [
        f"**{escaped_markdown(sentence(difference, one))}**"
        for one in difference.changes
    ]
    names = [escaped_markdown(one) for one in _names(difference)]
    rows = [["property", *names], ["---"] * (len(names) + 1)]
    for name, cells in _rows(difference):
        told = [f"{one.outcome.word}: {escaped_markdown(text)}" for one, text in cells]
        rows.append([escaped_markdown(name), *told])
    table = [f"| {' | '.join(row)} |" for row in rows]
    items = [f"- {escaped_markdown(one)}" for one in lines(difference)]
    where = escaped_markdown(sizes(difference.first))
    return "\n".join([*said, "", where, "", *table, "", *items]).rstrip() + "\n"


def difference_data(difference: CodeDifference) -> dict[str, Any]:
    """Return the comparison as data; the sentences come first."""
    return {
        "answers": [sentence(difference, one) for one in difference.changes],
        "is_worse": difference.is_worse(),
        "first": result_data(difference.first),
        "changes": [
            {
                "fixed": list(one.fixed),
                "broken": list(one.broken),
                "both": [
                    {"property": name, "same_cause": is_same}
                    for name, is_same in one.both.items()
                ],
                "statements": dict(one.statements),
                "performed": [_performed(difference, one, p) for p in one.performed],
                "result": result_data(one.result),
            }
            for one in difference.changes
        ],
    }

"""Verdicts as Markdown that suits a comment on a pull request.

A line that says how it ended, a table of verdicts, each counterexample folded away. The
same search gives the same bytes: no times, no rates.
"""

from collections import Counter

from wavecheck.reports.explanation.text import escaped_markdown, explanation_markdown
from wavecheck.reports.export.judged import Judged, JudgedProperty, judged
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.verdict import Outcome


def summary(result: CheckResult) -> str:
    """Return verdicts as Markdown."""
    known = judged(result)
    lines = [f"## Wavecheck: {_headline(known)}", ""]
    subject = known.subject
    sizes = ", ".join(f"{name}={size}" for name, size in subject.sizes().items())
    where = f"`{_code(subject.coordinator)}` in `{subject.scenario.name}`"
    lines += [f"{where}, {known.strategy}{f', {sizes}' if sizes else ''}", ""]
    lines += ["| property | verdict | strength |", "| --- | --- | --- |"]
    for one in known.properties:
        lines.append(f"| `{one.name}` | {_verdict(one)} | {_cell(one.strength)} |")
    for one in known.properties:
        if one.evidence is not None:
            lines += ["", *_counterexample(one.name, one.evidence)]
    return "\n".join(lines) + "\n"


def _headline(known: Judged) -> str:
    broken = [
        one.name for one in known.properties if one.verdict.outcome is Outcome.VIOLATED
    ]
    if broken:
        return f"{len(broken)} of {len(known.properties)} properties violated"
    counts = Counter(one.verdict.outcome for one in known.properties)
    said = {
        Outcome.PROVED: "proved within these sizes",
        Outcome.NOT_FOUND: "without a violation found",
        Outcome.NOT_TESTED: "not tested",
    }
    parts = [f"{counts[one]} {word}" for one, word in said.items() if counts[one]]
    return f"{len(known.properties)} properties: {', '.join(parts)}"


def _verdict(one: JudgedProperty) -> str:
    word = one.verdict.outcome.word
    return f"**{word}**" if one.verdict.outcome is Outcome.VIOLATED else word


def _counterexample(name: str, evidence: Evidence) -> list[str]:
    told = explanation_markdown(evidence.explanation).rstrip("\n")
    steps = len(evidence.schedule.steps)
    return [
        "<details>",
        f"<summary><code>{name}</code>: what happens, in {steps} steps</summary>",
        "",
        told,
        "",
        "</details>",
    ]


def _cell(text: str) -> str:
    return escaped_markdown(text)


def _code(text: str) -> str:
    """Return a text that cannot end a code span."""
    return "".join(one for one in text if one.isprintable()).replace("`", "'")

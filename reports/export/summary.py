"""Verdicts as Markdown that suits a comment on a pull request.

A line that says how it ended, a table of verdicts, each counterexample folded away. The
same search gives the same bytes: no times, no rates.
"""

from wavecheck.reports.explanation.text import escaped_markdown, explanation_markdown
from wavecheck.reports.export.judged import Judged, JudgedProperty, judged
from wavecheck.scenarios.questions import explain
from wavecheck.scenarios.verdicts.checking import CheckResult
from wavecheck.scenarios.verdicts.proving import ProofResult
from wavecheck.sim.verdict import Outcome


def summary(result: CheckResult | ProofResult) -> str:
    """Return verdicts as Markdown."""
    known = judged(result)
    lines = [f"## Wavecheck: {_headline(known)}", ""]
    sizes = ", ".join(f"{name}={known.settings[name]}" for name in known.scenario.sizes)
    where = f"`{_code(known.coordinator)}` in `{known.scenario.name}`"
    lines += [f"{where}, {known.strategy}{f', {sizes}' if sizes else ''}", ""]
    lines += ["| property | verdict | strength |", "| --- | --- | --- |"]
    for one in known.properties:
        lines.append(f"| `{one.name}` | {_verdict(one)} | {_cell(one.strength)} |")
    for one in known.properties:
        if one.schedule is not None:
            lines += ["", *_counterexample(one)]
    return "\n".join(lines) + "\n"


def _headline(known: Judged) -> str:
    broken = [
        one.name for one in known.properties if one.verdict.outcome is Outcome.VIOLATED
    ]
    if broken:
        return f"{len(broken)} of {len(known.properties)} properties violated"
    if all(one.verdict.outcome is Outcome.EXHAUSTED for one in known.properties):
        return f"{len(known.properties)} properties proved within these sizes"
    return f"no violation found of {len(known.properties)} properties"


def _verdict(one: JudgedProperty) -> str:
    name = one.verdict.outcome.name.replace("_", " ")
    return f"**{name}**" if one.verdict.outcome is Outcome.VIOLATED else name


def _counterexample(one: JudgedProperty) -> list[str]:
    assert one.schedule is not None
    told = explanation_markdown(explain(one.schedule)).rstrip("\n")
    steps = len(one.schedule.steps)
    return [
        "<details>",
        f"<summary><code>{one.name}</code>: what happens, in {steps} steps</summary>",
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

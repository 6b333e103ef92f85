"""Results in a notebook: the page of the result in a sandboxed frame, and as text.

The display that results find under the entry point group `wavecheck.displays`. The
frame may run the page's own script and nothing else: it has no address, no cookies, no
network.
Where HTML is not shown there is the same table as on a terminal.
"""

from io import StringIO
from typing import Final

from markupsafe import Markup
from rich.console import Console, RenderableType

from wavecheck.reports.comparison import comparison_report
from wavecheck.reports.console import PIPED_WIDTH
from wavecheck.reports.explanation.text import explanation_text
from wavecheck.reports.html.report import Result, report
from wavecheck.reports.tables import run_report
from wavecheck.reports.verdicts.answer import verdict_table
from wavecheck.reports.verdicts.proof import sweep_table
from wavecheck.scenarios.comparison import Comparison, WorldComparison
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.questions import Sweep
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.errors import WavecheckError
from wavecheck.sim.search.explain import Explanation
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.verdict import Outcome, Verdict

_HEIGHT: Final = 760
_FRAME: Final = Markup(
    '<iframe sandbox="allow-scripts" title="{title}" srcdoc="{page}" width="100%"'
    ' height="{height}" loading="lazy" style="border: 0; resize: vertical"></iframe>'
)
_LINE: Final = Markup("<p><strong>{word}</strong> <code>{name}</code> {said}</p>")


def mimebundle(result: object) -> dict[str, str]:
    """Return a result as text and, where it has a page, as HTML."""
    if isinstance(result, Verdict):
        return _verdict(result)
    bundle = {"text/plain": _text(result)}
    if isinstance(result, Result):
        try:
            page = report(result).decode()
        except WavecheckError as error:
            bundle["text/plain"] += f"\nno page: {error}"
        else:
            title = f"Wavecheck: {type(result).__name__}"
            bundle["text/html"] = _FRAME.format(title=title, page=page, height=_HEIGHT)
    return bundle


def _verdict(verdict: Verdict) -> dict[str, str]:
    word = verdict.outcome.word
    violation = verdict.violation
    said = "" if violation is None else violation.message
    if verdict.outcome is Outcome.NOT_TESTED:
        said = "never at risk"
    text = f"{word} {verdict.property_name} {said}".rstrip()
    html = _LINE.format(word=word, name=verdict.property_name, said=said)
    return {"text/plain": text, "text/html": html}


def _text(result: object) -> str:
    buffer = StringIO()
    console = Console(
        file=buffer, width=PIPED_WIDTH, highlight=False, emoji=False, markup=False
    )
    console.print(_table(result))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def _table(result: object) -> RenderableType:
    match result:
        case CheckResult():
            return verdict_table(result)
        case Sweep():
            return sweep_table(result.proofs)
        case Comparison() | WorldComparison():
            return comparison_report(result, PIPED_WIDTH)
        case TimedRun():
            return run_report(result)
        case Explanation():
            return explanation_text(result)
        case Schedule():
            what = result.message or "nothing violated"
            return (
                f"{result.coordinator} in {result.scenario}, {len(result.steps)} steps,"
                f" {result.property_name or 'no property'}: {what}"
            )
        case _:
            return repr(result)

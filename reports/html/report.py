"""Results as one page: the verdict matrix, and under it the evidence of each verdict.

The front door of this folder: any results in, one page out. Knows which section shows
which result; counterexamples are run once more here, to be shown.
"""

from dataclasses import dataclass, field
from typing import Final

from reports.evidence import evidence_of
from reports.explanations import headline
from reports.html.matrix import MatrixRow, matrices, proof_row, search_row
from reports.html.page import Section, render_page
from reports.html.player import player_of
from reports.html.provenance import Provenance, of_proof, of_schedule, of_search
from scenarios.checking import CheckResult
from scenarios.proving import ProofResult
from scenarios.questions import Sweep
from sim.search.explain import Explanation
from sim.search.schedule import Schedule

Result = CheckResult | ProofResult | Sweep | Schedule | Explanation
"""What a page can show."""

OPEN_MAX: Final = 1
"""Counterexamples that are open from the start; a reader opens the others."""


def report(*results: Result, title: str = "") -> bytes:
    """Return a page that shows some results.

    Args:
        results: in the order of the page.
        title: the heading; empty: made from the results.

    Raises:
        ReplayMismatch: a schedule does not replay any more.
    """
    draft = _Draft()
    for result in results:
        if isinstance(result, CheckResult):
            _add_search(draft, result)
        elif isinstance(result, ProofResult):
            _add_proof(draft, result)
        elif isinstance(result, Sweep):
            for proof in result.proofs:
                _add_proof(draft, proof)
        else:
            _add_counterexample(draft, result, with_provenance=True)
    return draft.page(title)


@dataclass(slots=True)
class _Draft:
    """A page in the making."""

    rows: list[MatrixRow] = field(default_factory=list)
    summaries: dict[str, str] = field(default_factory=dict)
    players: list[Section] = field(default_factory=list)
    ran: list[Section] = field(default_factory=list)
    headlines: list[str] = field(default_factory=list)

    def page(self, title: str) -> bytes:
        sections = [*self.players, *self.ran]
        if self.rows:
            matrix = Section(
                template="matrix.html",
                title="Verdicts",
                id="verdicts",
                it=matrices(self.rows, self.summaries),
            )
            sections.insert(0, matrix)
        heading = title or "; ".join(dict.fromkeys(self.headlines)) or "Nothing was run"
        return render_page(heading, "", sections)


def _add_counterexample(
    draft: _Draft, result: Schedule | Explanation, *, with_provenance: bool = False
) -> str:
    """Add a player; return the id of its section."""
    explanation = result if isinstance(result, Explanation) else None
    schedule = result.schedule if isinstance(result, Explanation) else result
    evidence = evidence_of(schedule, explanation)
    number = len(draft.players) + 1
    said = headline(evidence.explanation)
    section = Section(
        template="player.html",
        title="" if with_provenance else said,
        id=f"counterexample-{number}",
        it=player_of(evidence, f"c{number}"),
        is_open=number <= OPEN_MAX,
    )
    draft.players.append(section)
    if with_provenance:
        draft.headlines.append(said)
        _add_provenance(draft, of_schedule(schedule))
    return section.id


def _add_provenance(draft: _Draft, provenance: Provenance) -> None:
    number = len(draft.ran) + 1
    title = "What was run" if number == 1 else f"What was run ({number})"
    draft.ran.append(
        Section(template="ran.html", title=title, id=f"ran-{number}", it=provenance)
    )


def _add_search(draft: _Draft, result: CheckResult) -> None:
    evidence = {
        name: _add_counterexample(draft, schedule)
        for name, schedule in result.schedules.items()
    }
    row_id = f"r{len(draft.rows) + 1}"
    draft.rows.append(search_row(result, row_id, evidence))
    draft.summaries[result.scenario.name] = result.scenario.summary
    draft.headlines.append(f"{result.coordinator} in {result.scenario.name}: searched")
    _add_provenance(draft, of_search(result))


def _add_proof(draft: _Draft, result: ProofResult) -> None:
    subject = result.subject
    evidence = {
        name: _add_counterexample(draft, schedule)
        for name, schedule in result.schedules.items()
    }
    row_id = f"r{len(draft.rows) + 1}"
    draft.rows.append(proof_row(result, row_id, evidence))
    draft.summaries[subject.scenario.name] = subject.scenario.summary
    draft.headlines.append(
        f"{subject.coordinator} in {subject.scenario.name}: every state visited"
    )
    _add_provenance(draft, of_proof(result))

"""Results as one page: the verdict matrix, and under it the evidence of each verdict.

The front door of this folder: any results in, one page out. Knows which section shows
which result; counterexamples are run once more here, to be shown.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from wavecheck.reports.comparison import comparison_answer
from wavecheck.reports.explanation.playback import playback_of
from wavecheck.reports.explanation.small_graphs import STATES_MAX, small_graph
from wavecheck.reports.explanation.text import headline
from wavecheck.reports.html.distributions import distributions_of
from wavecheck.reports.html.explorer import explorer_of, too_large
from wavecheck.reports.html.matrix import (
    MatrixRow,
    matrices,
    result_row,
    timed_row,
)
from wavecheck.reports.html.page import Section, render_page
from wavecheck.reports.html.player import player_of, short
from wavecheck.reports.html.provenance import (
    Provenance,
    of_comparisons,
    of_result,
    of_run,
    of_schedule,
    of_world_runs,
)
from wavecheck.reports.html.timed import end_of, run_view, side_by_side, world_run_view
from wavecheck.reports.tables import comparison_notes
from wavecheck.reports.verdicts.answer import answer
from wavecheck.reports.verdicts.proof import sizes_of
from wavecheck.scenarios.comparison import Comparison, WorldComparison
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.incident.claims import Claim
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.questions import Sweep
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.exhaustive import Exploration
from wavecheck.sim.search.explain import Explanation
from wavecheck.sim.search.schedule import Schedule

Recorded = Schedule | Explanation | Evidence
Result = CheckResult | Sweep | Comparison | WorldComparison | TimedRun | Recorded
"""What a page can show."""

OPEN_MAX: Final = 1
"""Counterexamples that are open from the start; a reader opens the others."""


def report(*results: Result, title: str = "") -> bytes:
    """Return a page that shows some results.

    Args:
        results: in the order of the page, timed runs last. Comparisons that differ in
            their seed only are shown as one, with distributions.
        title: the heading; empty: made from the results.

    Raises:
        ReplayMismatch: a schedule does not replay any more.
    """
    draft = _Draft()
    for result in results:
        if isinstance(result, CheckResult):
            _add_result(draft, result)
        elif isinstance(result, Sweep):
            for proof in result.proofs:
                _add_result(draft, proof, walks=proof is result.proofs[0])
        elif isinstance(result, TimedRun):
            draft.headlines.append(f"{short(result.coordinator_name)}: a timed run")
            _add_runs(draft, [result], of_run(result), scenario=None)
        elif isinstance(result, WorldComparison):
            _add_world_runs(draft, result)
        elif isinstance(result, Recorded):
            _add_counterexample(draft, Evidence.of(result), with_provenance=True)
    for alike in _same_but_for_seed(results):
        _add_comparisons(draft, alike)
    return draft.page(title)


@dataclass(slots=True)
class _Draft:
    """A page in the making."""

    rows: list[MatrixRow] = field(default_factory=list)
    summaries: dict[str, str] = field(default_factory=dict)
    players: list[Section] = field(default_factory=list)
    explorers: list[Section] = field(default_factory=list)
    timed: list[Section] = field(default_factory=list)
    ran: list[Section] = field(default_factory=list)
    headlines: list[str] = field(default_factory=list)

    def page(self, title: str) -> bytes:
        sections = [*self.players, *self.explorers, *self.timed, *self.ran]
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
    draft: _Draft, evidence: Evidence, *, with_provenance: bool = False
) -> str:
    """Add a player; return the id of its section."""
    number = len(draft.players) + 1
    said = headline(evidence.explanation)
    section = Section(
        template="player.html",
        title="" if with_provenance else said,
        id=f"counterexample-{number}",
        it=player_of(playback_of(evidence), f"c{number}"),
        is_open=number <= OPEN_MAX,
    )
    draft.players.append(section)
    if with_provenance:
        draft.headlines.append(said)
        _add_provenance(draft, of_schedule(evidence.schedule))
    return section.id


def _add_provenance(draft: _Draft, provenance: Provenance) -> None:
    number = len(draft.ran) + 1
    title = "What was run" if number == 1 else f"What was run ({number})"
    draft.ran.append(
        Section(template="ran.html", title=title, id=f"ran-{number}", it=provenance)
    )


def _add_result(draft: _Draft, result: CheckResult, *, walks: bool = True) -> None:
    subject, explored = result.subject, result.explored
    evidence = {
        name: _add_counterexample(draft, result.evidence(name))
        for name in result.schedules
    }
    row_id = f"r{len(draft.rows) + 1}"
    draft.rows.append(result_row(result, row_id, evidence))
    draft.summaries[subject.scenario.name] = subject.scenario.summary
    draft.headlines.append(answer(result))
    if explored is not None and walks:
        _add_explorer(draft, result, explored.exploration)
    _add_provenance(draft, of_result(result))


def _add_explorer(draft: _Draft, result: CheckResult, explored: Exploration) -> None:
    """Add the walk through a proof's states, if there are few; else say so once."""
    number = len(draft.explorers) + 1
    graph = None
    if explored.is_complete and explored.states <= STATES_MAX:
        graph = small_graph(result.subject)
    if graph is None:
        shown = too_large(explored.states, f"x{number}")
    else:
        shown = explorer_of(graph, f"x{number}")
    draft.explorers.append(
        Section(
            template="explorer.html",
            title=f"Walk through the states: {sizes_of(result)}",
            id=f"explorer-{number}",
            it=shown,
            is_open=number == 1,
        )
    )


def _add_world_runs(draft: _Draft, comparison: WorldComparison) -> None:
    """Show timed runs of a world, each with its statements and tasks."""
    scenario = comparison.scenario
    draft.summaries[scenario.name] = scenario.summary
    for run in comparison.runs:
        row_id = f"r{len(draft.rows) + 1}"
        draft.rows.append(
            timed_row(run, row_id, scenario.properties(), scenario=scenario.name)
        )
        draft.timed.append(
            Section(
                template="world_run.html",
                title=f"{short(run.coordinator_name)}: the run in detail",
                id=row_id,
                it=world_run_view(run),
                is_open=len(comparison.runs) == 1,
            )
        )
    draft.headlines.append(comparison_answer(comparison))
    _add_provenance(draft, of_world_runs(comparison))


def _same_but_for_seed(results: Sequence[Result]) -> list[list[Comparison]]:
    groups: dict[str, list[Comparison]] = {}
    for result in results:
        if isinstance(result, Comparison):
            settings = asdict(result.settings)
            settings.pop("seed", None)
            names = [run.coordinator_name for run in result.runs]
            key = repr((result.scenario.name, settings, names))
            groups.setdefault(key, []).append(result)
    return list(groups.values())


def _add_comparisons(draft: _Draft, alike: Sequence[Comparison]) -> None:
    """Show the first of some comparisons that differ in their seed, and all seeds."""
    first = alike[0]
    runs = {
        name: [one.runs[index] for one in alike]
        for index, name in enumerate(run.coordinator_name for run in first.runs)
    }
    draft.headlines.append(comparison_answer(first))
    _add_runs(
        draft,
        first.runs,
        of_comparisons(alike),
        scenario=first.scenario,
        claims=first.claims,
        notes=comparison_notes(first.scenario, first.settings),
    )
    found = distributions_of(runs) if len(alike) > 1 else ()
    if found:
        section = Section(
            template="distributions.html",
            title=f"How {len(alike)} runs with different seeds vary",
            id=f"distributions-{len(draft.timed) + 1}",
            it=found,
        )
        draft.timed.append(section)


def _add_runs(
    draft: _Draft,
    runs: Sequence[TimedRun],
    provenance: Provenance,
    *,
    scenario: Scenario | None,
    claims: tuple[Claim, ...] = (),
    notes: tuple[str, ...] = (),
) -> None:
    end = end_of(runs)
    name = "a timed run" if scenario is None else scenario.name
    draft.summaries[name] = "" if scenario is None else scenario.summary
    details, named = [], []
    for run in runs:
        row_id = f"r{len(draft.rows) + 1}"
        properties = () if scenario is None else scenario.properties()
        draft.rows.append(timed_row(run, row_id, properties, scenario=name))
        named.append((row_id, run))
        details.append(
            Section(
                template="run.html",
                title=f"{short(run.coordinator_name)}: the run in detail",
                id=row_id,
                it=run_view(run, row_id, end),
                is_open=len(runs) == 1,
            )
        )
    if len(runs) > 1:
        draft.timed.append(
            Section(
                template="compared.html",
                title="Side by side",
                id=f"compared-{len(draft.timed) + 1}",
                it=side_by_side(named, end, claims, notes),
            )
        )
    draft.timed += details
    _add_provenance(draft, provenance)

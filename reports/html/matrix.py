"""The verdict matrix: coordinators and sizes by properties, for each scenario.

Turns results into rows of cells; a cell names a verdict, how strong it is, and where on
the page its evidence stands. Knows the result types; knows no markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wavecheck.reports.verdicts.answer import sizes, strength
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.scenarios.worlds.timed import WorldRun
from wavecheck.sim.property import Property, with_no_error
from wavecheck.sim.verdict import Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCell:
    """One verdict.

    Attributes:
        property_name: of which property.
        outcome: the verdict; decides the colour.
        brief: how strong it is, in a few words.
        strength: the same in a sentence.
        meaning: of the property.
        id: of its line of evidence.
        evidence: id of the section that shows more; empty if the line is all there is.
    """

    property_name: str
    outcome: Outcome
    brief: str
    strength: str
    meaning: str
    id: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """One coordinator in one scenario, under certain settings.

    Attributes:
        scenario: its name.
        coordinator: its name.
        sizes: what was set, in words; may be empty.
        cells: one for each property.
    """

    scenario: str
    coordinator: str
    sizes: str
    cells: tuple[VerdictCell, ...]

    def cell(self, property_name: str) -> VerdictCell | None:
        """Return the cell of a property, if it was judged."""
        return next(
            (one for one in self.cells if one.property_name == property_name), None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioMatrix:
    """The rows of one scenario under the properties that were judged in any of them."""

    scenario: str
    summary: str
    properties: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


def matrices(
    rows: Sequence[MatrixRow], summaries: dict[str, str]
) -> tuple[ScenarioMatrix, ...]:
    """Group rows by scenario, in order of their first appearance."""
    return tuple(
        ScenarioMatrix(
            scenario=name,
            summary=summaries[name],
            properties=tuple(
                dict.fromkeys(
                    cell.property_name
                    for row in rows
                    if row.scenario == name
                    for cell in row.cells
                )
            ),
            rows=tuple(row for row in rows if row.scenario == name),
        )
        for name in dict.fromkeys(row.scenario for row in rows)
    )


def result_row(result: CheckResult, row_id: str, evidence: dict[str, str]) -> MatrixRow:
    """Return the verdicts of a search or of a proof.

    Args:
        result: of either.
        row_id: begins the ids of its cells.
        evidence: id of the section that shows more, by property.
    """
    scenario = result.subject.scenario
    properties = scenario.properties()
    cells = [
        _cell(
            verdict,
            row_id,
            brief=_brief(result, verdict),
            strength=strength(result, verdict),
            meaning=_meaning(properties, verdict.property_name),
            evidence=evidence.get(verdict.property_name, ""),
        )
        for verdict in result.verdicts
    ]
    return MatrixRow(
        scenario=scenario.name,
        coordinator=result.subject.coordinator,
        sizes=sizes(result),
        cells=tuple(cells),
    )


def _brief(result: CheckResult, verdict: Verdict) -> str:
    schedule, explored = result.schedules.get(verdict.property_name), result.explored
    if schedule is not None:
        return f"in {len(schedule.steps)} steps"
    if explored is None:
        return f"{verdict.executions_count:,} executions"
    if verdict.property_name in explored.lassos:
        return "for ever"
    return f"{explored.exploration.states:,} states"


def timed_row(
    run: TimedRun | WorldRun,
    row_id: str,
    properties: Sequence[Property],
    *,
    scenario: str,
) -> MatrixRow:
    """Return the verdicts of one timed run, which proves nothing."""
    cells = []
    for verdict in run.verdicts:
        said = "it did not happen in this one run"
        if verdict.violation is not None:
            said = verdict.violation.message
        elif verdict.outcome is Outcome.NOT_TESTED:
            said = "this run could not have violated it"
        cells.append(
            _cell(
                verdict,
                row_id,
                brief="one run",
                strength=said,
                meaning=_meaning(properties, verdict.property_name),
                evidence=row_id,
            )
        )
    return MatrixRow(
        scenario=scenario,
        coordinator=run.coordinator_name,
        sizes="",
        cells=tuple(cells),
    )


def _cell(
    verdict: Verdict,
    row_id: str,
    *,
    brief: str,
    strength: str,
    meaning: str,
    evidence: str,
) -> VerdictCell:
    if verdict.outcome is Outcome.NOT_TESTED:
        brief = f"{brief}; never at risk"
    return VerdictCell(
        property_name=verdict.property_name,
        outcome=verdict.outcome,
        brief=brief,
        strength=strength,
        meaning=meaning,
        id=f"{row_id}-{verdict.property_name}",
        evidence=evidence,
    )


def _meaning(properties: Sequence[Property], name: str) -> str:
    return next(
        (one.meaning for one in with_no_error(properties) if one.name == name), ""
    )

"""The verdicts of a result, in the one form that CI formats need; knows no format."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wavecheck.reports.verdicts.answer import strength
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.property import with_no_error
from wavecheck.sim.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedProperty:
    """One property.

    Attributes:
        name: as on the command line.
        meaning: one sentence in the words of the domain.
        verdict: the answer.
        strength: how strong it is, in words.
        evidence: the counterexample, if there is one.
    """

    name: str
    meaning: str
    verdict: Verdict
    strength: str
    evidence: Evidence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was judged, and each verdict.

    Attributes:
        subject: what was asked about.
        settings: by name, as plain data.
        strategy: name.
        properties: in the order of reports.
    """

    subject: Subject
    settings: Mapping[str, Any]
    strategy: str
    properties: tuple[JudgedProperty, ...]


def judged(result: CheckResult) -> Judged:
    """Return the verdicts of a search or of a proof."""
    subject = result.subject
    known = with_no_error(subject.scenario.properties())
    meanings = {one.name: one.meaning for one in known}
    return Judged(
        subject=subject,
        settings=asdict(subject.settings),
        strategy=result.effort.strategy,
        properties=tuple(
            JudgedProperty(
                name=verdict.property_name,
                meaning=meanings[verdict.property_name],
                verdict=verdict,
                strength=strength(result, verdict),
                evidence=result.evidence(verdict.property_name)
                if verdict.property_name in result.schedules
                else None,
            )
            for verdict in result.verdicts
        ),
    )

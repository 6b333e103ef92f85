"""The verdicts of a search or of a proof, in the one form that CI formats need.

Knows both result types; knows no format.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wavecheck.reports.verdicts.proof import proof_strength
from wavecheck.reports.verdicts.search import strength
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.verdicts.checking import CheckResult
from wavecheck.scenarios.verdicts.proving import ProofResult
from wavecheck.scenarios.verdicts.strategies import EXHAUSTIVE
from wavecheck.sim.property import with_no_error
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedProperty:
    """One property.

    Attributes:
        name: as on the command line.
        meaning: one sentence in the words of the domain.
        verdict: the answer.
        strength: how strong it is, in words.
        schedule: the counterexample, if there is one.
    """

    name: str
    meaning: str
    verdict: Verdict
    strength: str
    schedule: Schedule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was judged, and each verdict.

    Attributes:
        scenario: where.
        coordinator: name, as the user gave it.
        settings: by name, as plain data.
        strategy: name.
        properties: in the order of reports.
    """

    scenario: Scenario
    coordinator: str
    settings: Mapping[str, Any]
    strategy: str
    properties: tuple[JudgedProperty, ...]


def judged(result: CheckResult | ProofResult) -> Judged:
    """Return the verdicts of a search or of a proof."""
    if isinstance(result, ProofResult):
        subject = result.subject
        scenario, settings = subject.scenario, subject.settings
        coordinator, strategy = subject.coordinator, EXHAUSTIVE
        words = [proof_strength(result, one) for one in result.verdicts]
    else:
        scenario, settings = result.scenario, result.settings
        coordinator, strategy = result.coordinator, result.strategy
        words = [strength(result, one) for one in result.verdicts]
    known = with_no_error(scenario.properties())
    meanings = {one.name: one.meaning for one in known}
    return Judged(
        scenario=scenario,
        coordinator=coordinator,
        settings=asdict(settings),
        strategy=strategy,
        properties=tuple(
            JudgedProperty(
                name=verdict.property_name,
                meaning=meanings[verdict.property_name],
                verdict=verdict,
                strength=text,
                schedule=result.schedules.get(verdict.property_name),
            )
            for verdict, text in zip(result.verdicts, words, strict=True)
        ),
    )

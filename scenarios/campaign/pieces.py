"""A piece of work on a subject, as any process can take it up: plain values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from wavecheck.scenarios.campaign.code_version import code_digest
from wavecheck.scenarios.campaign.runs import refuse_other_code
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPiece:
    """What any process needs to know of a subject.

    Attributes:
        scenario: its name.
        coordinator: the name by which any process can load it.
        settings: all of them, by name.
        faults: the fault plan.
        code: fingerprint of the code that must run it.
        properties: what is judged; empty: all that need no time.
        number: of the block or size, from 0.
        effort: of the block or size.
    """

    scenario: str
    coordinator: str
    settings: Mapping[str, Any]
    faults: Mapping[str, int]
    code: str
    properties: tuple[str, ...]
    number: int
    effort: Effort

    def subject(self) -> Subject:
        """Return the subject; a process with other code refuses it."""
        subject = Subject.of(
            self.scenario,
            self.coordinator,
            self.settings,
            dict(self.faults),
            self.properties,
        )
        refuse_other_code(subject.scenario, self.coordinator, self.code)
        return subject


def piece_of(subject: Subject, number: int, effort: Effort) -> SubjectPiece:
    """Return a piece of work on a subject."""
    return SubjectPiece(
        scenario=subject.scenario.name,
        coordinator=subject.coordinator,
        settings=asdict(subject.settings),
        faults=dict(subject.faults),
        code=code_digest(subject.scenario, subject.coordinator),
        properties=subject.properties,
        number=number,
        effort=effort,
    )

"""What is known about one property: violated, proved within bounds, or neither.

A verdict is never a bool, and it always says its strength.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from wavecheck.sim.faces import shown
from wavecheck.sim.property import Violation

CONFIDENCE: Final = 0.95


class Outcome(Enum):
    """The three answers."""

    VIOLATED = "violated"
    EXHAUSTED = "exhausted"
    BUDGET_SPENT = "budget spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one property.

    Attributes:
        property_name: which property.
        outcome: violated; proved within the bounds; or nothing found, nothing proved.
        executions_count: how many executions the answer rests on.
        drawn_count: how many of them had a schedule that was drawn at random.
        is_vacuous: nothing was found, but the property was never at risk either.
        violation: for VIOLATED, what was wrong and where.
    """

    property_name: str
    outcome: Outcome
    executions_count: int
    drawn_count: int
    is_vacuous: bool
    violation: Violation | None

    _repr_mimebundle_ = shown

    def odds_max(self) -> float | None:
        """Return the upper bound on the odds of a violation that is left, at 95 %.

        Meaningful for BUDGET_SPENT only: if a schedule drawn by the same strategy
        violated the property with higher odds than this, then as many executions would
        have shown it with 95 % probability. The exact form of the rule of three. None
        where nothing was drawn at random.
        """
        if self.outcome is not Outcome.BUDGET_SPENT or self.drawn_count == 0:
            return None
        return 1.0 - float((1.0 - CONFIDENCE) ** (1.0 / self.drawn_count))

    def to_record(self) -> dict[str, Any]:
        """Return the answer as one flat row, without the evidence."""
        return {
            "property": self.property_name,
            "outcome": self.outcome.value,
            "executions": self.executions_count,
            "odds_max": self.odds_max(),
            "is_vacuous": self.is_vacuous,
        }

"""What is known about one property, in four words, with the strength of the answer.

A verdict is never a bool. A property that nothing put at risk is NOT TESTED, whatever
was visited, so that a result which says nothing is never taken for a good one.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self

from wavecheck.sim.display import shown
from wavecheck.sim.property import Violation

CONFIDENCE: Final = 0.95


class Outcome(Enum):
    """The four answers.

    VIOLATED: a schedule shows it. PROVED: no reachable state violates it, within the
    sizes and bounds that are named. NOT_FOUND: nothing found, nothing proved.
    NOT_TESTED: nothing that ran could have violated it.
    """

    VIOLATED = "violated"
    PROVED = "proved"
    NOT_FOUND = "not found"
    NOT_TESTED = "not tested"

    @classmethod
    def of(cls, *, is_violated: bool, is_at_risk: bool, is_proved: bool) -> Self:
        """Return the answer for a property.

        Args:
            is_violated: some execution violated it.
            is_at_risk: some execution could have violated it.
            is_proved: the executions were all that exist.
        """
        if is_violated:
            return cls.VIOLATED
        if not is_at_risk:
            return cls.NOT_TESTED
        return cls.PROVED if is_proved else cls.NOT_FOUND

    @property
    def word(self) -> str:
        """The answer as people read it."""
        return self.value.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one property.

    Attributes:
        property_name: which property.
        outcome: one of the four answers.
        executions_count: how many executions the answer rests on.
        drawn_count: how many of them had a schedule that was drawn at random.
        violation: for VIOLATED, what was wrong and where.
    """

    property_name: str
    outcome: Outcome
    executions_count: int
    drawn_count: int
    violation: Violation | None

    _repr_mimebundle_ = shown

    def odds_max(self) -> float | None:
        """Return the upper bound on the odds of a violation that is left, at 95 %.

        Meaningful for NOT_FOUND only: if a schedule drawn by the same strategy
        violated the property with higher odds than this, then as many executions would
        have shown it with 95 % probability. The exact form of the rule of three. None
        where nothing was drawn at random.
        """
        if self.outcome is not Outcome.NOT_FOUND or self.drawn_count == 0:
            return None
        return 1.0 - float((1.0 - CONFIDENCE) ** (1.0 / self.drawn_count))

    def to_record(self) -> dict[str, Any]:
        """Return the answer as one flat row, without the evidence."""
        return {
            "property": self.property_name,
            "outcome": self.outcome.value,
            "executions": self.executions_count,
            "odds_max": self.odds_max(),
        }

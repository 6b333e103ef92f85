"""A schedule as it is told in every format: its steps, their words, what is marked.

Knows replay and explanation; knows no format.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wavecheck.reports.explanation.text import headline, lanes_of, marks_of
from wavecheck.reports.explanation.wording import Wording
from wavecheck.scenarios.evidence import Evidence
from wavecheck.sim.search.explain import Explanation
from wavecheck.sim.trace import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldSchedule:
    """One schedule, replayed.

    Attributes:
        title: what happened, in one line.
        steps: the trace.
        lanes: the tasks, in order of their first step.
        marks: what is special about a step, by number.
        wording: writes calls and values.
        explanation: why it fails; None: it violates nothing.
    """

    title: str
    steps: tuple[Step, ...]
    lanes: tuple[str, ...]
    marks: Mapping[int, str]
    wording: Wording
    explanation: Explanation | None

    def words(self, step: Step) -> str:
        """Write a step as a call with what it returned."""
        return f"{self.wording.call(step)}{self.wording.result(step)}"

    def changes(self, step: Step) -> str:
        """Write what a step changed; empty: nothing."""
        return self.wording.changes(step.changes)


def tell(evidence: Evidence) -> ToldSchedule:
    """Replay a schedule, and explain it if it violates a property.

    Raises:
        ReplayMismatch: it does not replay, or does not violate what it says.
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    schedule = evidence.schedule
    if schedule.property_name:
        explanation = evidence.explanation
        steps, title = explanation.steps, headline(explanation)
        marks: Mapping[int, str] = marks_of(explanation)
    else:
        explanation = None
        steps, marks = evidence.replayed.steps, {}
        title = f"{schedule.coordinator} in {schedule.scenario}: {len(steps)} steps"
    return ToldSchedule(
        title=title,
        steps=steps,
        lanes=tuple(lanes_of(steps)),
        marks=marks,
        wording=Wording(steps),
        explanation=explanation,
    )


def one_line(text: str) -> str:
    """Return a text without anything that could end a line or hide what follows."""
    return "".join(one if one.isprintable() else " " for one in text)

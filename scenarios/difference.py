"""What a change of code changes: the same question asked of several codes.

The first code is what the others are compared with. Each is proved where its sizes
allow, and searched otherwise. Knows subjects, answers and causes; shows nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.questions import ask
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import EXHAUSTIVE
from wavecheck.scenarios.verdicts.checking import beginning
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.display import shown
from wavecheck.sim.errors import InvalidScenario, OutOfTime
from wavecheck.sim.faults import FaultPlan
from wavecheck.sim.search.explain import Explanation
from wavecheck.sim.search.recorded import Entry, Script
from wavecheck.sim.search.schedule import Schedule, run_rule, steps_with_answers
from wavecheck.sim.trace import Step, plain
from wavecheck.sim.verdict import Outcome, Verdict

SECONDS: Final = 28.0
"""Of all codes together, if no budget is given."""

_PROVING: Final = 0.7
"""The share of a code's time that goes to its proof; a search has the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reperformed:
    """A counterexample of the first code, performed on another one.

    Attributes:
        property_name: what it violates there.
        steps_count: how many steps it has.
        alike: how many of them are the same with the other code.
        instead: what the other code does then; None: nothing more.
        is_violated: the property is violated there as well.
    """

    property_name: str
    steps_count: int
    alike: int
    instead: Step | None
    is_violated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One code compared with the first.

    Attributes:
        result: what was asked of it.
        fixed: properties that the first violates, and it does not.
        broken: properties that it violates, and the first does not.
        both: properties that both violate, and whether the main cause is of one kind.
        performed: the first code's counterexamples on it.
        statements: by task, how many more it performs where nobody is in the way.
    """

    result: CheckResult
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    both: Mapping[str, bool]
    performed: tuple[Reperformed, ...]
    statements: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDifference:
    """Several codes side by side.

    Attributes:
        first: what was asked of the code that the others are compared with.
        changes: the others, in the order in which they were named.
    """

    first: CheckResult
    changes: tuple[Change, ...]

    _repr_mimebundle_ = shown

    def is_worse(self) -> bool:
        """Return whether any code violates what the first does not."""
        return any(one.broken for one in self.changes)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each code and property."""
        results = [self.first, *(one.result for one in self.changes)]
        return [row for result in results for row in result.to_records()]


def diff(
    scenario: str | Scenario,
    *coordinators: str | type[Any],
    settings: Mapping[str, object] | None = None,
    faults: FaultPlan | None = None,
    properties: Sequence[str] = (),
    seconds: float = SECONDS,
) -> CodeDifference:
    """Compare codes: what each fixes, breaks and costs.

    Args:
        scenario: where, or its name; its small sizes are the defaults.
        coordinators: at least two; the others are compared with the first.
        settings: of the scenario, by name.
        faults: how many faults of each kind may strike in one execution.
        properties: which; all that need no time if empty.
        seconds: of all codes together.

    Raises:
        InvalidScenario: a name or value that does not exist or fit.
        CoordinatorError: a code does not load, or failed.
    """
    subjects = [
        Subject.of(scenario, one, settings, faults, properties) for one in coordinators
    ]
    return difference(subjects, seconds)


def difference(subjects: Sequence[Subject], seconds: float = SECONDS) -> CodeDifference:
    """Compare subjects that differ in their code; see `diff`."""
    if len(subjects) < 2:
        raise InvalidScenario(
            f"{len(subjects)} code to compare\n"
            "  expected  at least two\n"
            "next: wavecheck diff SCENARIO -c OLD -c NEW"
        )
    deadline = beginning(Effort(seconds=seconds))
    results = []
    for number, subject in enumerate(subjects):
        share = deadline.share(1 / (len(subjects) - number))
        results.append(_asked(subject, share))
    first = results[0]
    return CodeDifference(
        first=first,
        changes=tuple(_change(first, other) for other in results[1:]),
    )


def _asked(subject: Subject, deadline: Deadline) -> CheckResult:
    """Prove a subject if that is possible in time; search it otherwise."""
    from wavecheck.sim.exhaustive import CannotLearn  # slow to load

    try:
        effort = Effort(strategy=EXHAUSTIVE, seconds=deadline.seconds_left() * _PROVING)
        proof = ask(subject, effort)
        if proof.explored is not None and not proof.explored.exploration.stopped_by:
            return proof
    except (CannotLearn, OutOfTime):
        pass  # what a proof refuses, or does not end in time, can be searched
    return ask(subject, Effort(seconds=max(1.0, deadline.seconds_left() * 0.9)))


def _violated(result: CheckResult) -> dict[str, Verdict]:
    return {
        one.property_name: one
        for one in result.verdicts
        if one.outcome is Outcome.VIOLATED
    }


def _change(first: CheckResult, other: CheckResult) -> Change:
    was, now = _violated(first), _violated(other)
    return Change(
        result=other,
        fixed=tuple(name for name in was if name not in now),
        broken=tuple(name for name in now if name not in was),
        both={
            name: _cause(first, name) == _cause(other, name)
            for name in was
            if name in now
        },
        performed=tuple(
            _performed(other.subject, schedule) for schedule in first.schedules.values()
        ),
        statements=_statements(first.subject, other.subject),
    )


def _cause(result: CheckResult, name: str) -> object:
    """Return what the main cause of a violation is, for comparison."""
    told: Explanation = result.evidence(name).explanation
    return told.causes[0].kind if told.causes else None


def _performed(subject: Subject, schedule: Schedule) -> Reperformed:
    """Follow a counterexample with other code, as far as it goes."""
    entries = [
        Entry(*one)
        for one in steps_with_answers(Subject.of_schedule(schedule).world(), schedule)
        if schedule.steps
    ]
    here = replace(
        subject,
        settings=subject.scenario.settings(schedule.settings),
        faults=schedule.faults,
        properties=(),
    )
    world = here.world()
    script = Script(world.kernel, entries)
    ran = run_rule(world, script, script.note, stops_at=schedule.property_name)
    alike = 0
    for step, recorded in zip(ran.steps, schedule.steps, strict=False):
        same = (step.task, step.operation, plain(step.args), plain(step.result))
        if same != (recorded.task, recorded.operation, recorded.args, recorded.result):
            break
        alike += 1
    return Reperformed(
        property_name=schedule.property_name,
        steps_count=len(schedule.steps),
        alike=alike,
        instead=ran.steps[alike] if alike < len(ran.steps) else None,
        is_violated=schedule.property_name in ran.violations,
    )


def _statements(first: Subject, other: Subject) -> dict[str, int]:
    """Return how many statements more each task performs where nobody is in the way."""
    counts = []
    for subject in (first, other):
        world = subject.world()
        script = Script(world.kernel, ())  # each task goes on as long as it can
        run_rule(world, script, script.note)
        counts.append(
            Counter({one.name: one.statements_count for one in world.kernel.tasks})
        )
    names = sorted({*counts[0], *counts[1]})
    more = {name: counts[1][name] - counts[0][name] for name in names}
    return {name: count for name, count in more.items() if count}

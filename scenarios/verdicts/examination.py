"""Examining an exhibit: is each variant what its file says it is?

A variant is searched by the default strategies where it is expected to fail, and proved
where that ends in time; what is found is shrunk, and the engine says whether there is
anything shorter in the same sizes. Nothing here depends on how fast the machine is but
whether a proof ends within its limit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.exhibit import Exhibit
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import answer
from wavecheck.scenarios.verdicts.checking import beginning
from wavecheck.scenarios.verdicts.proving import prove
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.errors import Overdue
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.task import FirstInFirstOut
from wavecheck.sim.verdict import Outcome

EXECUTIONS: Final = 2_000
"""How many executions may look for a fault that is expected."""

PROVING: Final = 0.5
"""The share of a variant's time that its proof may take, if there is a deadline."""

SAMPLED_EXECUTIONS: Final = 100_000
"""How many executions stand in for a proof that does not end in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFault:
    """One property that a variant violates.

    Attributes:
        property_name: which.
        schedule: the counterexample, shrunk.
        strategy: which strategy showed it first.
        execution: in which execution; the first is 1.
        shortest: steps of a shortest counterexample in the sizes that it was shrunk
            to; None: not known.
    """

    property_name: str
    schedule: Schedule
    strategy: str
    execution: int
    shortest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is known about one variant of an exhibit.

    Attributes:
        exhibit: which.
        variant: its name.
        findings: what the search found, in the order of the properties.
        executions_count: of the search; 0: none was needed.
        states: visited by a complete proof; None: it did not end in time.
        refuted: the properties that the proof refutes.
        not_tested: the properties that nothing put at risk.
        statements: that one execution takes, first in, first out.
    """

    exhibit: Exhibit
    variant: str
    findings: tuple[FoundFault, ...]
    executions_count: int
    states: int | None
    refuted: tuple[str, ...]
    not_tested: tuple[str, ...]
    statements: int

    def expected(self) -> tuple[str, ...]:
        """Return the properties that the exhibit's file says are violated."""
        return self.exhibit.variants[self.variant].violates

    def strength(self) -> Outcome:
        """Return what the examination amounts to."""
        if self.findings:
            return Outcome.VIOLATED
        if self.not_tested:
            return Outcome.NOT_TESTED
        return Outcome.NOT_FOUND if self.states is None else Outcome.PROVED

    def is_as_expected(self) -> bool:
        """Return whether search and proof say what the exhibit's file says."""
        expected = set(self.expected())
        found = {one.property_name for one in self.findings}
        proved = self.states is None or set(self.refuted) == expected
        return found == expected and proved and not (self.not_tested and not expected)


def examine(
    exhibits: Sequence[Exhibit],
    effort: Effort,
    proof: Effort,
    deadline: Deadline = NO_DEADLINE,
) -> Iterator[Examination]:
    """Examine every variant of some exhibits, in order.

    Args:
        exhibits: which.
        effort: of each search for a fault that is expected.
        proof: of each proof.
        deadline: of everything, shared out evenly; what it leaves out is not yielded.
    """
    variants = [(one, name) for one in exhibits for name in one.variants]
    for number, (exhibit, variant) in enumerate(variants):
        if deadline.is_over():
            return
        until = deadline.share(1 / (len(variants) - number))
        try:
            with until.enforced():
                examined = _examine(exhibit, variant, effort, proof, until)
        except Overdue:
            return
        yield examined


def _examine(
    exhibit: Exhibit, variant: str, effort: Effort, proof: Effort, deadline: Deadline
) -> Examination:
    subject = Subject.of(exhibit.scenario, variant)
    proved = prove(subject, proof, deadline=_proving(proof, deadline))
    assert proved.explored is not None
    exploration = proved.explored.exploration
    states = exploration.states if exploration.is_complete else None
    is_fixed = not exhibit.variants[variant].violates
    result = None
    if not is_fixed or states is None or proved.has_violation():
        executions = SAMPLED_EXECUTIONS if is_fixed else effort.executions
        effort = replace(effort, executions=executions)
        result = answer(subject, effort, deadline=deadline)
    return Examination(
        exhibit=exhibit,
        variant=variant,
        findings=() if result is None else _findings(subject, result, proof, deadline),
        executions_count=_executions(result),
        states=states,
        refuted=_violated(proved),
        not_tested=proved.not_tested(),
        statements=_statements(subject),
    )


def _executions(result: CheckResult | None) -> int:
    if result is None or result.searched is None:
        return 0
    return result.searched.statistics.executions_count


def _violated(proved: CheckResult) -> tuple[str, ...]:
    return tuple(
        one.property_name for one in proved.verdicts if one.outcome is Outcome.VIOLATED
    )


def _findings(
    subject: Subject, result: CheckResult, proof: Effort, deadline: Deadline
) -> tuple[FoundFault, ...]:
    assert result.searched is not None
    first = result.searched.first_found
    names = [one.property_name for one in result.verdicts]
    return tuple(
        FoundFault(
            property_name=name,
            schedule=result.schedules[name],
            strategy=first[name].strategy_name,
            execution=first[name].execution,
            shortest=_shortest(subject, result.schedules[name], proof, deadline),
        )
        for name in names
        if name in result.schedules
    )


def _proving(proof: Effort, deadline: Deadline) -> Deadline:
    """Return when a proof ends: by its own budget, or by its share of all the time."""
    own = beginning(proof, is_proof=True)
    share = deadline.share(PROVING)
    return own if own.seconds_left() < share.seconds_left() else share


def _shortest(
    subject: Subject, schedule: Schedule, proof: Effort, deadline: Deadline
) -> int | None:
    """Return the length of a shortest counterexample in the sizes of a schedule."""
    shrunk = subject.recorded_in(schedule)
    proof = replace(proof, stops_at_first=True)
    found = prove(shrunk, proof, deadline=_proving(proof, deadline)).schedules
    shortest = found.get(schedule.property_name)
    return None if shortest is None else len(shortest.steps)


def _statements(subject: Subject) -> int:
    """Count the statements of the execution in which whoever waits longest is next."""
    world = subject.world()
    execute(world, FirstInFirstOut())
    return sum(task.statements_count for task in world.kernel.tasks)

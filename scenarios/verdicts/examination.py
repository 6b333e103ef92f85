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
from wavecheck.scenarios.verdicts.proving import prove
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.task import FirstInFirstOut
from wavecheck.sim.verdict import Outcome

EXECUTIONS: Final = 2_000
"""How many executions may look for a fault that is expected."""

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
    exhibits: Sequence[Exhibit], effort: Effort, proof: Effort
) -> Iterator[Examination]:
    """Examine every variant of some exhibits, in order.

    Args:
        exhibits: which.
        effort: of each search for a fault that is expected.
        proof: of each proof.
    """
    for exhibit in exhibits:
        for variant in exhibit.variants:
            yield _examine(exhibit, variant, effort, proof)


def _examine(
    exhibit: Exhibit, variant: str, effort: Effort, proof: Effort
) -> Examination:
    subject = Subject.of(exhibit.scenario, variant)
    proved = prove(subject, proof)
    assert proved.explored is not None
    exploration = proved.explored.exploration
    states = exploration.states if exploration.is_complete else None
    is_fixed = not exhibit.variants[variant].violates
    result = None
    if not is_fixed or states is None or proved.has_violation():
        executions = SAMPLED_EXECUTIONS if is_fixed else effort.executions
        result = answer(subject, replace(effort, executions=executions))
    return Examination(
        exhibit=exhibit,
        variant=variant,
        findings=() if result is None else _findings(subject, result, proof),
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
    subject: Subject, result: CheckResult, proof: Effort
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
            shortest=_shortest(subject, result.schedules[name], proof),
        )
        for name in names
        if name in result.schedules
    )


def _shortest(subject: Subject, schedule: Schedule, proof: Effort) -> int | None:
    """Return the length of a shortest counterexample in the sizes of a schedule."""
    shrunk = subject.recorded_in(schedule)
    found = prove(shrunk, replace(proof, stops_at_first=True)).schedules
    shortest = found.get(schedule.property_name)
    return None if shortest is None else len(shortest.steps)


def _statements(subject: Subject) -> int:
    """Count the statements of the execution in which whoever waits longest is next."""
    world = subject.world()
    execute(world, FirstInFirstOut())
    return sum(task.statements_count for task in world.kernel.tasks)

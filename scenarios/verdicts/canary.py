"""Can this budget find a fault at all? `canary(...)` plants some and looks.

First the coordinator itself is searched. Then each of the scenario's mutants of it gets
the same strategy, budget and seed, and is judged by the properties that the coordinator
itself keeps. A mutant that survives is a weakness of the budget, unless it is known or
proved to be harmless.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import (
    UNWATCHED,
    Watch,
    answer,
    approach_of,
    search_of,
)
from wavecheck.scenarios.verdicts.checking import beginning, session_of
from wavecheck.scenarios.verdicts.planting import Planted, faults_of
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.errors import (
    CoordinatorError,
    InvalidScenario,
    OutOfTime,
    Overdue,
)
from wavecheck.sim.mutant import Mutant, weakened
from wavecheck.sim.verdict import Outcome

_LOOKS: Final = 40
"""Executions in which is seen what the code performs."""


class Fate(Enum):
    """What became of a mutant."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    HARMLESS = "harmless"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantResult:
    """One mutant, and what became of it.

    Attributes:
        mutant: what was dropped.
        fate: caught; survived; survived and harmless; or its statement was never
            performed, so that nothing can be said.
        property_name: by which property it was caught; empty: it was not.
        reason: what was wrong, or why it is harmless.
        execution: number of the execution that caught it; 0: none did.
        executions_count: how many were run.
    """

    mutant: Mutant | Planted
    fate: Fate
    property_name: str
    reason: str
    execution: int
    executions_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryResult:
    """What a budget catches.

    Attributes:
        base: the coordinator itself.
        mutants: one result each, in the order of the scenario.
        was_interrupted: the user ended it; the mutants so far are here.
    """

    base: CheckResult
    mutants: tuple[MutantResult, ...]
    was_interrupted: bool

    def with_fate(self, fate: Fate) -> list[MutantResult]:
        """Return the mutants that met one fate."""
        return [one for one in self.mutants if one.fate is fate]

    def caught_share(self) -> float:
        """Return the share of the mutants that should be caught and were; 0 if none."""
        caught = len(self.with_fate(Fate.CAUGHT))
        return caught / max(1, caught + len(self.with_fate(Fate.SURVIVED)))

    def is_sensitive(self) -> bool:
        """Return whether the coordinator passes and every mutant that should is caught.

        False as well if the search was cut short or no mutant was reached at all.
        """
        return (
            not self.base.has_violation()
            and not self.was_interrupted
            and self.caught_share() == 1.0
        )


def canary(subject: Subject, effort: Effort, watch: Watch = UNWATCHED) -> CanaryResult:
    """Search a coordinator and its mutants, each with the same share of the budget.

    Args:
        subject: the coordinator, where and in which sizes.
        effort: strategy and seed for each of them; its executions are for each, its
            seconds for all together.
        watch: who is told how far it is.

    Raises:
        InvalidScenario: the scenario has no mutants, the strategy proves, or no
            property is left to judge.
        CoordinatorError: the coordinator does not load, or failed.
        NondeterminismError: two runs of one schedule differ.
    """
    if approach_of(effort).search is None:
        raise InvalidScenario("--canary searches: give it another --strategy")
    mutants = _mutants_of(subject, effort)
    whole, seconds = beginning(effort), effort.budget().seconds
    if seconds is not None:
        effort = replace(effort, seconds=seconds / (1 + len(mutants)))
    base = answer(subject, effort, watch)
    kept = [
        one.property_name
        for one in base.verdicts
        if one.outcome is not Outcome.VIOLATED
    ]
    if not kept:
        raise InvalidScenario(
            f"{subject.coordinator} violates every property that is judged, so no"
            " mutant of it could be told apart\nnext: wavecheck check without --canary"
        )
    results: list[MutantResult] = []
    was_interrupted = base.was_interrupted
    try:
        with suppress(Overdue), whole.enforced():
            for mutant in () if was_interrupted else mutants:
                judged = subject.judging(*kept)
                results.append(_search_mutant(judged, mutant, effort, watch))
    except KeyboardInterrupt:
        was_interrupted = True
    return CanaryResult(
        base=base, mutants=tuple(results), was_interrupted=was_interrupted
    )


def _mutants_of(subject: Subject, effort: Effort) -> tuple[Mutant | Planted, ...]:
    """Return what a scenario has; else faults in what its code performs.

    Raises:
        InvalidScenario: there is nothing that could be weakened.
    """
    if subject.scenario.mutants:
        return subject.scenario.mutants

    def run(watched: Subject) -> None:
        hunt = replace(effort, executions=_LOOKS, shrinks=False, database=None)
        world = watched.world()
        deadline = beginning(hunt)
        session = session_of(hunt, world, watched.judged(world), deadline)
        with suppress(OutOfTime), deadline.watching(world.kernel):
            search_of(watched, hunt).run(session)

    found = tuple(faults_of(subject, run))
    if not found:
        raise InvalidScenario(
            f"{subject.scenario.name!r} has nothing that could be weakened\n"
            "  expected  guarded updates, FOR UPDATE or unique indexes of w.table(...),"
            " performed by the code"
        )
    return found


def _search_mutant(
    subject: Subject, mutant: Mutant | Planted, effort: Effort, watch: Watch
) -> MutantResult:
    """Search one mutant until it is caught or the budget is spent."""
    if isinstance(mutant, Planted):
        planted = mutant.plant_in(subject)
    else:
        weaker = weakened(subject.coordinator_type, mutant)
        planted = replace(subject, coordinator_type=weaker)
    world = planted.world()
    hunt = replace(effort, stops_at_first=True, shrinks=False, database=None)
    deadline = beginning(hunt)
    session = session_of(hunt, world, planted.judged(world), deadline)
    session.progress = watch.searching
    search = search_of(planted, hunt)
    crash = ""
    try:
        with suppress(OutOfTime), deadline.watching(world.kernel):
            search.run(session)
    except CoordinatorError as error:
        # A dropped guard may also make the coordinator fail or run for ever.
        crash = str(error).splitlines()[0]
    first = next(iter(session.first_found.values()), None)
    reason, fate = mutant.excuse(subject.coordinator), Fate.SURVIVED
    if crash or first is not None:
        fate = Fate.CAUGHT
        reason = crash if first is None else first.violation.message
    elif not mutant.was_performed(world.kernel):
        reason, fate = "", Fate.NOT_REACHED
    elif search.proved():
        reason, fate = reason or "every schedule was run", Fate.HARMLESS
    elif reason:
        fate = Fate.HARMLESS
    return MutantResult(
        mutant=mutant,
        fate=fate,
        property_name="" if first is None else first.violation.property_name,
        reason=reason,
        execution=session.executions_count if fate is Fate.CAUGHT else 0,
        executions_count=session.executions_count,
    )

"""What came of asking about a subject: one type, searched, sampled or proved."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.display import shown
from wavecheck.sim.search.explain import NoReturn
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.search.session import Found, Statistics
from wavecheck.sim.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from wavecheck.sim.exhaustive import Exploration
    from wavecheck.sim.exhaustive.fairness import Lasso
    from wavecheck.sim.exhaustive.paths import Odds
    from wavecheck.sim.exhaustive.recovery import Recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What the executions of a search showed.

    Attributes:
        statistics: what was seen.
        first_found: for each violated property, which execution showed it first.
        best_found: for each violated property, the one with the fewest steps.
        samples: ordinary executions, for comparison between processes.
        never_performed: statements of the world that no execution performed.
        note: how executions were run, where that may differ; empty: on the kernel.
        limit: what ended it before its budget, in words; empty: nothing did.
    """

    statistics: Statistics
    first_found: Mapping[str, Found] = field(default_factory=dict)
    best_found: Mapping[str, Found] = field(default_factory=dict)
    samples: tuple[Schedule, ...] = ()
    never_performed: tuple[str, ...] = ()
    note: str = ""
    limit: str = ""

    def remarks(self) -> str:
        """Return its note, and its limit if there is one, in one line."""
        ended = f"ended by {self.limit}" if self.limit else ""
        return "; ".join(filter(None, (self.note, ended)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """What the states of a proof showed.

    Attributes:
        exploration: states, transitions, levels and what ended it.
        schedules_count: complete schedules, exactly; None: not counted, or a cycle.
        odds: that a uniformly random schedule violates each property, where known.
        recoveries: whether each property can always still be met, where known.
        lassos: fair executions that go on for ever while a property does not hold.
        no_returns: for each violated property, where its schedule passes the point of
            no return; known where the whole graph is.
        seconds: wall-clock time.
    """

    exploration: "Exploration"
    schedules_count: int | None
    odds: "Mapping[str, Odds]"
    recoveries: "Mapping[str, Recovery]"
    lassos: "Mapping[str, Lasso]"
    no_returns: Mapping[str, NoReturn]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The answer to a question: a verdict for each property, and its evidence.

    Attributes:
        subject: what was asked about, with the sizes that the answer holds for.
        effort: how hard it was tried.
        verdicts: one for each property that was judged.
        schedules: for each violated property, a small counterexample; of a proof, a
            shortest one.
        searched: what executions showed; None: none were run, it is a proof.
        explored: what states showed; None: it is a search.
        was_interrupted: the user ended it; what was found is here.
    """

    subject: Subject
    effort: Effort
    verdicts: tuple[Verdict, ...]
    schedules: Mapping[str, Schedule]
    searched: Searched | None = None
    explored: Explored | None = None
    was_interrupted: bool = False
    _evidence: dict[str, Evidence] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    _repr_mimebundle_ = shown

    def has_violation(self) -> bool:
        """Return whether any property was violated."""
        return any(one.outcome is Outcome.VIOLATED for one in self.verdicts)

    def not_tested(self) -> tuple[str, ...]:
        """Return the properties that nothing put at risk."""
        return tuple(
            one.property_name
            for one in self.verdicts
            if one.outcome is Outcome.NOT_TESTED
        )

    def evidence(
        self, property_name: str, deadline: Deadline = NO_DEADLINE
    ) -> Evidence:
        """Return what is known of a counterexample; it is explained once.

        Args:
            property_name: whose counterexample.
            deadline: by when it is explained; the first one that is given holds.

        Raises:
            KeyError: the property has none.
        """
        if property_name not in self._evidence:
            schedule = self.schedules[property_name]
            known = {} if self.explored is None else self.explored.no_returns
            made = self._evidence[property_name] = Evidence(
                self.subject.recorded_in(schedule),
                schedule,
                no_return=known.get(property_name),
                deadline=deadline,
            )
            if self.subject.server is not None:
                with closing(self.subject.server):
                    _ = made.replayed, made.explanation
        return self._evidence[property_name]

    def shortest(self) -> Evidence | None:
        """Return the counterexample with the fewest steps; None: there is none."""
        names = sorted(self.schedules, key=lambda one: len(self.schedules[one].steps))
        return self.evidence(names[0]) if names else None

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each property, with the sizes it was judged in.

        `steps` is of the counterexample; a column is None where the answer is not of
        its kind.
        """
        return [
            {
                "scenario": self.subject.scenario.name,
                "coordinator": self.subject.coordinator,
                **self.subject.sizes(),
                "strategy": self.effort.strategy,
                "seed": self.effort.seed,
                **verdict.to_record(),
                **self._row(verdict),
            }
            for verdict in self.verdicts
        ]

    def _row(self, verdict: Verdict) -> dict[str, Any]:
        name, violation = verdict.property_name, verdict.violation
        schedule = self.schedules.get(name)
        row: dict[str, Any] = {
            "message": None if violation is None else violation.message,
            "steps": None if schedule is None else len(schedule.steps),
        }
        if self.searched is not None:
            first = self.searched.first_found.get(name)
            row["found_in_execution"] = None if first is None else first.execution
            row["found_by"] = None if first is None else first.strategy_name
        if self.explored is not None:
            explored, odds = self.explored.exploration, self.explored.odds.get(name)
            row |= {
                "states": explored.states,
                "transitions": explored.transitions,
                "levels": explored.levels,
                "schedules": self.explored.schedules_count,
                "stopped_by": explored.stopped_by,
                "seconds": self.explored.seconds,
                "odds": None if odds is None else float(odds.value),
            }
        return row

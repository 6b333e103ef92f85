"""One call that searches: `check(...)`, and the world of a recorded schedule.

Knows scenarios, strategies and sessions; prints nothing. The wall clock is read here,
for the budget only: no result depends on it but how far the search got.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wavecheck.scenarios.loading import load_coordinator
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.sampling import SAMPLED, ArraySearch
from wavecheck.scenarios.verdicts.strategies import make_search, make_strategy
from wavecheck.sim.errors import unknown_name
from wavecheck.sim.faces import shown
from wavecheck.sim.faults import FaultPlan
from wavecheck.sim.property import Property, with_no_error
from wavecheck.sim.search.judgement import never_performed, searchable, verdicts_of
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.search.search import Search
from wavecheck.sim.search.session import Budget, Found, Session, Statistics
from wavecheck.sim.search.shrink import Shrinker
from wavecheck.sim.verdict import Outcome, Verdict
from wavecheck.sim.world import World

DEFAULT_SECONDS: Final = 10.0
_RESIZE_EXECUTIONS: Final = 400
_SAMPLES: Final = 8
_SAMPLE_STEPS_MAX: Final = 20_000
"""After so many recorded steps there are samples enough."""

SearchProgress = Callable[[Statistics, Mapping[str, Found]], None]
"""Called now and then with what was seen and what was found so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a search found.

    Attributes:
        scenario: where.
        settings: the validated settings.
        faults: the fault plan.
        coordinator: name, as the user gave it.
        strategy: name.
        seed: of the strategy.
        verdicts: one for each property that was judged.
        statistics: what was seen.
        schedules: for each violated property, the shrunk counterexample.
        first_found: for each violated property, which execution showed it first.
        best_found: for each violated property, the one with the fewest steps.
        samples: ordinary executions, for comparison between processes.
        never_performed: statements of the world that no execution performed.
        was_interrupted: the user ended the search; what was found is here.
        note: how executions were run, where that may differ; empty: on the kernel.
    """

    scenario: Scenario
    settings: Any
    faults: FaultPlan
    coordinator: str
    strategy: str
    seed: int
    verdicts: tuple[Verdict, ...]
    statistics: Statistics
    schedules: Mapping[str, Schedule]
    first_found: Mapping[str, Found]
    best_found: Mapping[str, Found]
    samples: tuple[Schedule, ...]
    never_performed: tuple[str, ...]
    was_interrupted: bool
    note: str = ""

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

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each property; `steps` is of the shrunk schedule."""
        return [
            {
                "scenario": self.scenario.name,
                "coordinator": self.coordinator,
                "strategy": self.strategy,
                "seed": self.seed,
                **verdict.to_record(),
                **self._evidence(verdict.property_name),
            }
            for verdict in self.verdicts
        ]

    def _evidence(self, name: str) -> dict[str, Any]:
        schedule, first = self.schedules.get(name), self.first_found.get(name)
        return {
            "message": None if schedule is None else schedule.message,
            "steps": None if schedule is None else len(schedule.steps),
            "found_in_execution": None if first is None else first.execution,
            "found_by": None if first is None else first.strategy_name,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard to search.

    Attributes:
        strategy: name of the strategy.
        seconds: budget; ten seconds if no budget is given.
        executions: budget.
        seed: of the strategy.
        stops_at_first: end with the first violation instead of searching for others.
        shrinks: make the counterexamples small.
        database: folder in which strategy `hypothesis` keeps failures between runs.
    """

    strategy: str = "portfolio"
    seconds: float | None = None
    executions: int | None = None
    seed: int = 0
    stops_at_first: bool = False
    shrinks: bool = True
    database: Path | None = None

    def budget(self) -> Budget:
        """Return when the search ends."""
        if self.seconds is None and self.executions is None:
            return Budget(seconds=DEFAULT_SECONDS)
        return Budget(seconds=self.seconds, executions=self.executions)

    def session(self, world: World, properties: Sequence[Property]) -> Session:
        """Return a session that has just begun."""
        return Session(
            world,
            properties,
            self.budget(),
            time.monotonic,
            stops_at_first=self.stops_at_first,
        )


def chosen_properties(world: World, names: Sequence[str]) -> list[Property]:
    """Return the properties with these names; all that need no time if none is named.

    Raises:
        InvalidScenario: no such property in this world.
    """
    declared = searchable(world.properties)
    known = {judged.name: judged for judged in with_no_error(declared)}
    for name in names:
        if name not in known:
            raise unknown_name("property", name, list(known))
    return [known[name] for name in names] if names else declared


def check(
    scenario: str | Scenario,
    coordinator: str | type[Any],
    *,
    strategy: str = "portfolio",
    seconds: float | None = None,
    executions: int | None = None,
    settings: Mapping[str, object] | None = None,
    faults: FaultPlan | None = None,
    properties: Sequence[str] = (),
    seed: int = 0,
    stops_at_first: bool = False,
    shrinks: bool = True,
    database: Path | None = None,
    progress: SearchProgress | None = None,
) -> CheckResult:
    """Search the schedules of a scenario for violations.

    Args:
        scenario: where, or its name; its small sizes are the defaults.
        coordinator: a class, NAME, package.module:Class or path/to/file.py:Class.
        strategy: name of the strategy.
        seconds: budget; ten seconds if no budget is given.
        executions: budget.
        settings: of the scenario, by name.
        faults: how many faults of each kind may strike in one execution.
        properties: which; all that need no time if empty.
        seed: of the strategy.
        stops_at_first: end with the first violation instead of searching for others.
        shrinks: make the counterexamples small.
        database: folder in which strategy `hypothesis` keeps failures between runs.
        progress: called now and then.

    Returns:
        The verdicts with their evidence. Ctrl-C ends the search, not the call.

    Raises:
        InvalidScenario: a name, value or budget that does not exist or fit.
        CoordinatorError: the coordinator does not load, or failed.
        NondeterminismError: two runs of one schedule differ.
    """
    subject = Subject.of(scenario, coordinator, settings, faults)
    effort = Effort(
        strategy=strategy,
        seconds=seconds,
        executions=executions,
        seed=seed,
        stops_at_first=stops_at_first,
        shrinks=shrinks,
        database=database,
    )
    return check_subject(subject, effort, properties, progress)


def check_subject(
    subject: Subject,
    effort: Effort,
    properties: Sequence[str] = (),
    progress: SearchProgress | None = None,
) -> CheckResult:
    """Search the schedules of a subject; as `check`, which makes one."""
    seed, strategy = effort.seed, effort.strategy
    world = subject.world()
    judged = chosen_properties(world, properties)
    search = _search_for(subject, effort, judged)
    session = effort.session(world, judged)
    session.progress = progress
    was_interrupted = False
    schedules: dict[str, Schedule] = {}
    try:
        search.run(session)
        statistics = session.statistics()
        for name, found in session.found.items():
            schedules[name] = smallest(subject, name, found, shrinks=effort.shrinks)
    except KeyboardInterrupt:
        was_interrupted = True
        statistics = session.statistics()
        for name, found in session.found.items():
            if name not in schedules:
                schedules[name] = smallest(subject, name, found, shrinks=False)
    return CheckResult(
        scenario=subject.scenario,
        settings=subject.settings,
        faults=subject.faults,
        coordinator=subject.coordinator,
        strategy=strategy,
        seed=seed,
        verdicts=verdicts_of(session, judged, is_proved=search.proved()),
        statistics=statistics,
        schedules=schedules,
        first_found=dict(session.first_found),
        best_found=dict(session.found),
        samples=_samples(subject, seed),
        never_performed=never_performed(world),
        was_interrupted=was_interrupted,
        note=search.note if isinstance(search, ArraySearch) else "",
    )


def _search_for(subject: Subject, effort: Effort, judged: Sequence[Property]) -> Search:
    """Return a fresh search: on arrays where its strategy can, else on the kernel."""
    strategy, seed = effort.strategy, effort.seed
    if strategy in SAMPLED and effort.database is None:
        return ArraySearch(strategy, seed, subject.world, judged)
    return make_search(
        strategy,
        seed,
        family=subject.family(),
        database=None if effort.database is None else effort.database / subject.label(),
        shrinks=effort.shrinks,
    )


def smallest(
    subject: Subject, property_name: str, found: Found, *, shrinks: bool
) -> Schedule:
    """Shrink the world while the property can still be violated, then the schedule."""
    subject = subject.resized(found.sizes)
    choices: Sequence[int] = found.choices
    if not shrinks:
        return subject.record(RecordedChoices(choices), property_name)
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for smaller in subject.smaller():
            hit = _search_small(smaller.world(), property_name)
            if hit is not None:
                subject, choices, is_smaller = smaller, hit, True
                break
    shrunk = Shrinker(subject.world(), property_name).shrink(choices)
    return subject.record(RecordedChoices(shrunk.choices), property_name)


def _samples(subject: Subject, seed: int) -> tuple[Schedule, ...]:
    walk = RandomWalk(seed)
    samples: list[Schedule] = []
    steps_count = 0
    while len(samples) < _SAMPLES and steps_count < _SAMPLE_STEPS_MAX:
        samples.append(subject.record(walk))
        steps_count += len(samples[-1].steps)
    return tuple(samples)


def _search_small(world: World, property_name: str) -> Sequence[int] | None:
    judged = chosen_properties(world, [property_name])
    budget = Budget(executions=_RESIZE_EXECUTIONS)
    session = Session(world, judged, budget, lambda: 0.0, stops_at_first=True)
    session.search(make_strategy("portfolio", 0))
    found = session.found.get(property_name)
    return None if found is None else found.choices


def subject_of(schedule: Schedule, scenario: Scenario) -> Subject:
    """Return what a schedule was recorded in.

    Raises:
        InvalidScenario: its settings do not fit the scenario.
        CoordinatorError: the coordinator does not load.
    """
    return Subject(
        scenario=scenario,
        coordinator=schedule.coordinator,
        coordinator_type=load_coordinator(scenario, schedule.coordinator),
        settings=scenario.settings(schedule.settings),
        faults=schedule.faults,
    )


def world_of(schedule: Schedule, scenario: Scenario) -> World:
    """Return the world that a schedule was recorded in.

    Raises:
        InvalidScenario: its settings, faults or property do not fit the scenario.
        CoordinatorError: the coordinator does not load.
    """
    world = subject_of(schedule, scenario).world()
    if schedule.property_name:
        chosen_properties(world, [schedule.property_name])
    return world

"""Proving a subject completely, and growing its sizes until a budget ends it.

Knows scenarios and the exhaustive engine; prints nothing. The wall clock is read here,
for the budget and the seconds in the result only.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.checking import chosen_properties
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive import CannotLearn, Exploration, Limits, Progress
from wavecheck.sim.exhaustive.explore import INTERRUPTED, Search
from wavecheck.sim.exhaustive.fairness import Lasso, fair_cycle
from wavecheck.sim.exhaustive.graph import Graph, graph_of
from wavecheck.sim.exhaustive.paths import Odds, count_schedules, odds
from wavecheck.sim.exhaustive.prove import conclude, in_full, searched
from wavecheck.sim.exhaustive.recovery import Recovery, first_lost, recovery
from wavecheck.sim.faces import shown
from wavecheck.sim.property import NO_ERROR, Violation
from wavecheck.sim.search.explain import Explanation, NoReturn, explain
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule, steps_with_answers
from wavecheck.sim.verdict import Outcome, Verdict

GRAPH_TRANSITIONS_MAX: Final = 20_000_000
"""Above this, the edges are not kept, so no schedules are counted and no odds given."""

GRAPH_BYTES_PER_TRANSITION: Final = 60
"""What an edge takes while the graph is made; above the memory limit there is none."""

EXPLAINED_STATES_MAX: Final = 20_000
"""In larger worlds the point of no return is looked for by trying continuations."""

EXPLAINED_TASKS_MAX: Final = 64
"""With more tasks a world is larger than that, and to learn it takes minutes."""

MEMORY_MAX: Final = 8 << 30
"""Bytes, unless the user says otherwise."""


_LOOPS: Final = "there are loops, and whether one is fair is asked of every single task"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofLimits:
    """What may end a proof before it is complete.

    Attributes:
        seconds: wall-clock limit; None: none.
        memory_bytes: of all arrays at once.
        at_first_violation: end with the first violated property.
        reduces: leave out state that is written and never looked at.
        checkpoint: folder, existing, in which each completed level is kept; what an
            earlier proof left there is taken up again. It leaves nothing out.
        threads: how many look up states at once.
    """

    seconds: float | None = None
    memory_bytes: int = MEMORY_MAX
    at_first_violation: bool = False
    reduces: bool = True
    checkpoint: Path | None = None
    threads: int = 1

    @property
    def leaves_out(self) -> bool:
        """Return whether state may be left out of what is explored."""
        return self.reduces and self.checkpoint is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofResult:
    """What an exhaustive exploration says of a subject.

    Attributes:
        subject: what was explored, with the sizes that the proof holds for.
        exploration: states, transitions, levels and what ended it.
        verdicts: one for each property that was judged.
        schedules: for each violated property, a shortest counterexample.
        schedules_count: complete schedules, exactly; None: not counted, or a cycle.
        odds: that a uniformly random schedule violates each property, where known.
        recoveries: whether each property can always still be met, where known.
        lassos: fair executions that go on for ever while a property does not hold.
        no_returns: for each violated property, where its schedule passes the point of
            no return; known where the whole graph is.
        seconds: wall-clock time.
    """

    subject: Subject
    exploration: Exploration
    verdicts: tuple[Verdict, ...]
    schedules: Mapping[str, Schedule]
    schedules_count: int | None
    odds: Mapping[str, Odds]
    recoveries: Mapping[str, Recovery]
    lassos: Mapping[str, Lasso]
    no_returns: Mapping[str, NoReturn]
    seconds: float

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
        """Return one flat row for each property, with the sizes it was judged in."""
        subject, explored = self.subject, self.exploration
        return [
            {
                "scenario": subject.scenario.name,
                "coordinator": subject.coordinator,
                **{
                    name: getattr(subject.settings, name)
                    for name in subject.scenario.sizes
                },
                "property": verdict.property_name,
                "outcome": verdict.outcome.value,
                "states": explored.states,
                "transitions": explored.transitions,
                "levels": explored.levels,
                "schedules": self.schedules_count,
                "stopped_by": explored.stopped_by,
                "seconds": self.seconds,
                **self._evidence(verdict),
            }
            for verdict in self.verdicts
        ]

    def _evidence(self, verdict: Verdict) -> dict[str, Any]:
        name, violation = verdict.property_name, verdict.violation
        odds, schedule = self.odds.get(name), self.schedules.get(name)
        return {
            "odds": None if odds is None else float(odds.value),
            "message": None if violation is None else violation.message,
            "steps": None if schedule is None else len(schedule.steps),
        }


ProofProgress = Callable[[Progress, float], None]
"""Called at the start of each level with how far it is, and the seconds so far."""

NO_LIMITS: Final = ProofLimits()


def prove(
    subject: Subject,
    properties: Sequence[str] = (),
    limits: ProofLimits = NO_LIMITS,
    progress: ProofProgress | None = None,
) -> ProofResult:
    """Visit every reachable state of a subject.

    Args:
        subject: what, and in which sizes.
        properties: which; all that need no time if empty.
        limits: what may end it before it is complete.
        progress: called at the start of each level.

    Raises:
        InvalidScenario: a property that does not exist, or a checkpoint of another
            scenario.
        CannotLearn: the code under test hides state from the engine.
        CoordinatorError: the code under test awaits what is not modelled.
    """
    began = time.monotonic()
    world = subject.world()
    chosen = chosen_properties(world, properties)
    names = [one.name for one in chosen]
    if limits.leaves_out:
        # What no judged property needs can be left out of the state.
        world.properties = tuple(chosen)  # type: ignore[misc]  # the protocol only reads it

    def tell(reached: Progress) -> None:
        if progress is not None:
            progress(reached, time.monotonic() - began)

    with TemporaryDirectory(prefix="wavecheck-") as spilled:
        search, stopped_by = searched(
            world,
            limits=_engine_limits(limits, began),
            directory=limits.checkpoint or Path(spilled),
            checkpoints=limits.checkpoint is not None,
            reduces=limits.leaves_out,
            progress=tell,
        )
        exploration = conclude(search, stopped_by)
        known = _ask_graph(search, exploration, names, limits)
        if known.has_cycle and exploration.merged:
            search, stopped_by = in_full(search, _LOOPS, tell)
            exploration = conclude(search, stopped_by)
            known = _ask_graph(search, exploration, names, limits)
    errors = [one.name for one in exploration.properties if one.name == NO_ERROR.name]
    judged = list(dict.fromkeys([*names, *errors]))
    return ProofResult(
        subject=subject,
        exploration=exploration,
        verdicts=tuple(
            _verdict(exploration, name, known.lassos.get(name)) for name in judged
        ),
        schedules={
            one.name: subject.record(
                RecordedChoices(one.counterexample.choices), one.name
            )
            for one in exploration.properties
            if one.counterexample is not None and one.name in judged
        },
        schedules_count=known.schedules_count,
        odds=known.odds,
        recoveries=known.recoveries,
        lassos=known.lassos,
        no_returns=known.no_returns,
        seconds=time.monotonic() - began,
    )


@dataclass(slots=True)
class _GraphAnswers:
    """What the whole graph says beyond safety; empty where it is not known."""

    has_cycle: bool = False
    schedules_count: int | None = None
    odds: dict[str, Odds] = field(default_factory=dict)
    recoveries: dict[str, Recovery] = field(default_factory=dict)
    lassos: dict[str, Lasso] = field(default_factory=dict)
    no_returns: dict[str, NoReturn] = field(default_factory=dict)


def _ask_graph(
    search: Search,
    exploration: Exploration,
    judged: Sequence[str],
    limits: ProofLimits,
) -> _GraphAnswers:
    """Count schedules and judge recovery, odds and fair cycles, if all is known."""
    known = _GraphAnswers()
    transitions_max = min(
        GRAPH_TRANSITIONS_MAX, limits.memory_bytes // GRAPH_BYTES_PER_TRANSITION
    )
    if not exploration.is_complete or exploration.transitions > transitions_max:
        return known
    graph = graph_of(search)
    known.schedules_count = count_schedules(graph)
    known.has_cycle = known.schedules_count is None
    for index, one in enumerate(search.learner.properties):
        if one.name not in judged:
            continue
        chance = odds(graph, index)
        if chance is not None:
            known.odds[one.name] = chance
        known.recoveries[one.name] = recovery(search, graph, index)
        shown = exploration.of(one.name).counterexample
        if shown is not None:
            step = first_lost(search, graph, index, shown.steps)
            if step is not None:
                known.no_returns[one.name] = _exactly(step, graph)
        if known.has_cycle and not exploration.merged:
            lasso = fair_cycle(search, graph, index)  # only where there are cycles
            if lasso is not None:
                known.lassos[one.name] = lasso
    return known


def _exactly(step: int, graph: Graph) -> NoReturn:
    return NoReturn(
        step=step,
        is_exact=True,
        continuations_count=0,
        states_count=graph.states_count,
    )


def exact_no_return(subject: Subject, schedule: Schedule) -> NoReturn | None:
    """Return where a schedule passes the point of no return, from the whole graph.

    Args:
        subject: that it was recorded in.
        schedule: which violates its property.

    Returns:
        None where the world is too large for that or cannot be learned, or where the
        very first step is already beyond it.
    """
    world = subject.world()
    steps = steps_with_answers(world, schedule)
    if len(world.kernel.tasks) > EXPLAINED_TASKS_MAX:
        return None
    try:
        search, stopped_by = searched(
            subject.world(), limits=Limits(states_max=EXPLAINED_STATES_MAX)
        )
    except CannotLearn:
        return None
    if stopped_by:
        return None
    graph = graph_of(search)
    names = [one.name for one in search.learner.properties]
    index = names.index(schedule.property_name)
    step = first_lost(search, graph, index, steps)
    return None if step is None else _exactly(step, graph)


def explained(subject: Subject, schedule: Schedule) -> Explanation:
    """Say why a schedule fails; exactly, where the world is small enough.

    Raises:
        InvalidScenario: there is no such property.
        ReplayMismatch: it does not replay, or violates nothing.
    """
    chosen_properties(subject.world(), [schedule.property_name])
    told = explain(subject.world(), schedule)
    if told.no_return is None or told.no_return.is_exact:
        return told
    exact = exact_no_return(subject, schedule)
    if exact is None:
        return told
    return explain(subject.world(), schedule, no_return=exact)


def _engine_limits(limits: ProofLimits, began: float) -> Limits:
    def stop() -> str | None:
        if limits.seconds is not None and time.monotonic() - began > limits.seconds:
            return f"the budget of {limits.seconds:g} s"
        return None

    return Limits(
        memory_max=limits.memory_bytes,
        stop=stop,
        at_first_violation=limits.at_first_violation,
        threads=limits.threads,
    )


def _verdict(exploration: Exploration, name: str, lasso: Lasso | None) -> Verdict:
    result = exploration.of(name)
    found = None
    if result.counterexample is not None:
        found = result.counterexample.violation
    elif lasso is not None:
        found = Violation(
            property_name=name, step=len(lasso.stem), time=0, message=lasso.message
        )
    return Verdict(
        property_name=name,
        outcome=result.outcome if found is None else Outcome.VIOLATED,
        executions_count=0,
        drawn_count=0,
        violation=found,
    )


def sweep(
    subject: Subject,
    seconds: float,
    properties: Sequence[str] = (),
    progress: ProofProgress | None = None,
) -> Iterator[ProofResult]:
    """Prove a subject in growing sizes until the time is over.

    Starts with the least sizes and raises one size after the other, in turn. The last
    result may be cut short; it says so.

    Args:
        subject: what; its own sizes are not used.
        seconds: for all sizes together.
        properties: which; all that need no time if empty.
        progress: called at the start of each level.
    """
    began = time.monotonic()
    for grown in growing(subject):
        left = seconds - (time.monotonic() - began)
        if left <= 0:
            return
        result = prove(grown, properties, ProofLimits(seconds=left), progress)
        yield result
        if result.exploration.stopped_by == INTERRUPTED:
            return


def growing(subject: Subject) -> Iterator[Subject]:
    """Yield a subject in growing sizes: the least, then one size more after the other.

    Raises:
        InvalidScenario: nothing of its scenario could grow.
    """
    sizes = dict(subject.scenario.sizes)
    if not sizes:
        raise InvalidScenario(
            f"scenario {subject.scenario.name!r} has no sizes that could grow"
        )
    names = list(sizes)
    for round_number in count():
        yield replace(subject, settings=replace(subject.settings, **sizes))
        sizes[names[round_number % len(names)]] += 1

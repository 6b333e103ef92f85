"""Proving a subject completely, and growing its sizes until a budget ends it.

Knows scenarios and the exhaustive engine; prints nothing. The wall clock is read here,
for the budget and the seconds in the result only.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.evidence import whole_graph
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.checking import beginning
from wavecheck.scenarios.verdicts.result import CheckResult, Explored
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.errors import InvalidScenario, OutOfTime, Overdue
from wavecheck.sim.exhaustive import Exploration, Limits, Progress
from wavecheck.sim.exhaustive.exploration import nothing_explored
from wavecheck.sim.exhaustive.explore import A_LIMIT, INTERRUPTED, Search
from wavecheck.sim.exhaustive.fairness import Lasso, fair_cycle
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.paths import Odds, count_schedules, odds
from wavecheck.sim.exhaustive.promises import PromiseResult, is_kept, is_recoverable
from wavecheck.sim.exhaustive.prove import conclude, in_full, searched
from wavecheck.sim.exhaustive.recovery import Recovery, first_lost, recovery
from wavecheck.sim.files import make_folder
from wavecheck.sim.property import NO_ERROR, Property, Violation
from wavecheck.sim.search.explain import NoReturn
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.verdict import Outcome, Verdict
from wavecheck.sim.watchdog import WATCHDOG
from wavecheck.sim.world import World

GRAPH_TRANSITIONS_MAX: Final = 20_000_000
"""Above this, the edges are not kept, so no schedules are counted and no odds given."""

GRAPH_BYTES_PER_TRANSITION: Final = 60
"""What an edge takes while the graph is made; above the memory limit there is none."""

SWEEP_SECONDS: Final = 60.0
"""Of a sweep that has no budget."""

PROOF: Final = Effort(strategy="exhaustive")
"""A proof that nothing but memory ends."""

_LOOPS: Final = "there are loops, and whether one is fair is asked of every single task"


ProofProgress = Callable[[Progress, float], None]
"""Called at the start of each level with how far it is, and the seconds so far."""


def prove(
    subject: Subject,
    effort: Effort = PROOF,
    progress: ProofProgress | None = None,
    deadline: Deadline | None = None,
) -> CheckResult:
    """Visit every reachable state of a subject.

    Args:
        subject: what, and in which sizes.
        effort: what may end it before it is complete.
        progress: called at the start of each level.
        deadline: of this and of what follows; by the effort if not given.

    Raises:
        InvalidScenario: a property that does not exist, or a checkpoint of another
            scenario.
        CannotLearn: the code under test hides state from the engine.
        CoordinatorError: the code under test awaits what is not modelled.
    """
    began = time.monotonic()
    deadline = deadline or beginning(effort, is_proof=True)
    WATCHDOG.allow(effort.seconds)

    def tell(reached: Progress) -> None:
        if progress is not None:
            progress(reached, time.monotonic() - began)

    with deadline.enforced():
        world = subject.world()
        chosen = subject.judged(world)
        if effort.leaves_out:
            # What no judged property needs can be left out of the state.
            world.properties = tuple(chosen)  # type: ignore[misc]  # the protocol only reads it
    names = [one.name for one in chosen]
    try:
        with deadline.enforced():
            exploration, known = _explored(world, chosen, effort, tell, deadline)
    except Overdue as limit:
        exploration, known = nothing_explored(names, str(limit)), _GraphAnswers()
    seconds = time.monotonic() - began
    return _result(subject, effort, names, exploration, known, seconds=seconds)


def _explored(
    world: World,
    chosen: Sequence[Property],
    effort: Effort,
    tell: Callable[[Progress], None],
    deadline: Deadline,
) -> "tuple[Exploration, _GraphAnswers]":
    if effort.checkpoint is not None:
        make_folder(effort.checkpoint)
    names = [one.name for one in chosen]
    needs_graph = any(one.moment.needs_graph for one in chosen)
    search, stopped_by = searched(
        world,
        limits=_engine_limits(effort, deadline),
        directory=effort.checkpoint,
        checkpoints=effort.checkpoint is not None,
        reduces=effort.leaves_out and not needs_graph,
        progress=tell,
    )
    exploration, known = _concluded(search, stopped_by, names, effort, deadline)
    if known.has_cycle and exploration.merged:
        search, stopped_by = in_full(search, _LOOPS, tell)
        exploration, known = _concluded(search, stopped_by, names, effort, deadline)
    return exploration, known


def _concluded(
    search: Search,
    stopped_by: str,
    names: Sequence[str],
    effort: Effort,
    deadline: Deadline,
) -> "tuple[Exploration, _GraphAnswers]":
    """Return what was explored, and what its graph says.

    Where the deadline comes while executions accompany the proof or the graph is asked,
    nothing is proved: whether a fair loop violates a property is not known then.
    """
    if stopped_by == INTERRUPTED:
        deadline.cut_short()
    try:
        exploration = conclude(search, stopped_by)
        known = _ask_graph(search, exploration, names, effort)
        return _with_promises(search, exploration, known), known
    except OutOfTime as limit:
        search.learner.shared.forget()
        ended = str(limit) or deadline.reason() or A_LIMIT
        return conclude(search, ended), _GraphAnswers()


@dataclass(slots=True)
class _GraphAnswers:
    """What the whole graph says beyond safety; empty where it is not known."""

    has_cycle: bool = False
    schedules_count: int | None = None
    odds: dict[str, Odds] = field(default_factory=dict)
    recoveries: dict[str, Recovery] = field(default_factory=dict)
    lassos: dict[str, Lasso] = field(default_factory=dict)
    no_returns: dict[str, NoReturn] = field(default_factory=dict)
    promises: dict[str, PromiseResult] = field(default_factory=dict)


def _with_promises(
    search: Search, exploration: Exploration, known: _GraphAnswers
) -> Exploration:
    """Return an exploration with what its graph says of promises.

    Where the graph was not asked, nothing is proved of them.
    """
    results = []
    moments = {one.name: one.moment for one in search.learner.properties}
    for one in exploration.properties:
        kept = known.promises.get(one.name)
        if not moments[one.name].needs_graph or one.outcome is Outcome.VIOLATED:
            results.append(one)
        elif kept is None:
            results.append(replace(one, outcome=Outcome.NOT_FOUND))
        else:
            is_violated = kept.counterexample is not None
            outcome = Outcome.of(
                is_violated=is_violated, is_at_risk=kept.is_at_risk, is_proved=True
            )
            results.append(
                replace(one, outcome=outcome, counterexample=kept.counterexample)
            )
    return replace(exploration, properties=tuple(results))


def _result(
    subject: Subject,
    effort: Effort,
    names: Sequence[str],
    exploration: Exploration,
    known: _GraphAnswers,
    *,
    seconds: float,
) -> CheckResult:
    errors = [one.name for one in exploration.properties if one.name == NO_ERROR.name]
    judged = list(dict.fromkeys([*names, *errors]))
    return CheckResult(
        subject=subject,
        effort=effort,
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
        explored=Explored(
            exploration=exploration,
            schedules_count=known.schedules_count,
            odds=known.odds,
            recoveries=known.recoveries,
            lassos=known.lassos,
            no_returns=known.no_returns,
            seconds=seconds,
        ),
        was_interrupted=exploration.stopped_by == INTERRUPTED,
    )


def _ask_graph(
    search: Search,
    exploration: Exploration,
    judged: Sequence[str],
    effort: Effort,
) -> _GraphAnswers:
    """Count schedules and judge recovery, odds and fair cycles, if all is known."""
    known = _GraphAnswers()
    transitions_max = min(
        GRAPH_TRANSITIONS_MAX, effort.memory_bytes // GRAPH_BYTES_PER_TRANSITION
    )
    if not exploration.is_complete or exploration.transitions > transitions_max:
        return known
    graph = graph_of(search)
    known.schedules_count = count_schedules(graph)
    known.has_cycle = known.schedules_count is None
    for index, one in enumerate(search.learner.properties):
        if one.name not in judged:
            continue
        if one.moment.needs_graph:
            judge = is_kept if one.begins is not None else is_recoverable
            known.promises[one.name] = kept = judge(search, graph, index)
            if kept.lasso is not None:
                known.lassos[one.name] = kept.lasso
            continue
        chance = odds(graph, index)
        if chance is not None:
            known.odds[one.name] = chance
        known.recoveries[one.name] = recovery(search, graph, index)
        shown = exploration.of(one.name).counterexample
        if shown is not None:
            step = first_lost(search, graph, index, shown.steps)
            if step is not None:
                known.no_returns[one.name] = whole_graph(step, graph.states_count)
        if known.has_cycle and not exploration.merged:
            lasso = fair_cycle(search, graph, index)  # only where there are cycles
            if lasso is not None:
                known.lassos[one.name] = lasso
    return known


def _engine_limits(effort: Effort, deadline: Deadline) -> Limits:
    return Limits(
        memory_max=effort.memory_bytes,
        stop=lambda: deadline.reason() or None,
        at_first_violation=effort.stops_at_first,
        threads=effort.threads,
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
    subject: Subject, effort: Effort, progress: ProofProgress | None = None
) -> Iterator[CheckResult]:
    """Prove a subject in growing sizes until the time is over.

    Starts with the least sizes and raises one size after the other, in turn. The last
    result may be cut short; it says so.

    Args:
        subject: what; its own sizes are not used.
        effort: its budget is for all sizes together.
        progress: called at the start of each level.
    """
    seconds = SWEEP_SECONDS if effort.seconds is None else effort.seconds
    deadline = beginning(replace(effort, seconds=seconds), is_proof=True)
    for grown in growing(subject):
        if deadline.is_over():
            return
        try:
            result = prove(grown, effort, progress, deadline)
        except Overdue:
            return
        yield result
        if result.was_interrupted:
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

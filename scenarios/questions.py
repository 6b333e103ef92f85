"""What a user asks: one call each, by name, without a subject.

Knows how names and plain settings become subjects and efforts, and which process or
cluster answers. `compare` and `run` are of the same form and live with their results.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Unpack

from wavecheck.scenarios.effort import Effort, EffortOptions
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import (
    EXHAUSTIVE,
    UNWATCHED,
    Watch,
    answer,
    approach_of,
)
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.display import shown
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.faults import FaultPlan
from wavecheck.sim.search.explain import Explanation
from wavecheck.sim.search.schedule import Replayed, Schedule

if TYPE_CHECKING:
    import networkx as nx

STATES_MAX: Final = 20_000
"""States of a graph that is still meant to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Proofs in growing sizes.

    Attributes:
        proofs: in the order of the sizes; the last one may be cut short.
    """

    proofs: tuple[CheckResult, ...]

    _repr_mimebundle_ = shown

    def has_violation(self) -> bool:
        """Return whether any property was violated in any size."""
        return any(one.has_violation() for one in self.proofs)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each size and property."""
        return [row for one in self.proofs for row in one.to_records()]


def ask(
    subject: Subject,
    effort: Effort,
    watch: Watch = UNWATCHED,
    deadline: Deadline | None = None,
) -> CheckResult:
    """Answer a question by the strategy, and in the processes, that an effort names.

    Args:
        subject: what is under test.
        effort: how hard to try, and where.
        watch: who is told how far it is.
        deadline: of all the work; by the effort if not given.

    Returns:
        The verdicts with their evidence. Ctrl-C ends the work, not the call.

    Raises:
        InvalidScenario: a strategy, property or budget that does not exist or fit.
        CoordinatorError: the code under test failed.
        NondeterminismError: two runs of one schedule differ.
        CannotLearn: the code under test hides state from a proof.
    """
    approach_of(effort)  # what does not fit is said before a process is started
    if effort.db is not None:
        from wavecheck.scenarios.server.asking import ask_on_server

        return ask_on_server(subject, effort, watch, deadline)
    if effort.jobs == 1 and effort.cluster is None:
        return answer(subject, effort, watch, deadline)
    from wavecheck.scenarios.campaign.cluster import engine_of
    from wavecheck.scenarios.campaign.engines import IN_PROCESS
    from wavecheck.scenarios.campaign.spread import check_spread

    with closing(engine_of(effort.jobs, effort.cluster)) as engine:
        if engine is IN_PROCESS:
            return answer(subject, effort, watch, deadline)
        return check_spread(subject, effort, engine, watch.searching, deadline)


def check(
    scenario: str | Scenario,
    coordinator: str | type[Any] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    faults: FaultPlan | None = None,
    properties: Sequence[str] = (),
    watch: Watch = UNWATCHED,
    **effort: Unpack[EffortOptions],
) -> CheckResult:
    """Search the schedules of a scenario for violations.

    Args:
        scenario: where, or its name; its small sizes are the defaults.
        coordinator: a class, NAME, package.module:Class or path/to/file.py:Class; the
            scenario's usual one if not given.
        settings: of the scenario, by name.
        faults: how many faults of each kind may strike in one execution.
        properties: which; all that need no time if empty.
        watch: who is told how far it is.
        effort: how hard to try: the fields of `Effort`, by name.

    Returns:
        The verdicts with their evidence. Ctrl-C ends the search, not the call.

    Raises:
        InvalidScenario: a name, value or budget that does not exist or fit.
        CoordinatorError: the coordinator does not load, or failed.
        NondeterminismError: two runs of one schedule differ.
    """
    subject = Subject.of(scenario, coordinator, settings, faults, properties)
    return ask(subject, Effort(**effort), watch)


def prove(
    scenario: str | Scenario,
    coordinator: str | type[Any] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    faults: FaultPlan | None = None,
    properties: Sequence[str] = (),
    watch: Watch = UNWATCHED,
    **effort: Unpack[EffortOptions],
) -> CheckResult:
    """Visit every reachable state: a proof within the sizes, or a counterexample.

    As `check` with the strategy `exhaustive`.

    Raises:
        InvalidScenario: a name or value that does not exist or fit.
        CoordinatorError: the coordinator does not load, or failed.
        CannotLearn: the coordinator hides state from the engine.
    """
    subject = Subject.of(scenario, coordinator, settings, faults, properties)
    effort.setdefault("strategy", EXHAUSTIVE)
    return ask(subject, Effort(**effort), watch)


def sweep(
    scenario: str | Scenario,
    coordinator: str | type[Any] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    faults: FaultPlan | None = None,
    properties: Sequence[str] = (),
    **effort: Unpack[EffortOptions],
) -> Sweep:
    """Prove growing sizes until the time is over or a property is violated.

    Args:
        scenario: where, or its name.
        coordinator: a class, NAME, package.module:Class or path/to/file.py:Class.
        settings: what does not grow, by name.
        faults: how many faults of each kind may strike in one execution.
        properties: which; all that need no time if empty.
        effort: how hard to try; `seconds` are for all sizes together, 60 if not given.

    Raises:
        InvalidScenario: a name or value that does not exist or fit, or nothing grows.
        CoordinatorError: the coordinator does not load, or failed.
        CannotLearn: the coordinator hides state from the engine.
    """
    from wavecheck.scenarios.verdicts.proving import PROOF
    from wavecheck.scenarios.verdicts.proving import sweep as proved_sizes

    subject = Subject.of(scenario, coordinator, settings, faults, properties)
    found = []
    for result in proved_sizes(subject, replace(PROOF, **effort)):
        found.append(result)
        if result.has_violation():
            break
    return Sweep(proofs=tuple(found))


def replay(schedule: Schedule) -> Replayed:
    """Replay a schedule and verify every step.

    Raises:
        ReplayMismatch: at the first step that is not as recorded.
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    return Evidence.of(schedule).replayed


def explain(schedule: Schedule) -> Explanation:
    """Replay a counterexample and say why it fails.

    Raises:
        ReplayMismatch: it does not replay, or violates nothing.
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    return Evidence.of(schedule).explanation


def happens_before(schedule: Schedule) -> "nx.DiGraph[int]":
    """Return which steps of a schedule are ordered by more than the schedule.

    Returns:
        A node for each step, by number, with `task` and `operation`; an edge to each
        later step that depends on it directly, with `why`.

    Raises:
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    return Evidence.of(schedule).happens_before


def state_graph(
    scenario: str | Scenario,
    coordinator: str | type[Any] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    states_max: int = STATES_MAX,
) -> "nx.MultiDiGraph[int]":
    """Return every reachable state and step, with what each of them is.

    Args:
        scenario: where, or its name; its small sizes are the defaults.
        coordinator: a class, NAME, package.module:Class or path/to/file.py:Class.
        settings: of the scenario, by name.
        states_max: more states than this are refused.

    Returns:
        Nodes from 0, the initial state, with `level`, `is_final`, `violates` and
        `shared` (what differs from the initial state); edges with `task`, `operation`,
        `args` and `violates`.

    Raises:
        InvalidScenario: too many states; a name or value that does not exist or fit.
        CoordinatorError: the coordinator does not load, or failed.
        CannotLearn: the coordinator hides state from the engine.
    """
    from wavecheck.sim.exhaustive import Limits
    from wavecheck.sim.exhaustive.graph import graph_of
    from wavecheck.sim.exhaustive.prove import searched
    from wavecheck.sim.exhaustive.state_graph import state_graph

    subject = Subject.of(scenario, coordinator, settings)
    search, stopped_by = searched(subject.world(), limits=Limits(states_max=states_max))
    if stopped_by:
        raise InvalidScenario(
            f"{subject.label()} has too many states for a graph\n"
            f"  expected  at most {states_max:,}\n"
            "next: smaller sizes; wavecheck check --strategy exhaustive counts states"
        )
    return state_graph(search, graph_of(search))

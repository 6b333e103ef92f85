"""What a user asks beyond a search: one call each, by name, without a subject.

Knows how names and plain settings become subjects and worlds; decides nothing else.
`check`, `compare` and `run` are of the same form and live with their results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts import proving
from wavecheck.scenarios.verdicts.checking import subject_of, world_of
from wavecheck.scenarios.verdicts.proving import MEMORY_MAX, ProofLimits, ProofResult
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive import Limits
from wavecheck.sim.faces import shown
from wavecheck.sim.search import schedule as schedules
from wavecheck.sim.search.explain import Explanation
from wavecheck.sim.search.schedule import Replayed, Schedule
from wavecheck.sim.world import World

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

    proofs: tuple[ProofResult, ...]

    _repr_mimebundle_ = shown

    def has_violation(self) -> bool:
        """Return whether any property was violated in any size."""
        return any(one.has_violation() for one in self.proofs)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each size and property."""
        return [row for one in self.proofs for row in one.to_records()]


def prove(
    scenario: str | Scenario,
    coordinator: str | type[Any],
    *,
    settings: Mapping[str, object] | None = None,
    properties: Sequence[str] = (),
    seconds: float | None = None,
    memory_bytes: int = MEMORY_MAX,
) -> ProofResult:
    """Visit every reachable state: a proof within the sizes, or a counterexample.

    Args:
        scenario: where, or its name; its small sizes are the defaults.
        coordinator: a class, NAME, package.module:Class or path/to/file.py:Class.
        settings: of the scenario, by name.
        properties: which; all that need no time if empty.
        seconds: wall-clock limit; None: none.
        memory_bytes: limit of all arrays at once.

    Raises:
        InvalidScenario: a name or value that does not exist or fit.
        CoordinatorError: the coordinator does not load, or failed.
        CannotLearn: the coordinator hides state from the engine.
    """
    subject = Subject.of(scenario, coordinator, settings)
    limits = ProofLimits(seconds=seconds, memory_bytes=memory_bytes)
    return proving.prove(subject, properties, limits)


def sweep(
    scenario: str | Scenario,
    coordinator: str | type[Any],
    *,
    seconds: float = 60.0,
    settings: Mapping[str, object] | None = None,
    properties: Sequence[str] = (),
) -> Sweep:
    """Prove growing sizes until the time is over or a property is violated.

    Args:
        scenario: where, or its name.
        coordinator: a class, NAME, package.module:Class or path/to/file.py:Class.
        seconds: for all sizes together.
        settings: what does not grow, by name.
        properties: which; all that need no time if empty.

    Raises:
        InvalidScenario: a name or value that does not exist or fit, or nothing grows.
        CoordinatorError: the coordinator does not load, or failed.
        CannotLearn: the coordinator hides state from the engine.
    """
    subject = Subject.of(scenario, coordinator, settings)
    found = []
    for result in proving.sweep(subject, seconds, properties):
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
    return schedules.replay(_world(schedule), schedule)


def explain(schedule: Schedule) -> Explanation:
    """Replay a counterexample and say why it fails.

    Raises:
        ReplayMismatch: it does not replay, or violates nothing.
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    return proving.explained(_subject(schedule), schedule)


def happens_before(schedule: Schedule) -> "nx.DiGraph[int]":
    """Return which steps of a schedule are ordered by more than the schedule.

    Returns:
        A node for each step, by number, with `task` and `operation`; an edge to each
        later step that depends on it directly, with `why`.

    Raises:
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    from wavecheck.sim.search.happens_before import (
        happens_before,  # networkx is slow to load
    )

    return happens_before(_world(schedule), schedule)


def state_graph(
    scenario: str | Scenario,
    coordinator: str | type[Any],
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


def _subject(schedule: Schedule) -> Subject:
    return subject_of(schedule, find_scenario(schedule.scenario))


def _world(schedule: Schedule) -> World:
    return world_of(schedule, find_scenario(schedule.scenario))

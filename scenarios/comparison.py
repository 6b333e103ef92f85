"""Several coordinators in one timed scenario, with the same settings and seed.

Knows how to run; knows no table, no picture, and no claim but by its scenario.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.loading import coordinator_name, load_coordinator
from wavecheck.scenarios.pipeline.timed_run import Progress, TimedRun, simulate
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.scenarios.scenario import Scenario
from wavecheck.sim.display import shown
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import STEPS_MAX, Kernel

if TYPE_CHECKING:
    from wavecheck.scenarios.incident.claims import Claim

WorldProgress = Callable[[str, int], None]
"""Called with the coordinator's name and its steps so far, now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What several coordinators did in one scenario.

    Attributes:
        scenario: which.
        settings: the validated settings, the same for all.
        runs: one for each coordinator, in the order asked for.
        claims: what the scenario's report claims, judged on these runs.
    """

    scenario: Scenario
    settings: Any
    runs: tuple[TimedRun, ...]
    claims: "tuple[Claim, ...]"

    _repr_mimebundle_ = shown

    def has_violation(self) -> bool:
        """Return whether any coordinator violated any property."""
        return any(run.has_violation() for run in self.runs)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row of measures for each coordinator."""
        return [run.to_record() for run in self.runs]


def build_timed_world(
    scenario: Scenario, coordinator_name: str, settings: Any, *, steps_max: int
) -> PipelineWorld:
    """Return a scenario's world on a timed kernel.

    Raises:
        InvalidScenario: the scenario has no time, or no such coordinator.
        CoordinatorError: the coordinator does not load.
    """
    if not scenario.is_timed:
        raise InvalidScenario(
            f"scenario {scenario.name!r} has no virtual time, so it cannot be run\n"
            f"next: wavecheck check {scenario.name}"
        )
    coordinator_type = load_coordinator(scenario, coordinator_name)
    kernel = Kernel(steps_max=steps_max)
    world = scenario.build(kernel, coordinator_type, settings)
    assert isinstance(world, PipelineWorld), "timed scenarios are pipelines"
    return world


def run(
    scenario: str | Scenario,
    coordinator: str | type[Any],
    *,
    settings: Mapping[str, object] | None = None,
    steps_max: int = STEPS_MAX,
) -> TimedRun:
    """Run one timed simulation.

    Args:
        scenario: where, or its name.
        coordinator: a class, NAME, package.module:Class or path/to/file.py:Class.
        settings: of the scenario, by name.
        steps_max: limit of the run.

    Raises:
        InvalidScenario: a name or value that does not exist or fit.
        CoordinatorError: the coordinator does not load, or failed in its run.
    """
    return compare(
        scenario, [coordinator], settings=settings, steps_max=steps_max
    ).runs[0]


def compare(
    scenario: str | Scenario,
    coordinators: Sequence[str | type[Any]] = (),
    *,
    settings: Mapping[str, object] | None = None,
    steps_max: int = STEPS_MAX,
    progress: WorldProgress | None = None,
) -> Comparison:
    """Run coordinators side by side.

    Args:
        scenario: where, or its name.
        coordinators: classes or names; all of the scenario's own if empty.
        settings: of the scenario, by name.
        steps_max: limit for each run.
        progress: called now and then.

    Raises:
        InvalidScenario: a name or value that does not exist or fit.
        CoordinatorError: a coordinator does not load, or failed in its run.
    """
    found = find_scenario(scenario)
    names = [coordinator_name(one) for one in coordinators] or list(found.coordinators)
    validated = found.settings(settings)
    # Everything is loaded before anything runs: a typing error costs no time.
    worlds = [
        build_timed_world(found, name, validated, steps_max=steps_max) for name in names
    ]
    runs = tuple(
        simulate(world, name, progress=_named(progress, name))
        for name, world in zip(names, worlds, strict=True)
    )
    return Comparison(
        scenario=found,
        settings=validated,
        runs=runs,
        claims=()
        if found.claims is None
        else found.claims({run.coordinator_name: run for run in runs}),
    )


def _named(progress: WorldProgress | None, name: str) -> Progress | None:
    if progress is None:
        return None
    return lambda steps: progress(name, steps)

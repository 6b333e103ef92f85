"""Timed runs of one world, alone and side by side, with the same settings and seed.

A pipeline's run is told in its own words (`TimedRun`), any other world's in tasks,
statements and parts (`WorldRun`). Knows how to run; knows no table, no picture, and no
claim but by its scenario.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.loading import coordinator_name, load_coordinator
from wavecheck.scenarios.pipeline.timed_run import Progress, TimedRun, simulate
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.worlds.timed import WorldRun, simulate_world
from wavecheck.sim.display import shown
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import STEPS_MAX, TICKS_PER_SECOND, Kernel
from wavecheck.sim.world import World

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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldComparison:
    """What several codes did in one world that is no pipeline.

    Attributes:
        scenario: which.
        settings: the validated settings, the same for all.
        runs: one for each code, in the order asked for.
    """

    scenario: Scenario
    settings: Any
    runs: tuple[WorldRun, ...]

    _repr_mimebundle_ = shown

    def has_violation(self) -> bool:
        """Return whether any code violated any property."""
        return any(run.has_violation() for run in self.runs)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row of measures for each code."""
        return [run.to_record() for run in self.runs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How a timed run is made.

    Attributes:
        seed: of what a world draws; a pipeline has its own among its settings.
        until: seconds after which it ends in any case; None: never.
        steps_max: limit of steps.
    """

    seed: int = 0
    until: float | None = None
    steps_max: int = STEPS_MAX


TIMING: Final = Timing()


def timed_world(
    scenario: Scenario, coordinator_name: str, settings: Any, timing: Timing = TIMING
) -> World:
    """Return a world on a timed kernel.

    Raises:
        InvalidScenario: there is no such code, or a pipeline is to end before its end.
        CoordinatorError: the code does not load.
    """
    if scenario.is_timed and timing.until is not None:
        raise InvalidScenario(
            f"--until ends no run of {scenario.name!r}, whose jobs come to an end\n"
            "next: leave --until out"
        )
    code = load_coordinator(scenario, coordinator_name)
    kernel = Kernel(steps_max=timing.steps_max, seed=timing.seed)
    return scenario.build(kernel, code, settings)


def build_timed_world(
    scenario: Scenario, coordinator_name: str, settings: Any, *, steps_max: int
) -> PipelineWorld:
    """Return a pipeline's world on a timed kernel.

    Raises:
        InvalidScenario: the scenario is no pipeline, or has no such coordinator.
        CoordinatorError: the coordinator does not load.
    """
    if not scenario.is_timed:
        raise InvalidScenario(
            f"scenario {scenario.name!r} has no virtual time of a pipeline\n"
            f"next: wavecheck run {scenario.name}, or wavecheck check {scenario.name}"
        )
    timing = Timing(steps_max=steps_max)
    world = timed_world(scenario, coordinator_name, settings, timing)
    assert isinstance(world, PipelineWorld), "timed scenarios are pipelines"
    return world


def run_world(
    world: World, coordinator_name: str, timing: Timing = TIMING, **options: Any
) -> WorldRun:
    """Run a world that is no pipeline; the options are those of `simulate_world`."""
    until = None if timing.until is None else round(timing.until * TICKS_PER_SECOND)
    return simulate_world(world, coordinator_name, until=until, **options)


def run(
    scenario: str | Scenario,
    coordinator: str | type[Any] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    until: float | None = None,
    steps_max: int = STEPS_MAX,
) -> TimedRun | WorldRun:
    """Run one timed simulation.

    Args:
        scenario: where, or its name.
        coordinator: a class, NAME, package.module:Class or path/to/file.py:Class; the
            world's usual one if not given.
        settings: of the scenario, by name.
        seed: of what a world draws; a pipeline has its own among its settings.
        until: seconds after which the run of a world ends in any case.
        steps_max: limit of the run.

    Raises:
        InvalidScenario: a name or value that does not exist or fit.
        CoordinatorError: the coordinator does not load, or failed in its run.
    """
    found = find_scenario(scenario)
    return compare(
        found,
        [coordinator or found.default_coordinator],
        settings=settings,
        seed=seed,
        until=until,
        steps_max=steps_max,
    ).runs[0]


def compare(
    scenario: str | Scenario,
    coordinators: Sequence[str | type[Any]] = (),
    *,
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    until: float | None = None,
    steps_max: int = STEPS_MAX,
    progress: WorldProgress | None = None,
) -> Comparison | WorldComparison:
    """Run coordinators side by side.

    Args:
        scenario: where, or its name.
        coordinators: classes or names; all of the scenario's own if empty.
        settings: of the scenario, by name.
        seed: of what a world draws; a pipeline has its own among its settings.
        until: seconds after which the run of a world ends in any case.
        steps_max: limit for each run.
        progress: called now and then.

    Raises:
        InvalidScenario: a name or value that does not exist or fit.
        CoordinatorError: a coordinator does not load, or failed in its run.
    """
    found = find_scenario(scenario)
    names = [coordinator_name(one) for one in coordinators] or list(found.coordinators)
    validated = found.settings(settings)
    timing = Timing(seed=seed, until=until, steps_max=steps_max)
    # Everything is loaded before anything runs: a typing error costs no time.
    worlds = [timed_world(found, name, validated, timing) for name in names]
    pipelines = [one for one in worlds if isinstance(one, PipelineWorld)]
    if not pipelines:
        return WorldComparison(
            scenario=found,
            settings=validated,
            runs=tuple(
                run_world(world, name, timing, progress=_named(progress, name))
                for name, world in zip(names, worlds, strict=True)
            ),
        )
    runs = tuple(
        simulate(world, name, progress=_named(progress, name))
        for name, world in zip(names, pipelines, strict=True)
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

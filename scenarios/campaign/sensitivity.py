"""Which parameter matters: Morris's elementary effects. The one home of SALib.

The parameters are moved one at a time along random trajectories through their ranges;
the mean of the absolute effects ranks them with few runs, also where they interact.
Every cell of the trajectories is a point of a campaign, so that engines, stores and
seeds are those of any campaign; a cell's value is its mean over the seeds, the same
seeds in every cell.

Source: Morris, "Factorial sampling plans for preliminary computational experiments",
Technometrics 1991; Campolongo, Cariboni and Saltelli, Environmental Modelling &
Software 2007 (the mean of the absolute effects).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from wavecheck.scenarios.campaign.plan import Plan
from wavecheck.scenarios.campaign.store import ResultsStore
from wavecheck.scenarios.campaign.summary import measure_values
from wavecheck.scenarios.scenario import Scenario
from wavecheck.sim.errors import InvalidScenario, unknown_name

TRAJECTORIES_MAX: Final = 10_000
LEVELS: Final = 4
TRAJECTORIES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where a parameter may lie.

    Attributes:
        parameter: its name.
        low: least value.
        high: largest value.
    """

    parameter: str
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What moving one parameter through its range does to a measure.

    Attributes:
        parameter: its name.
        strength: mean of the absolute effects, in the measure's unit for the range.
        strength_error: half the width of its 95 % interval.
        mean: mean of the effects: its sign says in which direction.
        spread: standard deviation of the effects: large where parameters interact or
            the effect is no straight line.
    """

    parameter: str
    strength: float
    strength_error: float
    mean: float
    spread: float

    def low(self) -> float:
        """Return the lower end of the interval; a strength is never negative."""
        return max(0.0, self.strength - self.strength_error)

    def high(self) -> float:
        """Return the upper end of the interval."""
        return self.strength + self.strength_error


def parse_ranges(texts: Sequence[str]) -> tuple[Range, ...]:
    """Read NAME=LOW:HIGH as given on a command line.

    Raises:
        InvalidScenario: it is none.
    """
    ranges = []
    for text in texts:
        name, _, values = text.partition("=")
        low, _, high = values.partition(":")
        try:
            one = Range(parameter=name, low=float(low), high=float(high))
        except ValueError:
            one = Range(parameter=name, low=0.0, high=0.0)
        if not name or not one.low < one.high:
            raise InvalidScenario(
                f"--vary {text!r}: expected NAME=LOW:HIGH as in workers=1:16"
            )
        ranges.append(one)
    return tuple(ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A campaign whose points are the cells of the trajectories.

    Attributes:
        plan: the campaign.
        ranges: of the parameters.
        samples: the cells, as numbers; shape (cells, parameters).
        points: for each sample, the point of the plan that has its cell.
    """

    plan: Plan
    ranges: tuple[Range, ...]
    samples: Any
    points: tuple[int, ...]


def design(
    scenario: Scenario,
    coordinator: str | type[Any],
    ranges: Sequence[Range],
    *,
    settings: Mapping[str, object] | None = None,
    seeds_count: int = 20,
    trajectories: int = TRAJECTORIES,
    seed: int = 0,
) -> Design:
    """Return the campaign that a sensitivity analysis needs.

    Args:
        scenario: where.
        coordinator: which.
        ranges: of two parameters or more.
        settings: of the scenario, by name, the same everywhere.
        seeds_count: runs of every cell.
        trajectories: each has one cell more than there are parameters.
        seed: of the trajectories.

    Raises:
        InvalidScenario: a name, range or number that does not fit, or no SALib.
    """
    if len(ranges) < 2:
        raise InvalidScenario(
            f"{len(ranges)} parameters to vary\n"
            "  expected  two or more, as in --vary workers=1:16 --vary parents=10:80"
        )
    if not 2 <= trajectories <= TRAJECTORIES_MAX:
        raise InvalidScenario(
            f"{trajectories} trajectories: expected two or more, at most"
            f" {TRAJECTORIES_MAX:,}"
        )
    known = list(scenario.settings_type.__dataclass_fields__)
    for one in ranges:
        if one.parameter not in known:
            raise unknown_name(f"{scenario.name} parameter", one.parameter, known)
    samples = _library("sample.morris").sample(
        _problem(ranges), trajectories, num_levels=LEVELS, seed=seed
    )
    whole = [
        scenario.settings_type.__dataclass_fields__[one.parameter].default
        for one in ranges
    ]
    cells = [
        {
            one.parameter: str(round(value) if type(default) is int else float(value))
            for one, value, default in zip(ranges, row, whole, strict=True)
        }
        for row in samples.tolist()
    ]
    distinct = list({tuple(cell.items()): cell for cell in cells}.values())
    plan = Plan.of(
        scenario,
        [coordinator],
        cells=distinct,
        settings=settings,
        seeds_count=seeds_count,
    )
    return Design(
        plan=plan,
        ranges=tuple(ranges),
        samples=samples,
        points=tuple(distinct.index(cell) for cell in cells),
    )


def effects(made: Design, store: ResultsStore, measure: str) -> tuple[Effect, ...]:
    """Return what each parameter does to a measure, strongest first.

    Args:
        made: the design.
        store: with the runs of its plan.
        measure: a column; a property's column gives effects on its rate.

    Raises:
        InvalidScenario: no such measure, or a cell without a finite value of it.
    """
    measurable(made.plan, measure)
    means = []
    for point in made.plan.points:
        values = measure_values(store, point.index, measure)
        known = values[np.isfinite(values)]
        if len(known) == 0:
            raise InvalidScenario(
                f"no run of {point.label()} has a value of {measure}\n"
                "next: another measure, or narrower ranges"
            )
        means.append(float(known.mean()))
    outputs = np.array([means[point] for point in made.points])
    if np.ptp(outputs) == 0.0:
        nothing = Effect(
            parameter="", strength=0.0, strength_error=0.0, mean=0.0, spread=0.0
        )
        return tuple(replace(nothing, parameter=one.parameter) for one in made.ranges)
    found = _library("analyze.morris").analyze(
        _problem(made.ranges), made.samples, outputs, num_levels=LEVELS, seed=0
    )
    ranked = [
        Effect(
            parameter=one.parameter,
            strength=float(found["mu_star"][place]),
            strength_error=float(found["mu_star_conf"][place]),
            mean=float(found["mu"][place]),
            spread=float(found["sigma"][place]),
        )
        for place, one in enumerate(made.ranges)
    ]
    return tuple(sorted(ranked, key=lambda one: -one.strength))


def measurable(plan: Plan, measure: str) -> None:
    """Refuse a measure that the runs of a plan do not have.

    Raises:
        InvalidScenario: there is none of that name.
    """
    columns = [name for name in plan.columns if name != "digest"]
    if measure not in columns:
        raise unknown_name("measure", measure, columns)


def _problem(ranges: Sequence[Range]) -> dict[str, Any]:
    return {
        "num_vars": len(ranges),
        "names": [one.parameter for one in ranges],
        "bounds": [[one.low, one.high] for one in ranges],
    }


def _library(name: str) -> Any:
    try:
        # SALib has no types.
        from SALib.analyze import morris as analyze  # type: ignore[import-untyped]  # SALib has no types
        from SALib.sample import morris as sample  # type: ignore[import-untyped]  # SALib has no types
    except ImportError as error:
        raise InvalidScenario(
            "a sensitivity analysis needs SALib, which is not installed\n"
            "next: pip install SALib"
        ) from error
    return {"sample.morris": sample, "analyze.morris": analyze}[name]

"""What a campaign runs: points of a grid, and for each of them a range of seeds.

A plan is plain data. It says which runs there are and nothing of how, where or in which
order they are made; every run is named by (point, seed), and what it measures depends
on that alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import product
from typing import Any, Final

from wavecheck.scenarios.campaign.code_version import code_digest, file_digest
from wavecheck.scenarios.campaign.columns import (
    columns_of,
    properties_in,
    properties_of,
)
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.loading import coordinator_name, load_coordinator
from wavecheck.scenarios.scenario import Scenario, as_text
from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.kernel import STEPS_MAX
from wavecheck.sim.trace import plain

FORMAT_VERSION: Final = 2
POINTS_MAX: Final = 10_000
SEED_MAX: Final = (1 << 63) - 1
"""Of what a file of results holds."""

SEED: Final = "seed"

Grid = Mapping[str, Sequence[object]]
"""Values, or text as on the command line, by the name of the parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One coordinator with one combination of parameters.

    Attributes:
        index: its place in the plan.
        coordinator: the name by which any process can load it.
        cell: the values of the grid's parameters, as text, by name.
        given: everything that is set here, as text, by name; the seed is not.
    """

    index: int
    coordinator: str
    cell: Mapping[str, str]
    given: Mapping[str, str]

    def label(self) -> str:
        """Return the point in words."""
        values = ", ".join(f"{name}={value}" for name, value in self.cell.items())
        return f"{self.coordinator}, {values}" if values else self.coordinator


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All runs of a campaign.

    Attributes:
        scenario: where.
        points: coordinators by grid cells, in the order of reports.
        coordinators: in the order asked for; the first one is what others are compared
            with.
        grid: values by parameter.
        first_seed: of every point.
        seeds_count: how many seeds every point gets at most.
        until_width: end a point early when its rates' intervals are this narrow.
        steps_max: limit of one run.
        rare: without time, the property whose odds are estimated with schedules drawn
            towards it; empty: schedules are drawn uniformly.
        columns: what is measured, in the order of a row.
        identity: what makes two campaigns the same, as plain data: everything above
            but the seeds and the width, and the code that runs.
    """

    scenario: Scenario
    points: tuple[Point, ...]
    coordinators: tuple[str, ...]
    grid: Mapping[str, tuple[str, ...]]
    first_seed: int
    seeds_count: int
    until_width: float | None
    steps_max: int
    rare: str
    columns: tuple[str, ...]
    identity: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        coordinators: Sequence[str | type[Any]] = (),
        *,
        grid: Grid | None = None,
        cells: Sequence[Mapping[str, str]] = (),
        settings: Mapping[str, object] | None = None,
        seeds_count: int = 1000,
        first_seed: int = 0,
        until_width: float | None = None,
        steps_max: int = STEPS_MAX,
        rare: str = "",
    ) -> "Plan":
        """Return the plan of a campaign; whatever does not fit is refused here.

        Args:
            scenario: where; one without time is run in its small sizes, and its runs
                are uniformly random schedules.
            coordinators: which; all of the scenario's own if empty.
            grid: values to combine, by parameter.
            cells: instead of a grid, the combinations themselves.
            settings: of the scenario, by name, the same everywhere.
            seeds_count: runs of every point, at most.
            first_seed: the seeds go up from here.
            until_width: end a point when the 95 % interval of each of its rates is at
                most this wide; None: never.
            steps_max: limit of one run.
            rare: a property; schedules are drawn towards its violation, and weighed.

        Raises:
            InvalidScenario: a name, a value or a number that does not exist or fit.
            CoordinatorError: a coordinator does not load.
        """
        names = _distinct([coordinator_name(one) for one in coordinators])
        names = names or tuple(scenario.coordinators)
        for name in names:
            load_coordinator(scenario, name)
        given = {name: as_text(value) for name, value in (settings or {}).items()}
        values = _checked_grid(scenario, grid or {}, given)
        _check_numbers(seeds_count, first_seed, until_width)
        _check_rare(scenario, rare, until_width)
        combined = [
            dict(zip(values, cell, strict=True)) for cell in product(*values.values())
        ]
        points = _points(scenario, names, cells or combined, given)
        columns = columns_of(scenario)
        return cls(
            scenario=scenario,
            points=tuple(points),
            coordinators=names,
            grid=values,
            first_seed=first_seed,
            seeds_count=seeds_count,
            until_width=until_width,
            steps_max=steps_max,
            rare=rare,
            columns=columns,
            identity=_identity(scenario, points, columns, steps_max) | {"rare": rare},
        )

    def digest(self) -> str:
        """Return a fingerprint of the identity."""
        text = json.dumps(self.identity, sort_keys=True, ensure_ascii=False)
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def properties(self) -> tuple[str, ...]:
        """Return the names of the properties that every run is judged by."""
        return properties_in(self.columns)

    def runs_count(self) -> int:
        """Return how many runs there are at most."""
        return len(self.points) * self.seeds_count


def stored_plan(identity: Mapping[str, Any], seeds: tuple[int, int]) -> Plan:
    """Return the plan of a campaign from its identity, for reading its results.

    Args:
        identity: as a results file holds it.
        seeds: (lowest, how many from there on).

    Raises:
        InvalidScenario: there is no such scenario any more.
    """
    points = tuple(
        Point(
            index=index,
            coordinator=described["coordinator"],
            cell=described["cell"],
            given=described["given"],
        )
        for index, described in enumerate(identity["points"])
    )
    cell_names = list(points[0].cell)
    return Plan(
        scenario=find_scenario(identity["scenario"]),
        points=points,
        coordinators=tuple(dict.fromkeys(point.coordinator for point in points)),
        grid={
            name: tuple(dict.fromkeys(point.cell[name] for point in points))
            for name in cell_names
        },
        first_seed=seeds[0],
        seeds_count=seeds[1],
        until_width=None,
        steps_max=identity["steps_max"],
        rare=identity["rare"],
        columns=tuple(identity["columns"]),
        identity=identity,
    )


def settings_of(scenario: Scenario, given: Mapping[str, str]) -> Any:
    """Return the settings of a point; a scenario without time in its small sizes."""
    return scenario.settings(given, is_small=not scenario.is_timed)


def parse_grid(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read NAME=VALUE,VALUE,... as given on a command line.

    Raises:
        InvalidScenario: it is none, or a name comes twice.
    """
    grid: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, separator, values = text.partition("=")
        if not separator or not name.strip():
            raise InvalidScenario(
                f"--grid {text!r}: expected NAME=VALUE,VALUE,... as in workers=1,2,4"
            )
        if name.strip() in grid:
            raise InvalidScenario(
                f"--grid {text!r}: {name.strip()} has its values already\n"
                "next: give all values of a parameter at once, as in workers=1,2,4"
            )
        parts = [part.strip() for part in values.split(",")]
        grid[name.strip()] = tuple(part for part in parts if part)
    return grid


def _points(
    scenario: Scenario,
    names: Sequence[str],
    cells: Sequence[Mapping[str, str]],
    given: Mapping[str, str],
) -> list[Point]:
    points: list[Point] = []
    for cell in cells:
        here = {**given, **cell}
        settings_of(scenario, here)
        points += [
            Point(
                index=len(points) + place, coordinator=name, cell=dict(cell), given=here
            )
            for place, name in enumerate(names)
        ]
    return points


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if list(names).count(name) > 1:
            raise InvalidScenario(
                f"coordinator {name!r} is named twice: its runs would be the same"
            )
    return tuple(names)


def _checked_grid(
    scenario: Scenario, grid: Grid, given: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    known = list(scenario.settings_type.__dataclass_fields__)
    values = {}
    cells_count = 1
    for name, objects in grid.items():
        if name not in known:
            raise unknown_name(f"{scenario.name} parameter", name, known)
        if name == SEED:
            raise InvalidScenario(
                "a grid over 'seed': seeds belong to the runs of every point\n"
                "next: --seeds N, and --first-seed N to start elsewhere"
            )
        if name in given:
            raise InvalidScenario(
                f"parameter {name!r} is set to {given[name]!r} and is in the grid too\n"
                "next: leave one of the two out"
            )
        if not objects:
            raise InvalidScenario(
                f"the grid has no value for {name!r}\n"
                f"  expected  {name}=VALUE,VALUE,..."
            )
        texts = [as_text(one) for one in objects]
        if len(dict.fromkeys(texts)) < len(texts):
            raise InvalidScenario(
                f"the grid has a value of {name!r} twice: {', '.join(texts)}"
            )
        values[name] = tuple(texts)
        cells_count *= len(texts)
    if SEED in given:
        raise InvalidScenario(
            f"'seed' is set to {given[SEED]!r}, and a campaign has many seeds\n"
            "next: --seeds N, and --first-seed N to start elsewhere"
        )
    if cells_count > POINTS_MAX:
        raise InvalidScenario(
            f"the grid has {cells_count:,} cells, at most {POINTS_MAX:,}"
        )
    return values


def _check_numbers(
    seeds_count: int, first_seed: int, until_width: float | None
) -> None:
    last = first_seed + seeds_count - 1
    if seeds_count < 1 or not 0 <= first_seed <= last <= SEED_MAX:
        raise InvalidScenario(
            f"{seeds_count} seeds from {first_seed} on\n"
            "  expected  at least one seed, and none below zero or beyond 2^63 - 1"
        )
    if until_width is not None and not 0.0 < until_width < 1.0:
        raise InvalidScenario(
            f"an interval of a rate of width {until_width!r}\n"
            "  expected  a number between 0 and 1, such as 0.02"
        )


def _check_rare(scenario: Scenario, rare: str, until_width: float | None) -> None:
    if not rare:
        return
    if scenario.is_timed:
        raise InvalidScenario(
            f"scenario {scenario.name!r} has virtual time: its runs are not drawn"
            " schedules, so none can be drawn more often\n"
            "next: leave --rare out"
        )
    if rare not in properties_of(scenario):
        raise unknown_name("property", rare, list(properties_of(scenario)))
    if until_width is not None:
        raise InvalidScenario(
            "--rare and --until-width: an interval of weighed runs holds for a number"
            " of runs that was fixed before\nnext: leave one of the two out"
        )


def _identity(
    scenario: Scenario,
    points: Sequence[Point],
    columns: tuple[str, ...],
    steps_max: int,
) -> dict[str, Any]:
    described = []
    for point in points:
        settings = plain(asdict(settings_of(scenario, point.given)))
        settings.pop(SEED, None)
        described.append(
            {
                "coordinator": point.coordinator,
                "cell": dict(point.cell),
                "given": dict(point.given),
                "settings": settings,
                "files": {
                    name: file_digest(settings[name])
                    for name in scenario.files
                    if settings[name]
                },
            }
        )
    return {
        "format": FORMAT_VERSION,
        "scenario": scenario.name,
        "points": described,
        "columns": list(columns),
        "steps_max": steps_max,
        "code": {
            name: code_digest(scenario, name)
            for name in dict.fromkeys(point.coordinator for point in points)
        },
    }

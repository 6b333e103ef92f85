"""`@world`: the one way to declare a world, whoever's it is.

    @wc.world(sizes={"orders": 2}, code={"now": ship_next, "fixed": ship_locked})
    def shipping(w):
        ...

The function builds: it is called once for each world, with a `WorldBuilder`. What it
returns is the world, if it returns one; else the builder itself is.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, make_dataclass
from datetime import timedelta
from traceback import extract_tb
from typing import Annotated, Any, Final, overload

from annotated_types import Ge, Le

from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.worlds.building import Builder
from wavecheck.sim.errors import InvalidScenario, WavecheckError
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.surroundings import Outside, made_outside
from wavecheck.sim.world import World
from wavecheck.sim.worlds.builder import WorldBuilder

Builds = Callable[[WorldBuilder], object]
"""Builds a world; returns None, or a world of its own making."""

PARAMETER_TYPES: Final = (bool, int, float, str, timedelta)
AS_WRITTEN: Final = "as-written"
"""The name of the only code of a world that names none."""

SIZE_MAX: Final = 10_000
"""Of a size; a world beyond it takes longer to be made than to be run."""


@overload
def world(build: Builds, **options: Any) -> Scenario: ...
@overload
def world(**options: Any) -> Callable[[Builds], Scenario]: ...
def world(build: Builds | None = None, **options: Any) -> Any:
    """Declare a world by the function that builds it; the options are `declare`'s.

    Args:
        build: the function, where this is used as a plain decorator.
        options: as of `declare`.

    Returns:
        The world as a `Scenario`, which every command and call takes.
    """
    if build is None:
        return lambda function: declare(function, **options)
    return declare(build, **options)


def declare(
    build: Builds,
    *,
    name: str = "",
    summary: str = "",
    sizes: Mapping[str, int] | None = None,
    least: Mapping[str, int] | None = None,
    parameters: Mapping[str, object] | None = None,
    settings: type[Any] | None = None,
    small: Mapping[str, Any] | None = None,
    code: Mapping[str, Any] | None = None,
    default: str = "",
    methods: Sequence[str] = (),
    is_timed: bool = False,
    mutants: Sequence[Mutant] = (),
    claims: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None = None,
    collection: str = "",
    files: Sequence[str] = (),
) -> Scenario:
    """Return the world that a function builds.

    Args:
        build: builds it.
        name: by which a package registers it; the function's place if not given.
        summary: one sentence; the first line of the function's documentation if not
            given.
        sizes: what can grow and be made smaller, with its usual value, at most 10,000.
        least: the least value of a size, where that is not 1.
        parameters: what else can be set, with its usual value: a number, a text, a
            truth value or a `timedelta`. They are never made smaller.
        settings: a frozen dataclass instead of `sizes` and `parameters`; sizes are then
            named by `least`.
        small: settings for search and proof, where the usual ones are too large.
        code: what can be under test, by name; the first one is as it was.
        default: the code that is meant where none is named; the first if not given.
        methods: the coroutine methods that a class under test must have.
        is_timed: it has virtual time, so `run` and `compare` make sense.
        mutants: weaker statements, to try whether a search finds faults at all.
        claims: judges what a report claims, on the timed runs of a comparison.
        collection: the collection of exhibits that it belongs to.
        files: parameters that name files.

    Raises:
        InvalidScenario: a size or parameter that is none, with its line.
    """
    least = dict(least or {})
    settings_type = settings or _settings_type(
        build, sizes or {}, least, parameters or {}
    )
    doc = (inspect.getdoc(build) or "").partition("\n")[0]
    return Scenario(
        name=name,
        summary=summary or doc or build.__name__.replace("_", " "),
        settings_type=settings_type,
        coordinators=dict(code or {AS_WRITTEN: None}),
        methods=tuple(methods),
        build=_Build(build),
        small=dict(small or {}),
        sizes=least if settings else {one: least.get(one, 1) for one in sizes or {}},
        is_timed=is_timed,
        mutants=tuple(mutants),
        claims=claims,
        collection=collection,
        files=tuple(files),
        default=default,
        declared_by=build,
    )


class _Build:
    """Builds a world by its function, and says where that fails."""

    def __init__(self, function: Builds) -> None:
        self._function = function

    def __call__(self, kernel: Kernel, code: Any, settings: Any) -> World:
        builder = Builder(kernel, code, settings)
        try:
            made = made_outside(Outside(kernel.seed), self._function, builder)
        except WavecheckError:
            raise
        except Exception as error:
            last = extract_tb(error.__traceback__)[-1]
            raise InvalidScenario(
                f"{self._function.__name__} raises while it is built:"
                f" {type(error).__name__}: {error}\n"
                f"  at  {last.filename}:{last.lineno}: {last.line}"
            ) from error
        if made is not None:
            return made  # type: ignore[return-value]  # a world of its own making
        builder.close()
        return builder


def _settings_type(
    build: Any,
    sizes: Mapping[str, int],
    least: Mapping[str, int],
    parameters: Mapping[str, object],
) -> type[Any]:
    """Return the dataclass of what can be set, with its bounds."""
    code = build.__code__
    place = f"{code.co_filename}:{code.co_firstlineno}: {build.__name__}"
    fields: list[Any] = []
    for name, value in sizes.items():
        lowest = least.get(name, 1)
        if type(value) is not int or not lowest <= value <= SIZE_MAX:
            raise InvalidScenario(
                f"{place}: size {name!r} is {value!r}\n"
                f"  expected  a whole number of {lowest} to {SIZE_MAX:,}\n"
                f"next: least={{{name!r}: ...}} allows smaller ones, and a parameter"
                " has no bounds"
            )
        bounds = Annotated[int, Ge(lowest), Le(SIZE_MAX)]
        fields.append((name, bounds, field(default=value)))
    for name in least:
        if name not in sizes:
            raise InvalidScenario(f"{place}: least names {name!r}, which is no size")
    for name, usual in parameters.items():
        if name in sizes or type(usual) not in PARAMETER_TYPES:
            raise InvalidScenario(
                f"{place}: parameter {name!r} is {usual!r}\n"
                "  expected  a number, a text, a truth value or a timedelta, and a name"
                " that no size has"
            )
        fields.append((name, type(usual), field(default=usual)))
    return make_dataclass("Settings", fields, frozen=True, kw_only=True)

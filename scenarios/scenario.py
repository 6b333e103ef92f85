"""A scenario: a declared world, as every command takes it.

Knows how user input (KEY=VALUE) becomes validated settings. Knows no command line and
no search.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.property import Property
from wavecheck.sim.trace import plain
from wavecheck.sim.world import World, statements_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing to try coordinators in.

    Attributes:
        name: as on the command line.
        summary: one sentence.
        settings_type: frozen dataclass of what can be set, with bounds.
        coordinators: code under test by name, in the order of reports: classes, or
            functions; None where the world names no code.
        methods: the coroutine methods that a class must have here; empty: any code.
        build: makes the world on a kernel.
        small: settings for search and proof, where the defaults are too large.
        sizes: settings that shrinking may lower, batches first, with their least value.
        is_timed: it has virtual time, so `run` and `compare` make sense.
        mutants: weaker statements, to try whether a search finds faults at all.
        collection: the collection of exhibits that it belongs to; empty: none.
        files: settings that name files: what those hold is part of a campaign.
        default: the code that is meant where none is named; empty: the first.
        claims: judges what a report claims, on the timed runs of a comparison by
            coordinator; None: there is no such report.
        declared_by: the function that builds it.
        takes: what the constructor of a coordinator takes: `db`, which offers the
            protocol's statements, or a `connection` for SQL of its own.
    """

    name: str
    summary: str
    settings_type: type[Any]
    coordinators: Mapping[str, Any]
    methods: tuple[str, ...]
    build: Callable[[Kernel, Any, Any], World]
    small: Mapping[str, Any]
    sizes: Mapping[str, int]
    is_timed: bool
    mutants: tuple[Mutant, ...] = ()
    collection: str = ""
    files: tuple[str, ...] = ()
    default: str = ""
    claims: Callable[[Mapping[str, Any]], tuple[Any, ...]] | None = None
    declared_by: Callable[..., Any] | None = None
    takes: str = "db"

    @property
    def default_coordinator(self) -> str:
        """Return the code that is meant where none is named."""
        return self.default or next(iter(self.coordinators))

    def settings(
        self, given: Mapping[str, object] | None = None, *, is_small: bool = False
    ) -> Any:
        """Return validated settings.

        Args:
            given: what the user set, by name; values, or text as on the command line.
            is_small: start from the small sizes instead of the defaults.

        Raises:
            InvalidScenario: unknown parameter, or a value outside its bounds.
        """
        given = {name: as_text(value) for name, value in (given or {}).items()}
        known = [field.name for field in fields(self.settings_type)]
        for name in given:
            if name not in known:
                raise unknown_name(f"{self.name} parameter", name, known)
        base = dict(self.small) if is_small else {}
        texts = {name: as_text(value) for name, value in {**base, **given}.items()}
        for field in fields(self.settings_type):
            if field.type is timedelta and field.name in texts:
                texts[field.name] = _duration(texts[field.name])
        try:
            return TypeAdapter(self.settings_type).validate_strings(texts)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise InvalidScenario(
                f"parameter {name!r} of scenario {self.name!r}\n"
                f"  expected  {first['msg']}\n"
                f"  got       {first['input']!r}\n"
                f"next: wavecheck list scenarios"
            ) from error

    def properties(self) -> tuple[Property, ...]:
        """Return the properties that its worlds are judged by."""
        return self._example().properties

    def statements(self) -> frozenset[str]:
        """Return the names of the statements that its worlds offer."""
        return frozenset(statements_in(self._example()))

    def _example(self) -> World:
        first = next(iter(self.coordinators.values()))
        kernel = Kernel(timed=self.is_timed)
        return self.build(kernel, first, self.settings(is_small=True))


def as_text(value: object) -> str:
    """Return a setting's value as it is written on the command line."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _duration(text: str) -> str:
    """Return a time such as 7, 2.5s, 300ms or 2m in ISO 8601; others as they are."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", text.strip())
    if found is None:
        return text
    seconds = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}[found[2]]
    return f"PT{float(found[1]) * seconds:.6f}S"


def plain_settings(settings: Any) -> dict[str, Any]:
    """Return settings as plain data, by name; durations in seconds."""
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else plain(value)
        for name, value in asdict(settings).items()
    }

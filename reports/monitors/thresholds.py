"""The thresholds of the monitors, from settings by name."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.sim.errors import unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When the monitors fire; the names and bounds are those of the scenarios.

    Attributes:
        pending_limit_seconds: a processing wave has pending batches for longer.
        not_decreasing_seconds: a derived wave's pending count stands still for longer.
        calls_max: one wave has more dispatch calls.
    """

    pending_limit_seconds: float
    not_decreasing_seconds: float
    calls_max: int

    @classmethod
    def of(cls, given: Mapping[str, object]) -> "Thresholds":
        """Return the thresholds of `import-job`, with those that are given.

        Raises:
            InvalidScenario: no threshold of that name, or a value outside its bounds.
        """
        names = [field.name for field in fields(cls)]
        for name in given:
            if name not in names:
                raise unknown_name("threshold", name, names)
        settings = find_scenario("import-job").settings(given)
        return cls(**{name: getattr(settings, name) for name in names})


def milliseconds_of(seconds: float) -> int:
    """Return whole milliseconds, at least one."""
    return max(1, round(seconds * 1_000))

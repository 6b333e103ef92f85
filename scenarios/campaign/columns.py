"""The columns of a campaign's runs: what is measured, and how a run becomes a row.

A row is flat and holds numbers, a fingerprint and nothing else, so that it fits a table
of any kind. A value that a run does not have is None.

Units: columns that end in `_us` are microseconds of virtual time.
"""

from typing import Final

from wavecheck.scenarios.pipeline.alerts import ALERTS
from wavecheck.scenarios.pipeline.measurement import Measurement
from wavecheck.scenarios.scenario import Scenario

Cell = int | float | str | None
Row = tuple[Cell, ...]
"""The values of one run, in the order of its plan's columns."""

TIMED: Final = {
    "first_derived_dispatch_us": "time to the first derived dispatch",
    "makespan_us": "makespan",
    "longest_pending_us": "longest pending time",
    "batches": "batches",
    "stranded_batches": "batches pending for ever",
    "doubled_batches": "batches sent more than once",
    "jobs": "jobs",
    "completed_jobs": "jobs completed",
    "stranded_jobs": "jobs with a stranded batch",
    "statements": "database statements",
    "messages": "messages sent",
    "dispatch_calls": "dispatch calls",
    "held_ids_max": "parent ids held at most",
    "steps": "steps",
    "digest": "fingerprint of the run",
}
"""The columns of a timed run after its properties and alerts, with their meaning."""

UNTIMED: Final = {
    "weight": "odds of the schedule, over those with which it was drawn",
    "steps": "steps",
    "digest": "fingerprint of the run",
}
"""The columns of a random schedule after its properties."""

DISTRIBUTED: Final = (
    "first_derived_dispatch_us",
    "makespan_us",
    "longest_pending_us",
    "statements",
    "held_ids_max",
)
"""The measures that reports show as distributions and compare in pairs."""


def alert_columns(name: str) -> tuple[str, str, str]:
    """Return the columns of one alert: right, false, and the time to detect."""
    return f"{name}_right", f"{name}_false", f"{name}_delay_us"


def properties_of(scenario: Scenario) -> tuple[str, ...]:
    """Return the names of the properties that a campaign in a scenario judges."""
    judged = scenario.properties()
    if not scenario.is_timed:
        judged = tuple(one for one in judged if one.moment.value != "timed runs")
    return tuple(one.name for one in judged)


def properties_in(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the properties among the columns of a run: those before all others."""
    first = "weight" if "weight" in columns else alert_columns(ALERTS[0])[0]
    return columns[: columns.index(first)]


def columns_of(scenario: Scenario) -> tuple[str, ...]:
    """Return the columns of a run in a scenario, properties first."""
    properties = properties_of(scenario)
    if not scenario.is_timed:
        return properties + tuple(UNTIMED)
    alerts = tuple(column for name in ALERTS for column in alert_columns(name))
    return properties + alerts + tuple(TIMED)


def row_of(measured: Measurement) -> Row:
    """Return a timed run as a row."""
    alerts = tuple(cell for counts in measured.alerts for cell in counts)
    return measured.outcomes + alerts + measured[2:]

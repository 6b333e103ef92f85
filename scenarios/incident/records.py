"""Rows of somebody's tables, checked and converted.

They come by our names of the columns, with whatever types their owner has. A bad one is
refused with table, row, column and value.
"""

import json
from collections.abc import Mapping as Named
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from wavecheck.coordinator import BatchState, JobState, WaveKind, WaveState
from wavecheck.scenarios.incident.mapping import Mapping
from wavecheck.scenarios.incident.timeline import Count
from wavecheck.scenarios.incident.timeline import Moment as PlausibleMoment
from wavecheck.sim.errors import InvalidScenario


def _moment(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, str):
        parsed = datetime.fromisoformat(value)
        return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return value


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else str(value)


def _ids(value: Any) -> Any:
    if isinstance(value, str):
        value = json.loads(value)
    return tuple(map(str, value)) if isinstance(value, list | tuple) else value


Moment = Annotated[PlausibleMoment, BeforeValidator(_moment)]
Text = Annotated[str, BeforeValidator(_text)]
Ids = Annotated[tuple[str, ...], BeforeValidator(_ids)]


class Record(BaseModel):
    """One row; unknown columns are refused."""

    model_config = ConfigDict(extra="forbid")


class BatchRecord(Record):
    """One row of `wave_batches`."""

    batch_id: str | int
    job_id: Text
    status: BatchState
    created_at: Moment | None
    wave_number: Count | None = None
    parent_ids: Ids | None = None
    dispatched_at: Moment | None = None
    completed_at: Moment | None = None
    attempt: Count | None = None


class WaveRecord(Record):
    """One row of `waves`."""

    job_id: Text
    wave_number: Count
    status: WaveState
    kind: WaveKind | None = None
    is_sealed: bool | None = None
    updated_at: Moment | None = None


class JobRecord(Record):
    """One row of `jobs`."""

    job_id: Text
    status: JobState
    parents_total: Count | None = None
    completed_at: Moment | None = None


class CallRecord(Record):
    """One logged dispatch call."""

    job_id: Text
    called_at: Moment | None
    wave_number: Count | None = None
    call_number: Count | None = None
    batches_dispatched: Count | None = None


class MessageRecord(Record):
    """One message that was sent."""

    batch_id: str | int
    attempt: Count | None = None
    sent_at: Moment | None = None


RECORDS: Final[dict[str, type[Record]]] = {
    "wave_batches": BatchRecord,
    "waves": WaveRecord,
    "jobs": JobRecord,
    "calls": CallRecord,
    "messages": MessageRecord,
}


_ENDED: Final = (
    "done", "success", "succeeded", "finished", "complete", "failed", "failure",
    "error", "cancelled", "canceled", "skipped", "aborted",
)  # fmt: skip
_AT_WORK: Final = ("running", "in_progress", "in progress", "active", "started")
SYNONYMS: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("wave_batches", "status"): {
        **dict.fromkeys(_ENDED, "completed"),
        **dict.fromkeys(_AT_WORK, "processing"),
        **dict.fromkeys(("new", "created", "waiting"), "pending"),
        **dict.fromkeys(("sent", "enqueued"), "dispatched"),
    },
    ("waves", "status"): {
        **dict.fromkeys(_ENDED, "completed"),
        **dict.fromkeys(_AT_WORK, "processing"),
        **dict.fromkeys(("new", "created", "waiting"), "pending"),
    },
    ("jobs", "status"): {
        **dict.fromkeys(_ENDED, "completed"),
        **dict.fromkeys((*_AT_WORK, "new", "created", "pending"), "processing"),
    },
}
"""What other people call our statuses, where there is one meaning only. A batch that
has failed or was skipped waits for nobody: it has ended."""


def assumed_statuses(
    rows: Named[str, Sequence[dict[str, Any]] | None], mapping: Mapping
) -> list[str]:
    """Say which statuses are taken for ours without the mapping saying so."""
    notes = []
    for (table, column), ours in SYNONYMS.items():
        counts: dict[str, int] = {}
        known = mapping.values.get((table, column), {})
        for row in rows.get(table) or ():
            value = row.get(column)
            if isinstance(value, str) and value not in known:
                counts[value] = counts.get(value, 0) + 1
        for value, count in sorted(counts.items()):
            meant = ours.get(value.lower(), value.lower())
            if meant != value and value.lower() in ours:
                notes.append(
                    f"{table}: {column} {value!r} ({count:,} rows) is taken for {meant}"
                )
    return notes


def records_of(
    table: str, rows: Sequence[dict[str, Any]], mapping: Mapping
) -> list[Any]:
    """Return the rows of one of our tables, checked.

    Raises:
        InvalidScenario: a row does not fit.
    """
    model = RECORDS[table]
    return [
        _record(table, number, model, row, mapping)
        for number, row in enumerate(rows, start=1)
    ]


def _record(
    table: str,
    number: int,
    model: type[Record],
    row: dict[str, Any],
    mapping: Mapping,
) -> Record:
    given = {}
    for column, value in row.items():
        known = mapping.values.get((table, column), {})
        text = str(value)
        if text in known:
            given[column] = known[text]
        elif isinstance(value, str) and column in ("status", "kind"):
            synonyms = SYNONYMS.get((table, column), {})
            given[column] = synonyms.get(text.lower(), text.lower())
        else:
            given[column] = value
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        column = str(first["loc"][0])
        advice = f"next: fix the row, or name its column under [{table}.columns]"
        if column in ("status", "kind"):
            advice = f"next: say what it means under [{table}.values.{column}]"
        raise InvalidScenario(
            f"{table}, row {number}, column {column}\n"
            f"  expected  {first['msg']}\n"
            f"  got       {first['input']!r:.200}\n"
            f"{advice}"
        ) from error

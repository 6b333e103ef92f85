"""Reading a recorded incident from two CSV files, strictly.

Files are data that people share: every cell is checked, and a bad one is refused with
file, line, column, value and what was expected. The recorded outcomes (`status`,
`batches_dispatched`) are read by people, not by the simulation.
"""

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.errors import InvalidScenario
from sim.pipeline.incident import Timeline

PUBLISHED_BATCHES: Final = "incident_batches.csv"
PUBLISHED_CALLS: Final = "incident_calls.csv"
_MICROSECOND: Final = timedelta(microseconds=1)

T = TypeVar("T", bound=BaseModel)


class BatchRecord(BaseModel):
    """One line of the batches file."""

    model_config = ConfigDict(extra="forbid")

    batch_id: str = Field(min_length=1, max_length=200)
    job_id: str = Field(min_length=1, max_length=200)
    wave_number: int = Field(ge=0)
    status: str
    created_at: datetime


class CallRecord(BaseModel):
    """One line of the calls file."""

    model_config = ConfigDict(extra="forbid")

    call_number: int = Field(ge=1)
    job_id: str = Field(min_length=1, max_length=200)
    wave_number: int = Field(ge=0)
    called_at: datetime
    batches_dispatched: int = Field(ge=0)


def read_timeline(batches_file: str, calls_file: str) -> Timeline:
    """Read an incident; an empty name means the published one.

    Raises:
        InvalidScenario: a file is missing or malformed, or the two do not fit together.
    """
    if bool(batches_file) is not bool(calls_file):
        missing = "calls" if batches_file else "batches"
        raise InvalidScenario(
            f"a recorded incident is a pair of files, and {missing!r} is missing\n"
            "next: give both --batches FILE and --calls FILE"
        )
    batches_path = Path(batches_file) if batches_file else _published(PUBLISHED_BATCHES)
    calls_path = Path(calls_file) if calls_file else _published(PUBLISHED_CALLS)
    batches = list(_records(batches_path, BatchRecord))
    calls = list(_records(calls_path, CallRecord))
    job_id, wave_number = batches[0][1].job_id, batches[0][1].wave_number
    seen: dict[str, int] = {}
    for line, batch in batches:
        _same_wave(batches_path, line, batch, job_id, wave_number)
        if batch.batch_id in seen:
            raise _refused(
                batches_path,
                line,
                "batch_id",
                batch.batch_id,
                f"an id that is not in line {seen[batch.batch_id]} already",
            )
        seen[batch.batch_id] = line
    numbers: dict[int, int] = {}
    for line, call in calls:
        _same_wave(calls_path, line, call, job_id, wave_number)
        if call.call_number in numbers:
            raise _refused(
                calls_path,
                line,
                "call_number",
                str(call.call_number),
                f"a number that is not in line {numbers[call.call_number]} already",
            )
        numbers[call.call_number] = line
    _same_kind_of_time(batches_path, calls_path, batches, calls)
    start = min(
        min(batch.created_at for _, batch in batches),
        min(call.called_at for _, call in calls),
    )
    return Timeline(
        job_id=job_id,
        wave_number=wave_number,
        batches=tuple(
            sorted(
                (_ticks(batch.created_at - start), batch.batch_id)
                for _, batch in batches
            )
        ),
        calls=tuple(
            sorted(
                (_ticks(call.called_at - start), call.call_number) for _, call in calls
            )
        ),
    )


def _published(name: str) -> Path:
    return Path(str(files("scenarios") / "data" / name))


def _ticks(duration: timedelta) -> int:
    return duration // _MICROSECOND


def _records(path: Path, model: type[T]) -> Iterator[tuple[int, T]]:
    """Yield (line number, record); there is at least one."""
    columns = list(model.model_fields)
    reader = csv.reader(StringIO(_text(path), newline=""), strict=True)
    count = 0
    try:
        header = next(reader, [])
        if header != columns:
            raise _refused(path, 1, "(header)", ",".join(header), ",".join(columns))
        for cells in reader:
            count += 1
            yield reader.line_num, _record(path, reader.line_num, model, cells)
    except csv.Error as error:
        raise InvalidScenario(
            f"{path}, line {reader.line_num}: not CSV: {error}"
        ) from error
    if count == 0:
        raise InvalidScenario(f"{path}: no records, expected at least one")


def _text(path: Path) -> str:
    """Return what a file holds; a byte that is no text is told with its line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidScenario(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise InvalidScenario(
            f"{path}, line {line}: byte {content[error.start]:#04x} is no text in UTF-8"
        ) from error


def _record(path: Path, line: int, model: type[T], cells: list[str]) -> T:
    columns = list(model.model_fields)
    if len(cells) != len(columns):
        raise _refused(path, line, "(line)", ",".join(cells), f"{len(columns)} columns")
    try:
        return model.model_validate_strings(dict(zip(columns, cells, strict=True)))
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(
            path, line, str(first["loc"][0]), str(first["input"]), first["msg"]
        ) from error


def _same_wave(
    path: Path,
    line: int,
    record: BatchRecord | CallRecord,
    job_id: str,
    wave_number: int,
) -> None:
    if record.job_id != job_id:
        raise _refused(
            path, line, "job_id", record.job_id, f"one job throughout: {job_id!r}"
        )
    if record.wave_number != wave_number:
        raise _refused(
            path,
            line,
            "wave_number",
            str(record.wave_number),
            f"one wave throughout: {wave_number}",
        )


def _same_kind_of_time(
    batches_path: Path,
    calls_path: Path,
    batches: list[tuple[int, BatchRecord]],
    calls: list[tuple[int, CallRecord]],
) -> None:
    """Refuse a mix of moments with and without a zone: they cannot be compared."""
    has_zone = batches[0][1].created_at.tzinfo is not None
    expected = "a time zone, as in the first line" if has_zone else "no time zone"
    for line, batch in batches:
        if (batch.created_at.tzinfo is not None) is not has_zone:
            value = batch.created_at.isoformat()
            raise _refused(batches_path, line, "created_at", value, expected)
    for line, call in calls:
        if (call.called_at.tzinfo is not None) is not has_zone:
            value = call.called_at.isoformat()
            raise _refused(calls_path, line, "called_at", value, expected)


def _refused(
    path: Path, line: int, column: str, value: str, expected: str
) -> InvalidScenario:
    return InvalidScenario(
        f"{path}, line {line}, column {column}\n"
        f"  expected  {expected}\n"
        f"  got       {value!r}\n"
        "next: mend that cell; scenarios/data in the project shows the format"
    )

"""Reading a recorded incident from two CSV files, strictly.

Files are data that people share: every cell is checked, and a bad one is refused with
file, line, column, value and what was expected. The recorded outcomes (`status`,
`batches_dispatched`) are read by people, not by the simulation. Columns that a file may
have beside those it must have are what `calibration` measures times from.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Annotated, Final, TypeVar

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from wavecheck.scenarios.pipeline.incident import Timeline
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import read_text

PUBLISHED_BATCHES: Final = "batches.csv"
PUBLISHED_CALLS: Final = "calls.csv"
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

FIRST_YEAR, LAST_YEAR = 1970, 2200


def _plausible(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year < LAST_YEAR:
        raise ValueError(f"a moment between the years {FIRST_YEAR} and {LAST_YEAR}")
    return moment


Moment = Annotated[datetime, AfterValidator(_plausible)]
Count = Annotated[int, Ge(0), Le(1_000_000_000)]

T = TypeVar("T", bound=BaseModel)


class BatchLine(BaseModel):
    """One line of the batches file."""

    model_config = ConfigDict(extra="forbid")

    batch_id: str = Field(min_length=1, max_length=200)
    job_id: str = Field(min_length=1, max_length=200)
    wave_number: Count
    status: str
    created_at: Moment
    dispatched_at: Moment | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None


class CallLine(BaseModel):
    """One line of the calls file."""

    model_config = ConfigDict(extra="forbid")

    call_number: int = Field(ge=1, le=1_000_000_000)
    job_id: str = Field(min_length=1, max_length=200)
    wave_number: Count
    called_at: Moment
    batches_dispatched: Count
    ended_at: Moment | None = None
    statements: Count | None = None


def read_timeline(batches_file: str, calls_file: str) -> Timeline:
    """Read an incident; an empty name means the published one.

    Raises:
        InvalidScenario: a file is missing or malformed, or the two do not fit together.
    """
    batches, calls = read_records(batches_file, calls_file)
    start = min(
        min(batch.created_at for batch in batches),
        min(call.called_at for call in calls),
    )
    return Timeline(
        job_id=batches[0].job_id,
        wave_number=batches[0].wave_number,
        batches=tuple(
            sorted((_ticks(one.created_at - start), one.batch_id) for one in batches)
        ),
        calls=tuple(
            sorted((_ticks(one.called_at - start), one.call_number) for one in calls)
        ),
        started_at=_ticks(
            (start if start.tzinfo is not None else start.replace(tzinfo=UTC)) - _EPOCH
        ),
    )


def read_records(
    batches_file: str, calls_file: str
) -> tuple[list[BatchLine], list[CallLine]]:
    """Read the lines of both files of an incident; empty names: the published one.

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
    batches = list(_records(batches_path, BatchLine))
    calls = list(_records(calls_path, CallLine))
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
    has_zone = batches[0][1].created_at.tzinfo is not None
    _same_kind_of_time(batches_path, batches, has_zone=has_zone)
    _same_kind_of_time(calls_path, calls, has_zone=has_zone)
    return [batch for _, batch in batches], [call for _, call in calls]


def _published(name: str) -> Path:
    return Path(str(files("wavecheck.scenarios.incident") / "data" / name))


def _ticks(duration: timedelta) -> int:
    return duration // _MICROSECOND


def _records(path: Path, model: type[T]) -> Iterator[tuple[int, T]]:
    """Yield (line number, record); there is at least one."""
    fields = model.model_fields
    required = [name for name, one in fields.items() if one.is_required()]
    reader = csv.reader(StringIO(read_text(path), newline=""), strict=True)
    count = 0
    try:
        header = next(reader, [])
        more = header[len(required) :]
        is_known = all(more.count(name) == 1 and name in fields for name in more)
        if header[: len(required)] != required or not is_known:
            raise _refused(
                path, 1, "(header)", ",".join(header), _expected_header(model, required)
            )
        for cells in reader:
            count += 1
            yield reader.line_num, _record(path, reader.line_num, model, header, cells)
    except csv.Error as error:
        raise InvalidScenario(
            f"{path}, line {reader.line_num}: not CSV: {error}"
        ) from error
    if count == 0:
        raise InvalidScenario(f"{path}: no records, expected at least one")


def _expected_header(model: type[BaseModel], required: list[str]) -> str:
    optional = [name for name in model.model_fields if name not in required]
    return f"{','.join(required)}, and after them, if there are any: " + ", ".join(
        optional
    )


def _record(
    path: Path, line: int, model: type[T], header: list[str], cells: list[str]
) -> T:
    if len(cells) != len(header):
        raise _refused(path, line, "(line)", ",".join(cells), f"{len(header)} columns")
    fields = model.model_fields
    named = {
        name: cell
        for name, cell in zip(header, cells, strict=True)
        if cell or fields[name].is_required()  # an empty optional cell is no value
    }
    try:
        return model.model_validate_strings(named)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(
            path, line, str(first["loc"][0]), str(first["input"]), first["msg"]
        ) from error


def _same_wave(
    path: Path,
    line: int,
    record: BatchLine | CallLine,
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
    path: Path, records: Sequence[tuple[int, BaseModel]], *, has_zone: bool
) -> None:
    """Refuse a mix of moments with and without a zone: they cannot be compared."""
    expected = "a time zone, as in the first line" if has_zone else "no time zone"
    for line, record in records:
        for column, value in record:
            if not isinstance(value, datetime):
                continue
            if (value.tzinfo is not None) is not has_zone:
                raise _refused(path, line, column, value.isoformat(), expected)


def _refused(
    path: Path, line: int, column: str, value: str, expected: str
) -> InvalidScenario:
    return InvalidScenario(
        f"{path}, line {line}, column {column}\n"
        f"  expected  {expected}\n"
        f"  got       {value!r}\n"
        "next: fix that cell; scenarios/incident/data in the project shows the format"
    )

"""What is known of a job that went wrong: rows and calls, as values of our own.

What a schema does not have is assumed, and every assumption is said.

Units: ticks since the earliest moment in the evidence, which is `started_at`.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Named
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from wavecheck.coordinator import (
    Batch,
    BatchState,
    Job,
    JobState,
    Wave,
    WaveKind,
    WaveState,
)
from wavecheck.coordinator.sql import Rows
from wavecheck.scenarios.incident.mapping import Mapping
from wavecheck.scenarios.incident.records import (
    RECORDS,
    BatchRecord,
    CallRecord,
    JobRecord,
    MessageRecord,
    WaveRecord,
    assumed_statuses,
    records_of,
)
from wavecheck.sim.errors import InvalidScenario

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SPANS_MAX: Final = 5
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One dispatch call that was logged.

    Attributes:
        number: from 1, in order of time.
        wave_number: of which wave.
        called_at: ticks.
        batches_dispatched: how many batches it sent; None: nobody noted it.
    """

    number: int
    wave_number: int
    called_at: int
    batches_dispatched: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvidence:
    """Everything that is known of one job.

    Attributes:
        job: its row.
        waves: its waves, ascending.
        batches: its batches, ascending by id.
        calls: the logged dispatch calls, by time; None: no log.
        sends: (batch id, attempt) of every message; None: nobody kept them.
        started_at: ticks from 1970 to the earliest moment.
        assumptions: what the evidence does not say and is taken for granted.
        unknown: properties that cannot be judged, and why.
    """

    job: Job
    waves: tuple[Wave, ...]
    batches: tuple[Batch, ...]
    calls: tuple[CallRow, ...] | None
    sends: tuple[tuple[str, int], ...] | None
    started_at: int
    assumptions: tuple[str, ...]
    unknown: Named[str, str]
    _by_wave: Named[int, Sequence[Batch]] = field(init=False, repr=False)
    _calls_by_wave: Named[int, Sequence[CallRow]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_wave: dict[int, list[Batch]] = {}
        for one in self.batches:
            by_wave.setdefault(one.wave_number, []).append(one)
        calls: dict[int, list[CallRow]] = {}
        for call in self.calls or ():
            calls.setdefault(call.wave_number, []).append(call)
        object.__setattr__(self, "_by_wave", by_wave)
        object.__setattr__(self, "_calls_by_wave", calls)

    def of_wave(self, wave_number: int) -> Sequence[Batch]:
        """Return the batches of one wave, ascending by id."""
        return self._by_wave.get(wave_number, ())

    def calls_of_wave(self, wave_number: int) -> Sequence[CallRow]:
        """Return the logged calls of one wave, by time."""
        return self._calls_by_wave.get(wave_number, ())

    def clock(self, ticks: int) -> str:
        """Return a moment for people, in UTC, up to milliseconds."""
        return self.moment(ticks)[:-4].replace("T", " ")

    def moment(self, ticks: int) -> str:
        """Return a moment in ISO 8601, in UTC, up to microseconds."""
        moment = EPOCH + timedelta(microseconds=self.started_at + ticks)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def evidence_of(
    rows: Named[str, Rows | None], job_id: str, mapping: Mapping
) -> IncidentEvidence:
    """Return checked evidence.

    Args:
        rows: by our names of tables and columns; None: there is no such table.
        job_id: whose rows they are.
        mapping: their values for our statuses.

    Raises:
        InvalidScenario: a row does not fit, or two rows are of the same thing.
    """
    found = {name: records_of(name, rows.get(name) or [], mapping) for name in RECORDS}
    batches: list[BatchRecord] = found["wave_batches"]
    notes = assumed_statuses(rows, mapping)
    notes += _filled(batches, found["calls"])
    calls: list[CallRecord] = [one for one in found["calls"] if one.called_at]
    _refuse_doubles(found)
    started_at = min(
        moment
        for moment in [one.created_at for one in batches]
        + [one.called_at for one in calls]
        if moment is not None
    )
    name_of = _names(batches)
    waves, wave_notes = _waves(found["waves"], batches, started_at)
    job, job_notes, unknown = _job(found["jobs"], job_id, started_at)
    messages: list[MessageRecord] = found["messages"]
    sends = None
    if rows.get("messages") is not None:
        sends = tuple(
            (name_of(one.batch_id), one.attempt or 0)
            for one in messages
            if "sent_at" not in one.model_fields_set or one.sent_at is not None
        )
    return IncidentEvidence(
        job=job,
        waves=waves,
        batches=tuple(
            sorted(_batch(one, name_of(one.batch_id), started_at) for one in batches)
        ),
        calls=_calls(calls, started_at) if rows.get("calls") is not None else None,
        sends=sends,
        started_at=(started_at - EPOCH) // _MICROSECOND,
        assumptions=(*notes, *job_notes, *wave_notes),
        unknown=unknown,
    )


def _filled(batches: Sequence[BatchRecord], calls: Sequence[CallRecord]) -> list[str]:
    """Fill in waves and moments that the rows do not have; return what was assumed.

    Raises:
        InvalidScenario: no row says when anything happened.
    """
    notes = []
    if any(one.wave_number is None for one in batches):
        notes.append("nothing says in which waves the batches are: all in wave 1")
    for batch in batches:
        batch.wave_number = 1 if batch.wave_number is None else batch.wave_number
    for call in calls:
        call.wave_number = 1 if call.wave_number is None else call.wave_number
    known = [
        moment
        for one in batches
        for moment in (one.created_at, one.dispatched_at, one.completed_at)
        if moment is not None
    ]
    if not known:
        raise InvalidScenario(
            "no batch says when it was created, sent or completed\n"
            "next: name the column of moments as created_at under"
            " [wave_batches.columns]"
        )
    missing = [one for one in batches if one.created_at is None]
    for one in missing:
        one.created_at = one.dispatched_at or one.completed_at or min(known)
    if missing:
        notes.append(
            f"{len(missing):,} batches do not say when they were created: when they"
            " were sent or completed, or else at the job's first moment"
        )
    unlogged = sum(one.called_at is None for one in calls)
    if unlogged:
        notes.append(f"{unlogged:,} calls without a moment are left out")
    return notes


def _refuse_doubles(found: Named[str, Sequence[Any]]) -> None:
    keys: dict[str, Callable[[Any], Any]] = {
        "wave_batches": lambda one: str(one.batch_id),
        "waves": lambda one: one.wave_number,
        "jobs": lambda one: one.job_id,
    }
    for table, key in keys.items():
        seen: dict[Any, int] = {}
        for number, one in enumerate(found[table], start=1):
            first = seen.setdefault(key(one), number)
            if first != number:
                raise InvalidScenario(
                    f"{table}, row {number}: {key(one)!r} is in row {first} already\n"
                    "next: leave one of the two out, or name the column that tells them"
                    f" apart under [{table}.columns]"
                )


def _ticks(moment: datetime | None, start: datetime) -> int | None:
    return None if moment is None else (moment - start) // _MICROSECOND


def _names(batches: Sequence[BatchRecord]) -> Any:
    """Return what turns an id into text that sorts as their owner sorts ids."""
    widths = [
        len(str(one.batch_id)) for one in batches if isinstance(one.batch_id, int)
    ]
    width = max(widths, default=0)
    return lambda name: f"{name:0{width}d}" if isinstance(name, int) else name


def _batch(one: BatchRecord, name: str, start: datetime) -> Batch:
    return Batch(
        batch_id=name,
        job_id=one.job_id,
        wave_number=one.wave_number or 0,
        status=one.status,
        parent_ids=one.parent_ids or (),
        created_at=_ticks(one.created_at, start) or 0,
        dispatched_at=_ticks(one.dispatched_at, start),
        completed_at=_ticks(one.completed_at, start),
        attempt=one.attempt or 0,
    )


def _calls(calls: Sequence[CallRecord], start: datetime) -> tuple[CallRow, ...]:
    by_time = sorted(
        calls, key=lambda one: (_ticks(one.called_at, start) or 0, one.call_number or 0)
    )
    return tuple(
        CallRow(
            number=number,
            wave_number=one.wave_number or 0,
            called_at=_ticks(one.called_at, start) or 0,
            batches_dispatched=one.batches_dispatched,
        )
        for number, one in enumerate(by_time, start=1)
    )


def _job(
    jobs: Sequence[JobRecord], job_id: str, start: datetime
) -> tuple[Job, list[str], dict[str, str]]:
    if not jobs:
        why = "there is no table of jobs"
        unknown = {"job_completes": why, "no_premature_completion": why}
        return (
            Job(job_id, JobState.PROCESSING, 0, None),
            [f"{why}: still open"],
            unknown,
        )
    one = jobs[0]
    total, completed_at = one.parents_total or 0, _ticks(one.completed_at, start)
    return Job(job_id, one.status, total, completed_at), [], {}


def _waves(
    waves: Sequence[WaveRecord], batches: Sequence[BatchRecord], start: datetime
) -> tuple[tuple[Wave, ...], list[str]]:
    known = {one.wave_number: one for one in waves}
    by_wave: dict[int, list[BatchRecord]] = {}
    for batch in batches:
        by_wave.setdefault(batch.wave_number or 0, []).append(batch)
    notes: dict[str, list[int]] = {}
    made = []
    for number in sorted({*known, *by_wave}):
        one, mine = known.get(number), by_wave.get(number, [])
        kind = one.kind if one is not None else None
        if kind is None:
            kind = WaveKind.DERIVED
            notes.setdefault("nothing says what kind it is: derived", []).append(number)
        if one is not None:
            status = one.status
        else:
            is_idle = all(batch.status is BatchState.PENDING for batch in mine)
            status = WaveState.PENDING if is_idle else WaveState.PROCESSING
            told = f"it has no row: {status}, as its batches show"
            notes.setdefault(told, []).append(number)
        is_sealed = one.is_sealed if one is not None else None
        if is_sealed is None:
            is_sealed = True
            told = "nothing says whether it is sealed: it is"
            notes.setdefault(told, []).append(number)
        updated_at = _ticks(one.updated_at, start) if one is not None else None
        made.append(
            Wave(
                job_id=mine[0].job_id if mine else waves[0].job_id,
                wave_number=number,
                kind=kind,
                record_type="",
                status=status,
                is_sealed=is_sealed,
                updated_at=updated_at or 0,
            )
        )
    return tuple(made), [f"{spans(one)}: {text}" for text, one in notes.items()]


def spans(waves: Sequence[int]) -> str:
    """Return numbers of waves for people: `wave 3`, `waves 1 to 4, 7`.

    Args:
        waves: ascending.
    """
    runs: list[list[int]] = []
    for number in waves:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = [
        f"{one[0]} to {one[-1]}" if len(one) > 2 else ", ".join(map(str, one))
        for one in runs[:SPANS_MAX]
    ]
    if len(runs) > SPANS_MAX:
        left = sum(map(len, runs[SPANS_MAX:]))
        shown.append(f"and {left:,} more")
    return f"wave{'s' if len(waves) > 1 else ''} {', '.join(shown)}"

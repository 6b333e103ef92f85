"""The worker's statements: taking a message, moving its batch, ending leases.

A message is taken by one UPDATE that skips what another process is taking, so workers
neither wait for each other nor get the same message. Knows the schema; executes
nothing.
"""

from typing import Final

from sqlalchemy import TextualSelect, bindparam, null, text, update

from wavecheck.coordinator.sql.schema import BATCHES, QUEUE
from wavecheck.coordinator.states import ACTIVE_STATES, BatchState

_B: Final = BATCHES.c
_THIS_BATCH: Final = _B.batch_id == bindparam("of_batch")
_THIS_ATTEMPT: Final = _B.attempt == bindparam("of_attempt")
_NOW: Final = bindparam("now", type_=_B.created_at.type)
_UNTIL: Final = bindparam("until", type_=_B.lease_until.type)


_TAKE: Final = """\
UPDATE dispatch_queue SET taken_at = {now}
WHERE message_id = (
    SELECT message_id FROM dispatch_queue WHERE taken_at IS NULL
    ORDER BY message_id LIMIT 1{skipping}
)
RETURNING attempt, batch_id, {row}"""

_ROW: Final = ", ".join(
    f"(SELECT {name} FROM wave_batches AS named"
    f" WHERE named.batch_id = dispatch_queue.batch_id) AS {name}"
    for name in BATCHES.columns.keys()[1:]
)


def _take(now: str, skipping: str) -> TextualSelect:
    """Mark the oldest waiting message as taken; return it with the batch it names."""
    statement = text(_TAKE.format(now=now, skipping=skipping, row=_ROW))
    return statement.bindparams(_NOW).columns(QUEUE.c.attempt, *BATCHES.columns)


TAKE_BATCH: Final = {
    "postgresql": _take("CAST(:now AS timestamptz)", " FOR UPDATE SKIP LOCKED"),
    "sqlite": _take(":now", ""),  # has one writer: nobody else is taking
}
"""By name of SQLAlchemy's dialect."""

START_BATCH: Final = (
    update(BATCHES).where(_THIS_BATCH).values(status=BatchState.PROCESSING)
)

FINISH_BATCH: Final = (
    update(BATCHES)
    .where(_THIS_BATCH)
    .values(status=BatchState.COMPLETED, completed_at=_NOW)
)

START_LEASED: Final = START_BATCH.where(
    _B.status == BatchState.DISPATCHED, _THIS_ATTEMPT
).values(lease_until=_UNTIL)

FINISH_LEASED: Final = FINISH_BATCH.where(
    _B.status == BatchState.PROCESSING, _THIS_ATTEMPT
).values(lease_until=null())

EXPIRE_LEASES: Final = (
    update(BATCHES)
    .where(
        _B.job_id == bindparam("of_job"),
        _B.status.in_(ACTIVE_STATES),
        _B.lease_until < _NOW,
    )
    .values(status=BatchState.PENDING, lease_until=null())
)

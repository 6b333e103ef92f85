"""The tables, with the published report's names: `jobs`, `waves`, `wave_batches`.

The three tables have the columns of `wavecheck.coordinator.states`; three more hold
what the model keeps in a queue, a cache and a flag. Knows no statement, no connection.

Units: a moment is a whole number of microseconds since 1970 in Python, and a timestamp
with time zone in the database, so that people can read and compare it there.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def moment_of(microseconds: int) -> datetime:
    """Return microseconds since 1970 as a moment in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def microseconds_of(moment: datetime) -> int:
    """Return a moment as microseconds since 1970; without a zone it is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // _MICROSECOND


class Timestamp(TypeDecorator[int]):
    """Microseconds since 1970, kept as a timestamp in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """Return what the driver is given."""
        return None if value is None else moment_of(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Return what the caller is given."""
        return None if value is None else microseconds_of(value)


METADATA: Final = MetaData()
_IDS: Final = JSON().with_variant(JSONB(), "postgresql")
# SQLite counts up by itself in a column of exactly this type only.
# Ids are compared byte by byte everywhere, whatever the database's language is.
_ID: Final = String().with_variant(String(collation="C"), "postgresql")
_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")

JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("job_id", _ID, primary_key=True),
    Column("status", String, nullable=False),
    Column("parents_total", Integer, nullable=False),
    Column("completed_at", Timestamp),
)

WAVES: Final = Table(
    "waves",
    METADATA,
    Column("job_id", _ID, nullable=False),
    Column("wave_number", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("record_type", String, nullable=False),
    Column("status", String, nullable=False),
    Column("is_sealed", Boolean, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("job_id", "wave_number"),
    ForeignKeyConstraint(["job_id"], ["jobs.job_id"]),
)

BATCHES: Final = Table(
    "wave_batches",
    METADATA,
    Column("batch_id", _ID, primary_key=True),
    Column("job_id", _ID, nullable=False),
    Column("wave_number", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("parent_ids", _IDS, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("dispatched_at", Timestamp),
    Column("completed_at", Timestamp),
    Column("attempt", Integer, nullable=False),
    Column("lease_until", Timestamp),
    ForeignKeyConstraint(
        ["job_id", "wave_number"], ["waves.job_id", "waves.wave_number"]
    ),
    Index("wave_batches_by_status", "job_id", "wave_number", "status"),
)

QUEUE: Final = Table(
    "dispatch_queue",
    METADATA,
    Column("message_id", _NUMBER, primary_key=True, autoincrement=True),
    Column("batch_id", _ID, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sent_at", Timestamp),
    Column("taken_at", Timestamp),
)
"""Messages are kept when they are taken: two of one batch and attempt are a double
dispatch, and a query finds it. A message without `sent_at` was not sent but delivered
again."""
Index(
    "dispatch_queue_waiting",
    QUEUE.c.message_id,
    postgresql_where=QUEUE.c.taken_at.is_(None),
    sqlite_where=QUEUE.c.taken_at.is_(None),
)
Index("dispatch_queue_by_batch", QUEUE.c.batch_id)

CACHE: Final = Table(
    "parent_cache",
    METADATA,
    Column("entry_id", _NUMBER, primary_key=True, autoincrement=True),
    Column("job_id", _ID, nullable=False),
    Column("parent_id", _ID, nullable=False),
    Index("parent_cache_by_job", "job_id", "entry_id"),
)
"""Ids of finished parents that wait for their derived batch."""

FINISHED: Final = Table(
    "creation_finished",
    METADATA,
    Column("job_id", _ID, primary_key=True),
)
"""The listeners' flag: a row says that it is set."""

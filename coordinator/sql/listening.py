"""The listener's statements: the cache, the flag, derived batches, the seal.

A new batch gets the next number of its wave. Two listeners that insert at the same time
work out the same number, and the primary key lets only one of them have it: the other
statement inserts nothing and is made again. Knows the schema; executes nothing.

The two databases differ in how they unfold a list and pad a number, so the longer
statements are text with a fragment for each.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    TextClause,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.sql.dml import ReturningDelete

from wavecheck.coordinator.sql.schema import BATCHES, CACHE, FINISHED, Timestamp

_NOW: Final = bindparam("now", type_=Timestamp())
_IDS: Final = bindparam("ids", type_=BATCHES.c.parent_ids.type)

ACCUMULATE: Final = insert(CACHE)

COUNT_ACCUMULATED: Final = (
    select(func.count()).select_from(CACHE).where(CACHE.c.job_id == bindparam("of_job"))
)

IS_CREATION_FINISHED: Final = select(
    exists().where(FINISHED.c.job_id == bindparam("of_job"))
)

SET_CREATION_FINISHED: Final = text(
    "INSERT INTO creation_finished (job_id) VALUES (:of_job) ON CONFLICT DO NOTHING"
)


def _take() -> ReturningDelete[Any, Any]:
    """Delete the oldest ids that no other process is taking, and return them."""
    oldest = (
        select(CACHE.c.entry_id)
        .where(CACHE.c.job_id == bindparam("of_job"))
        .order_by(CACHE.c.entry_id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("oldest")  # evaluated once, whatever plan the server makes
    )
    return (
        delete(CACHE)
        .where(CACHE.c.entry_id.in_(select(oldest.c.entry_id)))
        .returning(CACHE.c.entry_id, CACHE.c.parent_id)
    )


TAKE_PARENTS: Final = _take()

_INSERT: Final = """\
INSERT INTO wave_batches
    (batch_id, job_id, wave_number, status, parent_ids, created_at, attempt)
SELECT :of_job || '-w' || {wave} || '-' || (
        SELECT {padded} FROM (
            SELECT count(*) + 1 AS number FROM wave_batches
            WHERE job_id = :of_job AND wave_number = :of_wave
        ) AS counted
    ), :of_job, {wave}, 'pending', ids, {now}, 0
FROM due WHERE true ON CONFLICT DO NOTHING RETURNING batch_id"""

_INSERT_DERIVED: Final = f"WITH due AS (SELECT {{ids}} AS ids)\n{_INSERT}"

_DUE: Final = """\
WITH uncovered AS (
    SELECT {parent_id} AS parent_id,
        row_number() OVER (ORDER BY done.batch_id, {place}) AS place
    FROM wave_batches AS done, {parents}
    WHERE done.job_id = :of_job AND done.wave_number = :of_parents
        AND done.status = 'completed'
        AND {is_outside} (
            SELECT {covered_id} FROM wave_batches AS derived, {covered}
            WHERE derived.job_id = :of_job AND derived.wave_number = :of_wave
                {is_it}
        )
),
folded AS (
    SELECT count(*) AS number, {folded} AS ids
    FROM (SELECT * FROM uncovered ORDER BY place LIMIT :most) AS first
),
due AS (
    SELECT ids FROM folded WHERE number = :most OR (number > 0 AND NOT EXISTS (
        SELECT 1 FROM wave_batches
        WHERE job_id = :of_job AND wave_number = :of_parents AND status <> 'completed'
    ))
)"""

_CREATE_ALONE: Final = f"{_DUE}\n{_INSERT}"
_CREATE_AMONG_OTHERS: Final = f"""\
{_DUE},
made AS (
{_INSERT}
)
SELECT (SELECT batch_id FROM made), (SELECT count(*) FROM due)"""

_SEAL: Final = """\
UPDATE waves SET is_sealed = true
WHERE job_id = :of_job AND wave_number = :of_wave AND (
    SELECT coalesce(sum({length}), 0) FROM wave_batches
    WHERE job_id = :of_job AND wave_number = :of_wave
) >= (SELECT parents_total FROM jobs WHERE job_id = :of_job)"""

_POSTGRESQL: Final = {
    "wave": "CAST(:of_wave AS integer)",
    "padded": "lpad(number::text, greatest(6, length(number::text)), '0')",
    "ids": "CAST(:ids AS jsonb)",
    "now": "CAST(:now AS timestamptz)",
    "parents": "jsonb_array_elements_text(done.parent_ids)"
    " WITH ORDINALITY AS parents(parent_id, place)",
    "parent_id": "parents.parent_id",
    "place": "parents.place",
    "covered": "jsonb_array_elements_text(derived.parent_ids) AS covered(parent_id)",
    "covered_id": "covered.parent_id",
    # An anti join that hashes. NOT IN compares every parent with every covered one as
    # soon as the server believes that they do not fit its working memory.
    "is_outside": "NOT EXISTS",
    "is_it": "AND covered.parent_id = parents.parent_id",
    "folded": "jsonb_agg(parent_id ORDER BY place)",
    "length": "jsonb_array_length(parent_ids)",
}
_SQLITE: Final = {
    "wave": ":of_wave",
    "padded": "printf('%06d', number)",
    "ids": ":ids",
    "now": ":now",
    "parents": "json_each(done.parent_ids) AS parents",
    "parent_id": "parents.value",
    "place": "parents.key",
    "covered": "json_each(derived.parent_ids) AS covered",
    "covered_id": "covered.value",
    # Looked up in a temporary index; it has none for NOT EXISTS.
    "is_outside": "parents.value NOT IN",
    "is_it": "",
    "folded": "json_group_array(parent_id)",
    "length": "json_array_length(parent_ids)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerStatements:
    """The statements that the two databases write differently.

    Attributes:
        insert_derived: returns the new id; no row: another process was faster.
        create_uncovered: returns the new id, or none, and whether one was due.
        seal: its row count says whether the wave is covered.
    """

    insert_derived: TextClause
    create_uncovered: TextClause
    seal: TextClause


LISTENER_STATEMENTS: Final = {
    "postgresql": ListenerStatements(
        insert_derived=text(_INSERT_DERIVED.format(**_POSTGRESQL)).bindparams(
            _IDS, _NOW
        ),
        create_uncovered=text(_CREATE_AMONG_OTHERS.format(**_POSTGRESQL)).bindparams(
            _NOW
        ),
        seal=text(_SEAL.format(**_POSTGRESQL)),
    ),
    # SQLite has one writer: nobody can be faster within a statement.
    "sqlite": ListenerStatements(
        insert_derived=text(_INSERT_DERIVED.format(**_SQLITE)).bindparams(_IDS, _NOW),
        create_uncovered=text(_CREATE_ALONE.format(**_SQLITE)).bindparams(_NOW),
        seal=text(_SEAL.format(**_SQLITE)),
    ),
}
"""By name of SQLAlchemy's dialect."""

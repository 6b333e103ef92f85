"""The SQL that each statement of the protocol stands for, as a page shows it.

A plain mapping from a statement's name to text: for reading, not for running. Values
stand behind colons, under the names that the statement's parameters have. The model
`wd` is the same race with fewer words, so its statements stand for SQL too.
"""

from typing import Final

_BATCHES_OF_WAVE: Final = (
    "FROM wave_batches\nWHERE job_id = :job_id AND wave_number = :wave_number"
)
_WAVE: Final = "WHERE job_id = :job_id AND wave_number = :wave_number"

STATEMENT_SQL: Final = {
    # The coordinator's.
    "open_waves": (
        "SELECT * FROM waves AS w\n"
        "WHERE job_id = :job_id AND status <> 'completed'\n"
        "  AND EXISTS (SELECT 1 FROM wave_batches AS b\n"
        "              WHERE b.job_id = w.job_id AND b.wave_number = w.wave_number)\n"
        "ORDER BY wave_number"
    ),
    "wave_status": f"SELECT status FROM waves\n{_WAVE}",
    "count_batches": (f"SELECT count(*) {_BATCHES_OF_WAVE}\n  AND status IN (:states)"),
    "pending_batches": (
        f"SELECT batch_id {_BATCHES_OF_WAVE}\n  AND status = 'pending'\n"
        "ORDER BY batch_id"
    ),
    "is_stale": f"SELECT updated_at < now() - :stale_after FROM waves\n{_WAVE}",
    "set_wave_status": (
        f"UPDATE waves SET status = :status, updated_at = now()\n{_WAVE}"
    ),
    "compare_and_set_wave": (
        f"UPDATE waves SET status = :status, updated_at = now()\n{_WAVE}\n"
        "  AND status = :expected"
    ),
    "mark_dispatched": (
        "UPDATE wave_batches SET status = 'dispatched', dispatched_at = now()\n"
        "WHERE batch_id = :batch_id"
    ),
    "claim_batch": (
        "UPDATE wave_batches SET status = 'dispatched', dispatched_at = now()\n"
        "WHERE batch_id = :batch_id AND status = 'pending'"
    ),
    "lease_batch": (
        "UPDATE wave_batches\nSET status = 'dispatched', dispatched_at = now(),\n"
        "    attempt = attempt + 1, lease_until = now() + :lease\n"
        "WHERE batch_id = :batch_id AND status = 'pending'\nRETURNING attempt"
    ),
    "enqueue": (
        "INSERT INTO queue (batch_id, attempt) VALUES (:batch_id, :attempt)\n"
        "-- or a message to a broker"
    ),
    "finish_wave": (
        f"UPDATE waves SET status = 'completed', updated_at = now()\n{_WAVE}\n"
        "  AND status = 'processing' AND is_sealed\n"
        f"  AND NOT EXISTS (SELECT 1 {_BATCHES_OF_WAVE}\n"
        "                  AND status <> 'completed')"
    ),
    "finish_job": (
        "UPDATE jobs SET status = 'completed', completed_at = now()\n"
        "WHERE job_id = :job_id AND status <> 'completed'\n"
        "  AND NOT EXISTS (SELECT 1 FROM waves\n"
        "                  WHERE job_id = :job_id AND status <> 'completed'\n"
        "                    AND (kind = 'main' OR :waits_for_derived_waves))"
    ),
    # The listener's.
    "accumulate_parents": (
        "INSERT INTO parent_ids (job_id, parent_id) VALUES (:job_id, :parent_ids)\n"
        "-- or a list in the cache: RPUSH"
    ),
    "take_parents": (
        "DELETE FROM parent_ids\nWHERE position IN (\n"
        "  SELECT position FROM parent_ids WHERE job_id = :job_id\n"
        "  ORDER BY position LIMIT :limit)\nRETURNING parent_id\n"
        "-- or a list in the cache: LPOP"
    ),
    "count_accumulated": "SELECT count(*) FROM parent_ids\nWHERE job_id = :job_id",
    "is_creation_finished": (
        "SELECT creation_finished FROM jobs\nWHERE job_id = :job_id"
    ),
    "set_creation_finished": (
        "UPDATE jobs SET creation_finished = TRUE\nWHERE job_id = :job_id"
    ),
    "insert_derived_batch": (
        "INSERT INTO wave_batches (batch_id, job_id, wave_number, status, parent_ids)\n"
        "VALUES (:new_id, :job_id, :wave_number, 'pending', :parent_ids)"
    ),
    "create_uncovered_batch": (
        "INSERT INTO wave_batches (batch_id, job_id, wave_number, status, parent_ids)\n"
        "SELECT :new_id, :job_id, :wave_number, 'pending', parent_ids\n"
        "FROM completed_parents_in_no_derived_batch\nORDER BY batch_id LIMIT :limit"
    ),
    "seal_wave": (
        f"UPDATE waves SET is_sealed = TRUE\n{_WAVE}\n"
        "  AND (SELECT count(*) FROM derived_parents WHERE job_id = :job_id)\n"
        "   >= (SELECT parents_total FROM jobs WHERE job_id = :job_id)"
    ),
    # The worker's.
    "take_batch": (
        "DELETE FROM queue\nWHERE position = (SELECT min(position) FROM queue)\n"
        "RETURNING batch_id, attempt\n-- or a message from a broker"
    ),
    "start_batch": (
        "UPDATE wave_batches SET status = 'processing'\nWHERE batch_id = :batch_id"
    ),
    "finish_batch": (
        "UPDATE wave_batches SET status = 'completed', completed_at = now()\n"
        "WHERE batch_id = :batch_id"
    ),
    "start_leased": (
        "UPDATE wave_batches\n"
        "SET status = 'processing', lease_until = now() + :lease\n"
        "WHERE batch_id = :batch_id AND status = 'dispatched'\n"
        "  AND attempt = :attempt"
    ),
    "finish_leased": (
        "UPDATE wave_batches\n"
        "SET status = 'completed', completed_at = now(), lease_until = NULL\n"
        "WHERE batch_id = :batch_id AND status = 'processing'\n"
        "  AND attempt = :attempt"
    ),
    "expire_leases": (
        "UPDATE wave_batches SET status = 'pending', lease_until = NULL\n"
        "WHERE job_id = :job_id AND status IN ('dispatched', 'processing')\n"
        "  AND lease_until < now()"
    ),
    # The reference model's, which is the same race on one wave.
    "create": "INSERT INTO batches (number, status) VALUES (:number, 'pending')",
    "complete": (
        "UPDATE batches SET status = 'done'\n"
        "WHERE number = :number AND status = 'dispatched'"
    ),
    "wave_is_processing": "SELECT status = 'processing' FROM wave",
    "has_batches": "SELECT EXISTS (SELECT 1 FROM batches WHERE status = :status)",
    "demote_wave": "UPDATE wave SET status = 'pending'",
    "take_wave": "UPDATE wave SET status = 'processing'\nWHERE status = 'pending'",
    "pending": "SELECT number FROM batches\nWHERE status = 'pending' ORDER BY number",
    "send": (
        "UPDATE batches SET status = 'dispatched', sent = sent + 1\n"
        "WHERE number = :number"
    ),
    "claim_and_send": (
        "UPDATE batches SET status = 'dispatched', sent = sent + 1\n"
        "WHERE number = :number AND status = 'pending'"
    ),
}

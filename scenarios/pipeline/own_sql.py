"""Dispatch by SQL of one's own: the pipeline's tables in the model of PostgreSQL.

Each caller is a process with a connection of its own: it makes the coordinator and asks
it to trigger the next wave of the job. Whether a batch is sent, and how often, is read
from the tables, which have the published report's names.
"""

from dataclasses import replace
from typing import Any, Final

from wavecheck.scenarios.worlds.declaration import world
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.worlds.builder import WorldBuilder

SCHEMA: Final = """
CREATE TABLE jobs (
    job_id text PRIMARY KEY, status text NOT NULL, parents_total integer NOT NULL,
    completed_at timestamptz);
CREATE TABLE waves (
    job_id text REFERENCES jobs, wave_number integer, kind text NOT NULL,
    record_type text NOT NULL, status text NOT NULL, is_sealed boolean NOT NULL,
    updated_at timestamptz NOT NULL, PRIMARY KEY (job_id, wave_number));
CREATE TABLE wave_batches (
    batch_id text PRIMARY KEY, job_id text NOT NULL, wave_number integer NOT NULL,
    status text NOT NULL, parent_ids jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(), dispatched_at timestamptz,
    completed_at timestamptz, attempt integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    FOREIGN KEY (job_id, wave_number) REFERENCES waves);
CREATE TABLE dispatch_queue (
    message_id bigserial PRIMARY KEY, batch_id text NOT NULL REFERENCES wave_batches,
    attempt integer NOT NULL DEFAULT 0, sent_at timestamptz NOT NULL DEFAULT now(),
    taken_at timestamptz)
"""

SENT_MAX: Final = 100
"""Batches times callers: each statement looks at every row, as without an index."""

_SENT_TWICE: Final = (
    "SELECT batch_id, count(*) AS times FROM dispatch_queue"
    " GROUP BY batch_id HAVING count(*) > 1"
)
_STRANDED: Final = (
    "SELECT batch_id FROM wave_batches WHERE status = 'pending' ORDER BY batch_id"
)
_LOST: Final = (
    "SELECT batch_id FROM wave_batches b WHERE status = 'dispatched'"
    " AND NOT EXISTS (SELECT 1 FROM dispatch_queue q WHERE q.batch_id = b.batch_id)"
)


def _rows(batches: int) -> dict[str, list[dict[str, Any]]]:
    wave = {"job_id": "job-1", "wave_number": 1}
    return {
        "jobs": [{"job_id": "job-1", "status": "processing", "parents_total": 0}],
        "waves": [
            {
                **wave,
                "kind": "main",
                "record_type": "Account",
                "status": "pending",
                "is_sealed": True,
                "updated_at": "2000-01-01 00:00:00+00",
            }
        ],
        "wave_batches": [
            {**wave, "batch_id": f"job-1-w1-{number:06}", "status": "pending"}
            for number in range(1, batches + 1)
        ],
    }


class Unlocked:
    """Reads what is pending, then sends it: two callers send it twice."""

    LOCK = ""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def check_and_trigger_next_wave(self, job_id: str) -> None:
        """Dispatch every wave of a job that is not completed."""
        with self.connection.transaction():
            waves = self.connection.execute(
                "SELECT wave_number FROM waves WHERE job_id = %s"
                " AND status <> 'completed' ORDER BY wave_number",
                (job_id,),
            ).fetchall()
        for (wave_number,) in waves:
            self.dispatch_wave(job_id, wave_number)

    def dispatch_wave(self, job_id: str, wave_number: int) -> int:
        """Send the pending batches of a wave, in one transaction."""
        with self.connection.transaction():
            pending = self.connection.execute(
                "SELECT batch_id FROM wave_batches WHERE job_id = %s"
                " AND wave_number = %s AND status = 'pending' ORDER BY batch_id"
                + self.LOCK,
                (job_id, wave_number),
            ).fetchall()
            for batch in pending:
                self.connection.execute(
                    "UPDATE wave_batches SET status = 'dispatched',"
                    " dispatched_at = now() WHERE batch_id = %s",
                    batch,
                )
                self.connection.execute(
                    "INSERT INTO dispatch_queue (batch_id) VALUES (%s)", batch
                )
        return len(pending)


class Locked(Unlocked):
    """The same, with what is pending locked: a second caller passes it over."""

    LOCK = " FOR UPDATE SKIP LOCKED"


@world(
    name="own-sql",
    summary="own SQL on the pipeline's tables, by PostgreSQL's rules",
    sizes={"batches": 2, "callers": 2},
    parameters={"driver": "psycopg"},
    code={"unlocked": Unlocked, "locked": Locked},
    methods=("check_and_trigger_next_wave", "dispatch_wave"),
)
def _own_sql(w: WorldBuilder) -> None:
    """Build one job with one wave of pending batches, and the callers."""
    if w.driver not in ("psycopg", "psycopg2"):
        raise InvalidScenario(f"driver {w.driver!r}\n  expected  psycopg or psycopg2")
    if w.batches * w.callers > SENT_MAX:
        raise InvalidScenario(
            f"batches={w.batches} and callers={w.callers}\n"
            f"  expected  together, as a product, at most {SENT_MAX}\n"
            "next: --set batches=10 --set callers=2"
        )
    db = w.postgresql(SCHEMA, rows=_rows(w.batches))
    is_psycopg2 = w.driver == "psycopg2"
    connection = db.connect_psycopg2() if is_psycopg2 else db.connect()

    def call(connection: Any) -> None:
        w.code(connection).check_and_trigger_next_wave("job-1")

    for number in range(w.callers):
        w.task(f"caller-{number}", call, connection)
    w.never("no_double_dispatch", _SENT_TWICE)
    w.at_the_end("no_lost_message", _LOST)
    w.at_the_end("no_stranded_batch", _STRANDED)


OWN_SQL: Final = replace(_own_sql, takes="connection")

"""raquel, a job queue on SQLAlchemy: workers that each dequeue and do the next job."""

from uuid import UUID

from raquel import Raquel
from raquel.models.base_sql import BaseSQL

import wavecheck as wc


def one_job(queue: Raquel, outside: object) -> None:
    """Do one job as raquel's manual says it."""
    with queue.dequeue() as job:
        if job:
            outside.done(str(job.id))


@wc.world(sizes={"workers": 2, "jobs": 1})
def workers(w: wc.WorldBuilder) -> None:
    """Workers of one queue."""
    jobs = [
        {"id": UUID(int=n), "queue": "default", "enqueued_at": 0, "scheduled_at": 0}
        for n in range(1, w.jobs + 1)
    ]
    db = w.postgresql(BaseSQL.metadata, rows={"jobs": jobs}, calls=["outside"])
    for n in range(w.workers):
        w.task(f"worker-{n}", one_job, Raquel(db.engine()), db.calls("outside"))
    w.never("done twice", "SELECT argument FROM outside GROUP BY 1 HAVING count(*) > 1")
    w.at_the_end("left", "SELECT id FROM jobs WHERE status <> 'success'")

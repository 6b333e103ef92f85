"""What is checked of the workers: no job is run twice, and none is left."""

from job_worker import work, work_at_once

import wavecheck as wc

SCHEMA = """
CREATE TABLE jobs (
    id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'queued',
    priority integer NOT NULL DEFAULT 0, payload jsonb NOT NULL DEFAULT '{}',
    worker text, attempts integer NOT NULL DEFAULT 0)
"""


@wc.world(sizes={"workers": 2, "jobs": 2}, code={"now": work, "fixed": work_at_once})
def jobs(w: wc.WorldBuilder) -> None:
    """Workers that each run jobs until none is queued."""
    db = w.postgresql(
        SCHEMA, rows={"jobs": [{"id": n} for n in range(w.jobs)]}, calls=["handler"]
    )
    for n in range(w.workers):
        w.task(f"worker-{n}", w.code, db.calls("handler"))
    w.never(
        "run twice",
        "SELECT argument FROM handler GROUP BY argument HAVING count(*) > 1",
    )
    w.at_the_end("left", "SELECT id, status FROM jobs WHERE status <> 'done'")

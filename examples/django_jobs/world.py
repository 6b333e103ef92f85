"""What is checked of the queue: no job runs twice, and nobody is charged too much."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from jobs.models import Account, Job  # noqa: E402 - models need the settings
from jobs.worker import run_next, run_next_fixed  # noqa: E402 - likewise

import wavecheck as wc  # noqa: E402 - beside the others


@wc.world(
    sizes={"workers": 2, "jobs": 2}, code={"now": run_next, "fixed": run_next_fixed}
)
def workers(w: wc.WorldBuilder) -> None:
    """Workers that each run the next job of an account with one credit."""
    queued = [{"id": n, "account_id": 1, "state": "queued"} for n in range(w.jobs)]
    rows = {"jobs_account": [{"id": 1, "credits": 1}], "jobs_job": queued}
    db = w.postgresql([Account, Job], rows=rows, calls=["notify"])
    for n in range(w.workers):
        w.task(f"worker-{n}", w.code, db.calls("notify"))
    w.never(
        "notified twice", "SELECT argument FROM notify GROUP BY 1 HAVING count(*) > 1"
    )
    w.at_the_end(
        "charged wrongly",
        "SELECT credits FROM jobs_account"
        " WHERE credits <> 1 - (SELECT count(*) FROM jobs_job WHERE state = 'done')",
    )

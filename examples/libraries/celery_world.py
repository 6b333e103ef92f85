"""Celery's database result backend: two runs of one task store what came of it.

With `acks_late` a message may come again while the first worker is still at it.
"""

from typing import Any

from celery import Celery
from celery.backends.database import DatabaseBackend
from celery.backends.database.session import (
    ResultModelBase,
)

import wavecheck as wc

APP = Celery("shop")
APP.conf.database_create_tables_at_setup = False
URL = "postgresql+psycopg://worker@localhost/results"


def backend() -> Any:
    """Return a backend whose tables are there."""
    made = DatabaseBackend(URL, app=APP)
    made.session_manager.prepared = True
    return made


def run(results: Any, state: str) -> None:
    """Store what came of one run of the task."""
    results.store_result("task-1", state.lower(), state)


@wc.world(sizes={"failing": 1})
def storing(w: wc.WorldBuilder) -> None:
    """One run that succeeds, and others that fail."""
    w.postgresql(ResultModelBase.metadata)
    w.task("succeeds", run, backend(), "SUCCESS")
    for n in range(w.failing):
        w.task(f"fails-{n}", run, backend(), "FAILURE")
    w.never(
        "two results",
        "SELECT task_id FROM celery_taskmeta GROUP BY task_id HAVING count(*) > 1",
    )
    w.at_the_end(
        "success written over",
        "SELECT task_id FROM celery_taskmeta WHERE status <> 'SUCCESS'",
    )

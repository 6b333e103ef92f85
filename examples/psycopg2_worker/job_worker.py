"""Runs queued jobs, one at a time; as many workers as there is work for."""

import os
import socket
from collections.abc import Callable
from typing import Any

import psycopg2
import psycopg2.extras

DSN = os.environ.get("DATABASE_DSN", "dbname=jobs user=worker host=localhost")


def worker_name() -> str:
    """Return who this worker is in the table of jobs."""
    return f"{socket.gethostname()}-{os.getpid()}"


def claim(conn: Any) -> Any:
    """Take the next job that is queued."""
    with conn, conn.cursor() as cur:
        cur.execute(
            "SELECT id, payload FROM jobs WHERE status = 'queued'"
            " ORDER BY priority DESC, id LIMIT 1"
        )
        job = cur.fetchone()
        if job is not None:
            cur.execute(
                "UPDATE jobs SET status = 'running', worker = %(worker)s,"
                " attempts = attempts + 1 WHERE id = %(id)s",
                {"worker": worker_name(), "id": job["id"]},
            )
        return job


def claim_at_once(conn: Any) -> Any:
    """Take the next job that is queued, in one statement."""
    with conn, conn.cursor() as cur:
        cur.execute(
            "UPDATE jobs SET status = 'running', worker = %s, attempts = attempts + 1"
            " WHERE id = (SELECT id FROM jobs WHERE status = 'queued'"
            " ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)"
            " RETURNING id, payload",
            (worker_name(),),
        )
        return cur.fetchone()


def work(handle: Any, claim: Callable[[Any], Any] = claim) -> None:
    """Run jobs until none is queued."""
    conn = psycopg2.connect(DSN, cursor_factory=psycopg2.extras.RealDictCursor)
    try:
        while (job := claim(conn)) is not None:
            handle.run(job["id"], job["payload"])
            with conn, conn.cursor() as cur:
                done = "UPDATE jobs SET status = 'done' WHERE id = %s"
                cur.execute(done, (job["id"],))
    finally:
        conn.close()


def work_at_once(handle: Any) -> None:
    """Run jobs until none is queued, each claimed in one statement."""
    work(handle, claim_at_once)

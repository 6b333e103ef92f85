"""GoodJob, pull request 1113, by the one statement that it sends.

PostgreSQL takes the statement's snapshot first and tries each row's advisory lock then,
so it returns a job that has been finished in between.
"""

import psycopg

import wavecheck as wc

SCHEMA = """
CREATE TABLE good_jobs (id bigint PRIMARY KEY, is_finished boolean DEFAULT false);
CREATE TABLE performed (id bigint);
"""
LOCK_ONE = """
WITH rows AS MATERIALIZED (
    SELECT id FROM good_jobs WHERE NOT is_finished ORDER BY id LIMIT 1000)
SELECT id FROM rows WHERE pg_try_advisory_lock(rows.id) LIMIT 1
"""


def work(reloads):
    """Locks a job by one statement and performs it; perhaps looks at it again."""
    unfinished = "SELECT 1 FROM good_jobs WHERE id = %s AND NOT is_finished"
    with psycopg.connect("postgresql://db/jobs", autocommit=True) as connection:
        for (job,) in connection.execute(LOCK_ONE).fetchall():
            if not reloads or connection.execute(unfinished, [job]).fetchall():
                connection.execute("INSERT INTO performed VALUES (%s)", [job])
                done = "UPDATE good_jobs SET is_finished = true WHERE id = %s"
                connection.execute(done, [job])
            connection.execute("SELECT pg_advisory_unlock(%s)", [job])


@wc.world(sizes={"workers": 2}, code={"one-statement": False, "fixed": True})
def good_job(w):
    """Workers take unfinished jobs by advisory locks."""
    w.postgresql(SCHEMA, rows={"good_jobs": [{"id": 1}]})
    for n in range(w.workers):
        w.task(f"worker-{n}", work, w.code)
    again = "SELECT id FROM performed GROUP BY id HAVING count(*) > 1"
    w.never("no_job_is_performed_twice", again)

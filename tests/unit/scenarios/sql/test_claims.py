"""Claims of jobs by two and three workers: what is found and what is proved."""

import pytest

SCHEMA = """
CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL DEFAULT 'queued');
CREATE TABLE runs (job int, worker int);
"""
TWICE = {"twice": "SELECT job FROM runs GROUP BY job HAVING count(*) > 1"}


def claim(lock):
    async def work(session, worker):
        await session.execute("BEGIN")
        found = await session.execute(
            f"SELECT id FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1 {lock}"
        )
        for (job,) in found.rows:
            await session.execute("UPDATE jobs SET state = 'done' WHERE id = $1", [job])
            await session.execute("INSERT INTO runs VALUES ($1, $2)", [job, worker])
        await session.execute("COMMIT")

    return work


@pytest.mark.parametrize("lock", ["FOR UPDATE", "FOR UPDATE SKIP LOCKED"])
def test_a_claim_that_locks_its_row_is_proved(sql_world, prove, lock):
    """Two workers that lock what they select never run a job twice."""
    tasks = {f"worker-{n}": (claim(lock), n) for n in range(2)}
    world = sql_world(SCHEMA, tasks, {"jobs": [{"id": 1}, {"id": 2}]}, TWICE)
    found, violated = prove(world)
    assert not violated
    assert found.states > 50


def test_a_claim_without_a_lock_is_refuted(sql_world, prove, search):
    """Without a lock two workers select the same job: found by proof and search."""
    tasks = {f"worker-{n}": (claim(""), n) for n in range(2)}
    world = sql_world(SCHEMA, tasks, {"jobs": [{"id": 1}, {"id": 2}]}, TWICE)
    assert search(world) == {"twice"}
    world = sql_world(SCHEMA, tasks, {"jobs": [{"id": 1}, {"id": 2}]}, TWICE)
    assert set(prove(world)[1]) == {"twice"}

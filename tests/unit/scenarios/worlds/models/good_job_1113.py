"""GoodJob, pull request 1113: a job is performed again, from a snapshot before its end.

The query is one SELECT whose condition takes an advisory lock: its snapshot is taken
first, then each row's lock is tried.
"""

import wavecheck as wc


async def original(w, session):
    return await lock_one(w, session)


async def fixed(w, session):
    """Reloads finished_at once it has the lock."""
    job = await lock_one(w, session)
    if job is not None and (await w.jobs.find(job)).finished:
        await w.locks.release(session, job)
        return None
    return job


async def lock_one(w, session):
    for job in await w.jobs.select(finished=False):  # the snapshot of the query
        if await w.locks.try_acquire(session, job.id):
            return job.id
    return None


@wc.world(
    sizes={"workers": 2, "jobs_count": 1}, code={"original": original, "fixed": fixed}
)
def good_job(w):
    """Workers take unfinished jobs by advisory locks."""
    w.jobs = w.table("jobs", {"id": int, "finished": False}, rows=range(w.jobs_count))
    w.locks, w.performed = w.lock("locks"), w.calls("performed")

    async def work(session):
        job = await w.code(w, session)
        if job is not None:
            await w.performed(job)
            await w.jobs.update(job, finished=True)
            await w.locks.release(session, job)

    for n in range(w.workers):
        w.task(f"worker-{n}", work, n)
    w.once("no_job_is_performed_twice", w.performed)

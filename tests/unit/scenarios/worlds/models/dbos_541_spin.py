"""DBOS Transact, issue 541, with runners that try again for ever.

On SQLite two runners can refuse each other the lock; under an unfair schedule that
never ends.
"""

import wavecheck as wc


async def original(w, tx_level="deferred"):
    """Pysqlite begins with the first write, so the SELECT is not part of it."""
    names = [one.name for one in await w.flows.select(status="enqueued")]
    async with w.db.transaction(tx_level) as tx:
        for name in names:
            await tx.flows.update(name, status="pending")
    return names


async def dequeue(w, level):
    """BEGIN before the SELECT."""
    async with w.db.transaction(level) as tx:
        names = [one.name for one in await tx.flows.select(status="enqueued")]
        for name in names:
            await tx.flows.update(name, status="pending")
    return names


async def skip_locked(w):
    async with w.db.transaction("repeatable read") as tx:
        rows = await tx.flows.select_for_update(status="enqueued", skip_locked=True)
        for one in rows:
            await tx.flows.update(one.name, status="pending")
    return [one.name for one in rows]


def at(level):
    """Return the dequeuing at a level."""

    async def dequeued(w):
        return await dequeue(w, level)

    return dequeued


@wc.world(
    sizes={"runners": 2},
    code={
        "original": original,
        "deferred": at("deferred"),
        "immediate": at("immediate"),
        "pg-plain": at("read committed"),
        "pg-repeatable": at("repeatable read"),
        "pg-skip-locked": skip_locked,
    },
)
def flows(w):
    """Runners poll while something is enqueued, and try again after an error."""
    w.flows = w.table("flows", {"name": str, "status": "enqueued"}, rows=["wf"])
    w.db = w.transactions(w.flows)
    w.run = w.calls("run")
    poll = w.statement("poll", when=lambda: w.flows.now.count(status="enqueued"))

    async def runner():
        while True:
            await poll()
            try:
                names = await w.code(w)
            except wc.TransactionError:
                continue
            for name in names:
                await w.run(name)

    for n in range(w.runners):
        w.task(f"runner-{n}", runner, is_daemon=True)
    w.once("no_workflow_runs_twice", w.run)
    w.at_the_end("a workflow does not run", lambda: not w.run.now.get("wf"))

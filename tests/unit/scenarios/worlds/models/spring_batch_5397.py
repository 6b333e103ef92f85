"""Spring Batch, issue 5397: one failed job instance is restarted twice at once."""

import wavecheck as wc

RUNNING = wc.one_of("STARTING", "STARTED")


async def create(w, tx):
    await tx.executions.insert(await w.sequence.add(), "STARTING")


async def original(w):
    """Checks in a transaction of its own, then creates in a serializable one."""
    async with w.db.transaction() as tx:
        if await tx.executions.count(status=RUNNING):
            return
    async with w.db.transaction("serializable") as tx:
        await create(w, tx)


async def one_transaction(w, level="repeatable read"):
    """Checks and creates in one transaction."""
    async with w.db.transaction(level) as tx:
        if not await tx.executions.count(status=RUNNING):
            await create(w, tx)


async def fixed(w):
    """The same, SERIALIZABLE, as before version 6."""
    await one_transaction(w, "serializable")


@wc.world(
    sizes={"launchers": 2},
    code={"original": original, "repeatable-read": one_transaction, "fixed": fixed},
)
def restarts(w):
    """Several launchers restart one failed execution."""
    first = {"id": 0, "status": "FAILED"}
    w.executions = w.table("executions", {"id": int, "status": str}, rows=[first])
    w.db = w.transactions(w.executions)
    w.sequence = w.counter("sequence")
    w.expect(wc.SerializationError)

    def running():
        return [one for one in w.executions.now if one.status == "STARTING"]

    for n in range(w.launchers):
        w.task(f"launcher-{n}", w.code, w)
    w.never("two executions run at once", lambda: len(running()) > 1)
    w.at_the_end("nobody has restarted it", lambda: not running())

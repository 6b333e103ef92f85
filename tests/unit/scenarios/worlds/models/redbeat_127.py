"""RedBeat, issue 127: two beats own the scheduler's lock, and send a task twice."""

import wavecheck as wc

LOCK_SECONDS, TICK_SECONDS = 25, 5


class AsItWas:
    """Extends the lock in every tick, whoever's it is."""

    def __init__(self, w):
        self.w = w

    async def extend(self, beat):
        await self.w.lock_.extend()
        return True

    async def fire(self, firing):
        await self.w.sent(firing)
        await self.w.entries.update("report", done=firing)

    async def run(self, beat):
        await self.w.lock_.acquire(beat)
        while True:
            await self.w.wake()
            if not await self.extend(beat):
                return  # beat exits
            entry = await self.w.entries.find("report")
            if entry.due > entry.done:
                await self.fire(entry.done + 1)


class OwnerChecked(AsItWas):
    """The public fix: extends the lock only where it is its own."""

    async def extend(self, beat):
        return await self.w.lock_.extend(beat)


class Claimed(OwnerChecked):
    """Ours: who moves the schedule on is who sends."""

    async def fire(self, firing):
        before = {"name": "report", "done": firing - 1}
        if await self.w.entries.update(before, done=firing):
            await self.w.sent(firing)


@wc.world(
    sizes={"beats": 2, "firings": 2},
    parameters={"acts": True},
    code={"original": AsItWas, "owner-checked": OwnerChecked, "claimed": Claimed},
)
def redbeat(w):
    """Beats that share a lock with a time to live; one may be paused, or not."""
    w.entries = w.table("entries", {"name": str, "due": 0, "done": 0}, rows=["report"])
    w.lock_ = w.lock("lock", seconds=LOCK_SECONDS)
    w.sent = w.calls("sent")

    def is_due():
        return any(one.due > one.done for one in w.entries.now)

    w.wake = w.statement("wake", when=is_due)

    async def clock():
        for _ in range(w.firings):
            await w.entries.update("report", due=wc.plus(1))

    beats = [f"beat-{n}" for n in range(w.beats)]
    code = w.fresh(w.code, w)
    for beat in beats:
        w.task(beat, code.run, beat, is_daemon=True)
    w.task("clock", clock)
    if w.acts:
        w.acts_within(TICK_SECONDS, *beats)
    w.once("each_firing_is_sent_once", w.sent)

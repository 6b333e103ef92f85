"""RQ, issue 2061: the cleaner of the intermediate queue fails jobs that are alive."""

import wavecheck as wc


class WorkerKilled(Exception):
    """Whoever makes the statement lives no more."""


class AsItWas:
    """What is in the intermediate queue and not started is stuck."""

    def __init__(self, w):
        self.w = w

    async def prepare(self, worker, name):
        await self.w.prepare(worker, name, False)

    async def clean(self):
        for job in await self.w.jobs.select(place="intermediate"):
            if not (await self.w.jobs.find(job.name)).is_started:
                await self.fail(job.name)

    async def fail(self, name):
        await self.w.jobs.update(name, status="failed", is_started=False)
        await self.w.jobs.update({"name": name, "place": "intermediate"}, place="none")


class FirstSeen(AsItWas):
    """The public fix: only what was seen there a minute ago."""

    async def clean(self):
        for job in await self.w.jobs.select(place="intermediate"):
            if (await self.w.jobs.find(job.name)).is_started:
                continue
            if not await self.w.marker.is_set(job.name):
                await self.w.marker.start(job.name)
            elif await self.w.marker.is_over(job.name):
                await self.fail(job.name)


class Forgets(FirstSeen):
    """Ours: the marker belongs to one handing over and goes with it."""

    async def prepare(self, worker, name):
        await self.w.prepare(worker, name, True)


class OfOneEnqueuing(AsItWas):
    """Ours, again: entries name their enqueuing, and one script looks and acts."""

    async def clean(self):
        for job in await self.w.jobs.select(place="intermediate"):
            await self.w.fail_if_stuck(job.name, job.enqueued)


def add_statements(w, check):
    """Add what workers and the cleaner do in one step of Redis."""

    @w.statement(when=lambda worker: w.jobs.now.count(place="queue"))
    def blmove(worker):
        check(worker)
        name = w.jobs.now.select(place="queue")[0].name
        w.jobs.now.update(name, place="intermediate", holder=worker)
        return name

    @w.statement
    def prepare(worker, name, forgets):
        check(worker)
        w.jobs.now.update(name, place="none", status="started", is_started=True)
        if forgets:
            w.marker.end(name)

    @w.statement
    def finish(worker, name):
        check(worker)
        w.jobs.now.update(name, status="finished", is_started=False, holder="")

    @w.statement
    def fail_if_stuck(name, enqueued):
        job = w.jobs.now.get(name)
        if job.place != "intermediate" or job.enqueued != enqueued:
            return
        if job.marked != enqueued:
            w.jobs.now.update(name, marked=enqueued)
            w.marker.begin(name)
        elif w.marker.now.get(name) == 2:
            w.jobs.now.update(name, status="failed", place="none")

    w.blmove, w.prepare, w.finish = blmove, prepare, finish
    w.fail_if_stuck = fail_if_stuck


@wc.world(
    sizes={"enqueues": 2},
    parameters={"acts": True},
    code={
        "original": AsItWas,
        "first-seen": FirstSeen,
        "forgets": Forgets,
        "of-one-enqueuing": OfOneEnqueuing,
    },
)
def rq(w):
    """Two workers, one of which is killed, and a cleaner with a marker of a minute."""
    columns = {"name": str, "place": "queue", "status": "queued", "is_started": False}
    columns |= {"holder": "", "enqueued": 1, "marked": 0}
    w.jobs = w.table("jobs", columns, rows=["job"])
    w.marker = w.timeout("marker", seconds=60)
    killed = w.flag("killed")
    w.expect(WorkerKilled)

    def is_live(worker):
        return worker != "worker-0" or not killed.now.is_set()

    def check(worker):
        if not is_live(worker):
            raise WorkerKilled(worker)

    add_statements(w, check)

    def may_clean():
        return any(
            one.place == "intermediate"
            and (w.marker.now.get(one.name) != 1 or 0 < one.marked < one.enqueued)
            for one in w.jobs.now
        )

    maintenance = w.statement("maintenance", when=may_clean)
    finished = w.statement(
        "is_finished", when=lambda: w.jobs.now.get("job").status == "finished"
    )
    code = w.fresh(w.code, w)

    async def worker(who):
        while True:
            name = await w.blmove(who)
            await code.prepare(who, name)
            await w.finish(who, name)

    async def cleaner():
        while True:
            await maintenance()
            await code.clean()

    async def application():
        for _ in range(w.enqueues - 1):
            await finished()
            await w.jobs.update(
                "job", place="queue", status="queued", enqueued=wc.plus(1)
            )

    for who in ("worker-0", "worker-1"):
        w.task(who, worker, who, is_daemon=True)
    w.task("cleaner", cleaner, is_daemon=True)
    w.task("killer", killed.set)
    w.task("application", application, is_daemon=True)
    if w.acts:
        w.acts_within(10, "worker-0", "worker-1")

    def failed_alive(key, before, after):
        if after.status != "failed" or before.status == "failed":
            return None
        if before.status == "finished":
            return f"{key} is failed after it has finished"
        alive = is_live(before.holder)
        return f"{key} is failed while {before.holder} lives" if alive else None

    w.never("no_live_job_is_failed", failed_alive, on=w.jobs)
    w.at_the_end("no_job_is_stuck", lambda: w.jobs.now.select(place="intermediate"))

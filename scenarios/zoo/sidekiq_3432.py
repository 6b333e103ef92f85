"""Sidekiq, issue 3432: jobs that a deploy interrupted run after on_success."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import (
    Exhibit,
    Harm,
    Pattern,
    Tasks,
    Variant,
    always,
    finally_,
)
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Queue, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """One job of the batch, by its id."""

    jid: str
    is_pending: bool


class Store:
    """A batch in Redis: a count, and the ids of the jobs that are pending."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs = Table(kernel, "jobs", Job, key=("jid",))
        self.queue: Queue[str] = Queue(kernel, "queue")
        self.pending = Counter(kernel, "pending")
        self.pending.set(sizes.jobs)
        self.starts = Counter(kernel, "starts")
        self.ends = Counter(kernel, "ends")
        self.successes = Counter(kernel, "on_success")
        for number in range(sizes.jobs):
            self.jobs.insert(Job(f"jid-{number}", True))
        for number in range(1, sizes.jobs):
            self.queue.put(f"jid-{number}")  # the first one is running

    @statement
    def push_back(self, jid: str) -> None:
        """Put a job on the queue that is running in a process that is to end."""
        self.queue.put(jid)

    @statement(
        enabled=lambda self: len(self.queue) > 0, wakes_on=lambda self: self.queue
    )
    def take(self) -> str:
        """Take a job from the queue."""
        return self.queue.take()

    @statement
    def start(self, jid: str) -> bool:
        """Start a job."""
        self.starts.add(jid)
        return True

    @statement
    def start_if_pending(self, jid: str) -> bool:
        """Start a job unless it is done; say whether it has started."""
        if self.jobs.get(jid).is_pending:
            self.starts.add(jid)
        return self.jobs.get(jid).is_pending

    @statement
    def finish(self, jid: str) -> bool:
        """Count one less as pending; say whether that was the last."""
        self.ends.add(jid)
        return self.pending.add(amount=-1) == 0

    @statement
    def finish_by_id(self, jid: str) -> bool:
        """Take an id out of the pending ones; say whether it was the last."""
        self.ends.add(jid)
        if not self.jobs.get(jid).is_pending:
            return False
        self.jobs.update(jid, is_pending=False)
        return self.jobs.count(is_pending=True) == 0

    @statement
    def on_success(self) -> None:
        """Run the batch's callback."""
        self.successes.add()


class AsItWas:
    """Counts the ends of jobs, whichever they are."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def run(self, jid: str) -> None:
        """Run a job to its end."""
        if await self.store.start(jid) and await self.store.finish(jid):
            await self.store.on_success()


class Fixed(AsItWas):
    """Keeps the ids of pending jobs, and starts no other."""

    async def run(self, jid: str) -> None:
        """Run a job to its end."""
        if not await self.store.start_if_pending(jid):
            return
        if await self.store.finish_by_id(jid):
            await self.store.on_success()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """A deploy pushes a running job back, which ends all the same."""

    async def deploy() -> None:
        await store.push_back("jid-0")

    async def process() -> None:
        while True:
            await code.run(await store.take())

    yield "old-process", code.run("jid-0")
    yield "deploy", deploy()
    for number in range(sizes.processes):
        yield f"process-{number}", process()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    missing = [job.jid for job in store.jobs if not store.ends.get(job.jid)]
    if after > 1:
        return f"on_success runs {after} times"
    return f"on_success runs before {missing} have ended" if missing else None


def _late(store: Store, jid: object, before: int, after: int) -> str | None:
    return f"{jid} starts after on_success" if store.successes.get() else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="sidekiq-3432",
    source="sidekiq/sidekiq issue 3432",
    title="on_success runs before all jobs, and jobs run after it",
    harms=(Harm.EARLY,),
    pattern=Pattern.MISCOUNTED,
    mechanism="A deploy pushes a running job back on the queue, and the job ends in the"
    " old process all the same. It runs and ends once more in a new one, and the batch"
    " counts two ends. The count says done while another job has not run.",
    causes=(
        KnownCause(
            "no_job_starts_after_success",
            CauseKind.DELIVERED_TWICE,
            ("start", "take", "start"),
        ),
        KnownCause(
            "success_after_all_jobs", CauseKind.COUNTED_TWICE, ("finish", "finish")
        ),
    ),
    inferred="The double end. The fix keeps ids instead of a count; it is ours.",
    left_out="Failures and retries, the closed source of the batch.",
    fault_budget="one job is interrupted by a deploy",
    store=Store,
    story=story,
    properties=(
        always(
            "success_after_all_jobs",
            "on_success runs once, when all jobs have run",
            "on_success",
            _early,
            at_risk=lambda store: store.successes.get() > 0,
        ),
        always(
            "no_job_starts_after_success",
            "no job of the batch starts after on_success",
            "starts",
            _late,
            at_risk=lambda store: store.successes.get() > 0,
        ),
        finally_(
            "success_comes",
            "on_success has run when nothing can happen any more",
            lambda store: None if store.successes.get() else "on_success never runs",
            at_risk=lambda store: len(store.starts.items()) > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas,
            violates=("success_after_all_jobs", "no_job_starts_after_success"),
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("run",),
    sizes={"jobs": 2, "processes": 2},
    mutants=(
        Mutant(
            name="starts a job that is done",
            statement="start_if_pending",
            weaker=lambda store, jid: store.starts.add(jid) > 0,
        ),
        Mutant(
            name="counts instead of looking at ids",
            statement="finish_by_id",
            weaker=lambda store, jid: store.pending.add(amount=-1) == 0,
        ),
    ),
)

"""sidekiq-batch, pull request 69: the callback runs while jobs are being added."""

from typing import Any

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
from wavecheck.sim.parts import Counter, Queue
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Store:
    """One batch in Redis: how many of its jobs are pending, and the job queue."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs_total: int = sizes.jobs
        self.pending = Counter(kernel, "pending")
        self.queue: Queue[int] = Queue(kernel, "queue")
        self.done = Counter(kernel, "done")
        self.callbacks = Counter(kernel, "callbacks")

    @statement
    def register(self) -> None:
        """Count one more job as pending."""
        self.pending.add()

    @statement
    def push(self, job: int) -> None:
        """Put a job on the queue."""
        self.queue.put(job)

    @statement(
        enabled=lambda self: len(self.queue) > 0, wakes_on=lambda self: self.queue
    )
    def run(self) -> int:
        """Take a job and run it."""
        self.done.add()
        return self.queue.take()

    @statement
    def finish(self) -> int:
        """Count one less as pending; return how many are left."""
        return self.pending.add(amount=-1)

    @statement
    def call_back(self) -> None:
        """Run the batch's callback."""
        self.callbacks.add()


class AsItWas:
    """Counts each job as it is pushed; whoever brings the count to zero calls back."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def add_jobs(self, jobs: int) -> None:
        """Add the jobs of the batch."""
        for job in range(jobs):
            await self.store.register()
            await self.store.push(job)

    async def finish(self) -> None:
        """Note the end of a job."""
        if await self.store.finish() == 0:
            await self.store.call_back()


class Fixed(AsItWas):
    """Counts the adding itself as one of the pending, until it is over."""

    async def add_jobs(self, jobs: int) -> None:
        """Add the jobs of the batch."""
        await self.store.register()
        await super().add_jobs(jobs)
        await self.finish()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """One process adds the jobs; workers run them at once."""

    async def worker() -> None:
        await store.run()
        await code.finish()

    yield "adder", code.add_jobs(sizes.jobs)
    for number in range(sizes.jobs):
        yield f"worker-{number}", worker()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    done = store.done.get()
    if done == store.jobs_total:
        return None
    return f"the callback runs when {done} of {store.jobs_total} jobs have run"


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="sidekiq-batch-69",
    source="breamware/sidekiq-batch pull request 69",
    title="a batch's callback runs while its jobs are still being added",
    harms=(Harm.EARLY,),
    pattern=Pattern.COUNTED_EARLY,
    mechanism="Each job is counted as pending when it is added, and the job that brings"
    " the count to zero runs the callback. Workers are faster than the process that"
    " adds. So the count reaches zero between two jobs, and the callback runs.",
    causes=(
        KnownCause(
            "callback_after_all_jobs", CauseKind.TOO_EARLY, ("finish", "register")
        ),
        KnownCause("callback_runs_once", CauseKind.TOO_EARLY, ("finish", "register")),
    ),
    inferred="The fix, a count for the adding itself. What the pull request does needs"
    " a setting, as the later pull request 100 tells, which proposes a flag.",
    left_out="Failures and retries of jobs, nested batches.",
    store=Store,
    story=story,
    properties=(
        always(
            "callback_after_all_jobs",
            "the callback runs when all jobs of the batch have run",
            "callbacks",
            _early,
            at_risk=lambda store: store.callbacks.get() > 0,
        ),
        finally_(
            "callback_runs_once",
            "the callback runs once",
            lambda store: (
                None
                if store.callbacks.get() == 1
                else f"the callback has run {store.callbacks.get()} times"
            ),
            at_risk=lambda store: store.done.get() > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas, violates=("callback_after_all_jobs", "callback_runs_once")
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("add_jobs", "finish"),
    sizes={"jobs": 3},
    mutants=(
        Mutant(
            name="registers nothing", statement="register", weaker=lambda store: None
        ),
        Mutant(
            name="looks at the count before it is changed",
            statement="finish",
            weaker=lambda store: store.pending.add(amount=-1) + 1,
        ),
    ),
)

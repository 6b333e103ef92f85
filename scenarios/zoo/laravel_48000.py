"""Laravel, pull requests 48000 and 47196: two retries of the same failed jobs."""

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
from wavecheck.sim.parts import Counter, Lock, Queue, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """A failed job, as the retry command sees it."""

    number: int
    state: str


class Store:
    """A batch all of whose jobs have failed, and so are pending."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs_total: int = sizes.jobs
        self.jobs = Table(kernel, "failed_jobs", Job, key=("number",))
        self.pending = Counter(kernel, "pending_jobs")
        self.queue: Queue[int] = Queue(kernel, "queue")
        self.runs = Counter(kernel, "runs")
        self.thens = Counter(kernel, "thens")
        self.mutex = Lock(kernel, "mutex")
        for number in range(sizes.jobs):
            self.jobs.insert(Job(number, "failed"))
        self.pending.set(sizes.jobs)

    @statement
    def failed_jobs(self) -> tuple[int, ...]:
        """Read the failed jobs of the batch."""
        return tuple(job.number for job in self.jobs.select(state="failed"))

    @statement
    def retry(self, number: int) -> None:
        """Push a job and forget that it has failed."""
        self.jobs.update(number, state="retried")
        self.queue.put(number)

    @statement
    def lock_command(self, process: str) -> bool:
        """Take the command's mutex for this batch; false if another has it."""
        return self.mutex.try_acquire(process)

    @statement
    def unlock_command(self) -> None:
        """Give the mutex back."""
        if not self.mutex.is_free():
            self.mutex.release()

    @statement(
        enabled=lambda self: len(self.queue) > 0, wakes_on=lambda self: self.queue
    )
    def run(self) -> None:
        """Take a job and run it."""
        self.runs.add(self.queue.take())

    @statement
    def finish_job(self) -> int:
        """Count one less as pending; return how many are left."""
        return self.pending.add(amount=-1)

    @statement
    def call_then(self) -> None:
        """Mark the batch finished and call then()."""
        self.thens.add()


class AsItWas:
    """Each command pushes every job that it has read as failed."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def retry_batch(self, process: str) -> None:
        """Retry the failed jobs of the batch."""
        for number in await self.store.failed_jobs():
            await self.store.retry(number)

    async def after_job(self) -> None:
        """Finish the batch with its last job."""
        if await self.store.finish_job() == 0:
            await self.store.call_then()


class BelowZero(AsItWas):
    """Takes a pending count below zero for the end as well."""

    async def after_job(self) -> None:
        """Finish the batch with its last job."""
        if await self.store.finish_job() <= 0:
            await self.store.call_then()


class Fixed(AsItWas):
    """One command at a time for each batch."""

    async def retry_batch(self, process: str) -> None:
        """Retry the failed jobs of the batch."""
        if await self.store.lock_command(process):
            await super().retry_batch(process)
            await self.store.unlock_command()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Two people retry the batch; workers run what is pushed."""

    async def worker() -> None:
        while True:
            await store.run()
            await code.after_job()

    for number in range(sizes.commands):
        yield f"retry-{number}", code.retry_batch(f"retry-{number}")
    for number in range(sizes.workers):
        yield f"worker-{number}", worker()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    ran = len(store.runs.items())
    if after > 1:
        return f"then() is called {after} times"
    if ran < store.jobs_total:
        return f"then() is called when {ran} of {store.jobs_total} jobs have run"
    return None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="laravel-48000",
    source="laravel/framework pull requests 48000, 47584 and 47196",
    title="two retries of a batch run each failed job twice; pending goes below zero",
    harms=(Harm.TWICE, Harm.EARLY),
    pattern=Pattern.UNGUARDED_UPDATE,
    mechanism="Two retry commands read the same list of failed jobs, and both push all"
    " of it. Each run counts one less as pending, whichever job it was. The count"
    " reaches zero before all jobs have run, and goes below it.",
    causes=(
        KnownCause(
            "no_job_is_retried_twice",
            CauseKind.STALE_READ,
            ("failed_jobs", "retry", "retry"),
        ),
        KnownCause(
            "then_after_all_jobs",
            CauseKind.STALE_READ,
            ("failed_jobs", "retry", "retry"),
        ),
    ),
    inferred="`below-zero` is what the closed pull request 47196 proposes; it was not"
    " merged. That failed jobs count as pending is from issue 35711.",
    left_out="Jobs that fail again, the mutex's own expiry.",
    store=Store,
    story=story,
    properties=(
        always(
            "no_job_is_retried_twice",
            "each failed job is run once more",
            "runs",
            lambda store, key, before, after: (
                f"job {key} is run {after} times" if after > 1 else None
            ),
            at_risk=lambda store: len(store.runs.items()) > 0,
        ),
        always(
            "then_after_all_jobs",
            "then() is called once, when all jobs have run",
            "thens",
            _early,
            at_risk=lambda store: store.thens.get() > 0,
        ),
        finally_(
            "then_is_called",
            "then() has been called when nothing can happen any more",
            lambda store: None if store.thens.get() else "then() is never called",
            at_risk=lambda store: len(store.runs.items()) > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas, violates=("no_job_is_retried_twice", "then_after_all_jobs")
        ),
        "below-zero": Variant(
            code=BelowZero, violates=("no_job_is_retried_twice", "then_after_all_jobs")
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("retry_batch", "after_job"),
    sizes={"jobs": 2, "commands": 2, "workers": 2},
    mutants=(
        Mutant(
            name="does not look at the mutex",
            statement="lock_command",
            weaker=lambda store, process: store.mutex.try_acquire(process) or True,
        ),
        Mutant(
            name="sees no failed job",
            statement="failed_jobs",
            weaker=lambda store: (),
        ),
        Mutant(
            name="counts nothing down",
            statement="finish_job",
            weaker=lambda store: store.pending.get(),
        ),
    ),
)

"""plines, issue 44: a batch is cancelled while it is being enqueued."""

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
from wavecheck.sim.parts import Counter, Flag, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """One job of the batch; the first one cancels the batch."""

    number: int
    state: str


class Store:
    """The jobs of a batch, and the flag that it is complete."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs = Table(kernel, "jobs", Job, key=("number",))
        self.is_created = Flag(kernel, "is_created")
        self.is_cancelled = Flag(kernel, "is_cancelled")
        self.late = Counter(kernel, "jobs_run_late")

    @statement
    def enqueue(self, number: int) -> None:
        """Enqueue a job of the batch."""
        self.jobs.insert(Job(number, "waiting"))

    @statement
    def end_creation(self) -> None:
        """Clear the flag that the batch is being created."""
        self.is_created.set()

    @statement(
        enabled=lambda self: self.jobs.count(state="waiting") > 0,
        wakes_on=lambda self: self.jobs,
    )
    def take(self) -> int:
        """Take the oldest job."""
        number = self.jobs.select(state="waiting")[0].number
        self.jobs.update(number, state="taken")
        return number

    @statement
    def is_being_created(self) -> bool:
        """Read whether the batch is being created."""
        return not self.is_created.is_set()

    @statement(
        enabled=lambda self: self.is_created.is_set(),
        wakes_on=lambda self: self.is_created,
    )
    def come_back_later(self) -> None:
        """Go back on the queue until the batch is complete."""

    @statement
    def run(self, number: int) -> None:
        """Run a job, unless it was cancelled."""
        if self.jobs.get(number).state != "cancelled":
            self.jobs.update(number, state="done")
            if self.is_cancelled.is_set():
                self.late.add(number)

    @statement
    def cancel_batch(self) -> None:
        """Cancel the batch: all of its jobs that have not run."""
        self.is_cancelled.set()
        for job in self.jobs:
            if job.state != "done":
                self.jobs.update(job.number, state="cancelled")


class AsItWas:
    """Runs a job as soon as it is on the queue."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def create(self, jobs: int) -> None:
        """Enqueue the batch."""
        for number in range(jobs):
            await self.store.enqueue(number)

    async def perform(self, number: int) -> None:
        """Perform a job; the first one finds that the batch is to be cancelled."""
        await self.store.run(number)
        if number == 0:
            await self.store.cancel_batch()


class Fixed(AsItWas):
    """A job goes back on the queue while the batch is being created."""

    async def create(self, jobs: int) -> None:
        """Enqueue the batch."""
        await super().create(jobs)
        await self.store.end_creation()

    async def perform(self, number: int) -> None:
        """Perform a job, once the batch is complete."""
        if await self.store.is_being_created():
            await self.store.come_back_later()
        await super().perform(number)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """One process creates the batch while workers run what is there."""

    async def worker() -> None:
        await code.perform(await store.take())

    yield "creator", code.create(sizes.jobs)
    for number in range(sizes.jobs):
        yield f"worker-{number}", worker()


def _left(store: Store) -> str | None:
    states = [job.state for job in store.jobs]
    return f"the jobs are {states}" if {"waiting", "taken"} & {*states} else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="plines-44",
    source="seomoz/plines issue 44",
    title="jobs of a cancelled batch run: it was cancelled while being enqueued",
    harms=(Harm.EARLY,),
    pattern=Pattern.COUNTED_EARLY,
    mechanism="Jobs of a batch run while the batch is still being enqueued. One of them"
    " cancels the batch, and that cancels the jobs that are there. Those that are"
    " enqueued afterwards know nothing of it and run.",
    causes=(
        KnownCause(
            "no_job_of_a_cancelled_batch_runs",
            CauseKind.TOO_EARLY,
            ("cancel_batch", "enqueue"),
        ),
    ),
    left_out="The graph of the jobs' dependencies, timeouts. A job that is running when"
    " the batch is cancelled may end: it is not counted here.",
    store=Store,
    story=story,
    properties=(
        always(
            "no_job_of_a_cancelled_batch_runs",
            "no job runs that is taken after its batch was cancelled",
            "jobs_run_late",
            lambda store, number, before, after: (
                f"job {number} runs, and the batch was cancelled"
            ),
            at_risk=lambda store: store.is_cancelled.is_set(),
        ),
        finally_(
            "every_job_is_settled",
            "every job has run or was cancelled",
            _left,
            at_risk=lambda store: len(store.jobs) > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas, violates=("no_job_of_a_cancelled_batch_runs",)
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("create", "perform"),
    sizes={"jobs": 3},
    mutants=(
        Mutant(
            name="takes the batch for complete",
            statement="is_being_created",
            weaker=lambda store: False,
        ),
        Mutant(
            name="never clears the flag",
            statement="end_creation",
            weaker=lambda store: None,
        ),
    ),
)

"""Laravel, idea 2664: workers drain a batch between two calls that add to it."""

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
from wavecheck.sim.parts import Counter, Flag
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Store:
    """One row of job_batches, and the queue."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs_total: int = sizes.chunks * sizes.chunk
        self.pending = Counter(kernel, "pending_jobs")
        self.queued = Counter(kernel, "queued")
        self.done = Counter(kernel, "done")
        self.is_paused = Flag(kernel, "is_paused")
        self.is_finished = Flag(kernel, "is_finished")

    @statement
    def pause(self) -> None:
        """Keep workers away from the batch's jobs."""
        self.is_paused.set()

    @statement
    def resume(self) -> None:
        """Let workers have them."""
        self.is_paused.set(False)

    @statement
    def add(self, jobs: int) -> None:
        """Add a chunk of jobs to the batch and to the queue."""
        self.pending.add(amount=jobs)
        self.queued.add(amount=jobs)

    @statement(
        enabled=lambda self: self.queued.get() > 0, wakes_on=lambda self: self.queued
    )
    def take(self) -> bool:
        """Take a job; it goes back at once if the batch is paused."""
        if self.is_paused.is_set():
            return False
        self.queued.add(amount=-1)
        return True

    @statement(
        enabled=lambda self: not self.is_paused.is_set(),
        wakes_on=lambda self: self.is_paused,
    )
    def wait_for_resume(self) -> None:
        """Wait until the batch is not paused."""

    @statement
    def finish_job(self) -> int:
        """Note a job's end; return how many are pending."""
        self.done.add()
        return self.pending.add(amount=-1)

    @statement
    def finish_batch(self) -> None:
        """Mark the batch finished; its then() runs."""
        self.is_finished.set()


class AsItWas:
    """Adds chunk by chunk to a batch that is open to workers."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def load(self, chunks: int, chunk: int) -> None:
        """Load the jobs of the batch in chunks."""
        for _ in range(chunks):
            await self.store.add(chunk)

    async def after_job(self) -> None:
        """Finish the batch with its last job."""
        if await self.store.finish_job() == 0:
            await self.store.finish_batch()


class Fixed(AsItWas):
    """Pauses the batch until the last chunk is in."""

    async def load(self, chunks: int, chunk: int) -> None:
        """Load the jobs of the batch in chunks."""
        await self.store.pause()
        await super().load(chunks, chunk)
        await self.store.resume()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """A loader adds chunks; a worker for each job runs as soon as it can."""

    async def worker() -> None:
        while not await store.take():
            await store.wait_for_resume()
        await code.after_job()

    yield "loader", code.load(sizes.chunks, sizes.chunk)
    for number in range(sizes.chunks * sizes.chunk):
        yield f"worker-{number}", worker()


def _early(store: Store, key: object, before: bool, after: bool) -> str | None:
    done = store.done.get()
    if done == store.jobs_total:
        return None
    return f"the batch is finished after {done} of {store.jobs_total} jobs"


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="laravel-ideas-2664",
    source="laravel/ideas issue 2664",
    title="a batch is finished between two chunks of jobs",
    harms=(Harm.EARLY,),
    pattern=Pattern.COUNTED_EARLY,
    mechanism="A long list of jobs is added to a batch in chunks. Workers run the first"
    " chunk before the second is added, and the pending count reaches zero. The batch"
    " is marked finished, and its then() runs on a part of the jobs.",
    causes=(
        KnownCause(
            "batch_finishes_after_all_jobs", CauseKind.TOO_EARLY, ("finish_job", "add")
        ),
    ),
    inferred="How a pause would work: workers put a paused batch's jobs back.",
    left_out="Cancelling, failures, the jobs' order.",
    store=Store,
    story=story,
    properties=(
        always(
            "batch_finishes_after_all_jobs",
            "the batch is finished when all jobs have run",
            "is_finished",
            _early,
            at_risk=lambda store: store.is_finished.is_set(),
        ),
        finally_(
            "batch_finishes",
            "the batch is finished when nothing can happen any more",
            lambda store: None if store.is_finished.is_set() else "never finished",
            at_risk=lambda store: store.done.get() > 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("batch_finishes_after_all_jobs",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("load", "after_job"),
    sizes={"chunks": 2, "chunk": 1},
    mutants=(
        Mutant(name="does not pause", statement="pause", weaker=lambda store: None),
        Mutant(
            name="loses the resume",
            statement="resume",
            weaker=lambda store: None,
        ),
    ),
)

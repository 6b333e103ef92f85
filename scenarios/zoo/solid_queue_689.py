"""Solid Queue, pull request 689: a job that is blocked after the last one has left."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """One job of the key."""

    name: str
    state: str


class Store:
    """One concurrency key that one job at a time may run for."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.slots = Counter(kernel, "slots")
        self.jobs = Table(kernel, "jobs", Job, key=("name",))
        self.jobs.insert(Job("job-0", "ready"))  # it holds the only slot

    @statement
    def take_slot(self) -> bool:
        """Take a slot of the semaphore if there is one."""
        if self.slots.get() == 0:
            return False
        self.slots.add(amount=-1)
        return True

    @statement
    def commit(self, job: str, state: str) -> None:
        """Commit the row of a new job: from now on others see it."""
        self.jobs.insert(Job(job, state))

    @statement
    def enqueue_locked(self, job: str) -> None:
        """Read the semaphore and commit the row, under one row lock."""
        state = "ready" if self.slots.get() else "blocked"
        self.slots.add(amount=-1 if self.slots.get() else 0)
        self.jobs.insert(Job(job, state))

    @statement(
        enabled=lambda self: self.jobs.count(state="ready") > 0,
        wakes_on=lambda self: self.jobs,
    )
    def run(self) -> str:
        """Run a ready job to its end."""
        job = self.jobs.select(state="ready")[0].name
        self.jobs.update(job, state="done")
        return job

    @statement
    def signal(self) -> None:
        """Give the slot back."""
        self.slots.add()

    @statement
    def unblock_one(self) -> None:
        """Let a blocked job have the slot, if a committed one is seen."""
        blocked = self.jobs.select(state="blocked")
        if blocked and self.slots.get():
            self.slots.add(amount=-1)
            self.jobs.update(blocked[0].name, state="ready")


class AsItWas:
    """Reads the semaphore without a lock, and commits the blocked row later."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def enqueue(self, job: str) -> None:
        """Enqueue a job."""
        has_slot = await self.store.take_slot()
        await self.store.commit(job, "ready" if has_slot else "blocked")

    async def finish(self) -> None:
        """Release the slot of a job that has ended."""
        await self.store.signal()
        await self.store.unblock_one()


class Fixed(AsItWas):
    """Locks the semaphore's row until the job's row is committed."""

    async def enqueue(self, job: str) -> None:
        """Enqueue a job."""
        await self.store.enqueue_locked(job)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Jobs are enqueued while the workers run those that are ready."""

    async def worker() -> None:
        await store.run()
        await code.finish()

    for number in range(1, sizes.jobs + 1):
        yield f"enqueue-{number}", code.enqueue(f"job-{number}")
    for number in range(sizes.jobs + 1):
        yield f"worker-{number}", worker()


def _blocked(store: Store) -> str | None:
    names = [job.name for job in store.jobs.select(state="blocked")]
    return f"blocked for ever, and the slot is free: {names}" if names else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="solid-queue-689",
    source="rails/solid_queue pull request 689",
    title="a job is blocked by a semaphore that nobody holds any more",
    harms=(Harm.STRANDED,),
    pattern=Pattern.NOBODY_RECHECKS,
    mechanism="Enqueueing reads a full semaphore and decides to block the job. Before"
    " the blocked row is committed, the running job ends, gives its slot back and looks"
    " for blocked jobs, but sees none. The row appears afterwards, and nobody looks"
    " again.",
    causes=(
        KnownCause(
            "no_job_is_blocked_for_ever",
            CauseKind.LOST_WAKE_UP,
            ("take_slot", "signal", "commit"),
        ),
    ),
    inferred="",
    left_out="The semaphore's expiry, which frees the job after minutes, and the other"
    " two races of the thread.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "no_job_is_blocked_for_ever",
            "no job is blocked when nothing can happen any more",
            _blocked,
            at_risk=lambda store: len(store.jobs) > 1,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("no_job_is_blocked_for_ever",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("enqueue", "finish"),
    sizes={"jobs": 2},
    mutants=(
        Mutant(
            name="does not look for blocked jobs after leaving",
            statement="unblock_one",
            weaker=lambda store: None,
        ),
        Mutant(
            name="gives no slot back",
            statement="signal",
            weaker=lambda store: None,
        ),
    ),
)

"""sidekiq-batch, issue 29: the jobs are done before the callback is armed."""

from typing import Any

from wavecheck.scenarios.exhibit import (
    Exhibit,
    Harm,
    Pattern,
    Tasks,
    Variant,
    finally_,
    once,
)
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Flag, Queue
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Store:
    """One batch in Redis: pending jobs, and whether it has a callback."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.pending = Counter(kernel, "pending")
        self.pending.set(sizes.jobs)
        self.queue: Queue[int] = Queue(kernel, "queue")
        self.is_armed = Flag(kernel, "is_armed")
        self.callbacks = Counter(kernel, "callbacks")

    @statement
    def push(self, job: int) -> None:
        """Put a job on the queue."""
        self.queue.put(job)

    @statement
    def arm(self) -> None:
        """Store the callback in the batch."""
        self.is_armed.set()

    @statement
    def disarm(self) -> bool:
        """Take the callback out of the batch; false if there is none."""
        was_armed = self.is_armed.is_set()
        self.is_armed.set(False)
        return was_armed

    @statement(
        enabled=lambda self: len(self.queue) > 0, wakes_on=lambda self: self.queue
    )
    def run(self) -> None:
        """Take a job and run it."""
        self.queue.take()

    @statement
    def finish(self) -> int:
        """Count one less as pending; return how many are left."""
        return self.pending.add(amount=-1)

    @statement
    def open_jobs(self) -> int:
        """Read how many jobs are pending."""
        return self.pending.get()

    @statement
    def has_callback(self) -> bool:
        """Read whether the batch has a callback."""
        return self.is_armed.is_set()

    @statement
    def call_back(self) -> None:
        """Run the callback."""
        self.callbacks.add()


class AsItWas:
    """Pushes the jobs, then stores the callback."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def create(self, jobs: int) -> None:
        """Create the batch."""
        for job in range(jobs):
            await self.store.push(job)
        await self.store.arm()

    async def after_job(self) -> None:
        """Run the callback with the last job, if there is one."""
        if await self.store.finish() == 0 and await self.store.has_callback():
            await self.store.call_back()


class Rechecking(AsItWas):
    """Stores the callback late, and then looks whether the jobs are done."""

    async def create(self, jobs: int) -> None:
        """Create the batch."""
        await super().create(jobs)
        if await self.store.open_jobs() == 0:
            await self.store.call_back()


class Fixed(AsItWas):
    """Looks as well, and only who takes the callback out of the batch runs it."""

    async def create(self, jobs: int) -> None:
        """Create the batch."""
        await super().create(jobs)
        if await self.store.open_jobs() == 0 and await self.store.disarm():
            await self.store.call_back()

    async def after_job(self) -> None:
        """Run the callback with the last job, if there is one."""
        if await self.store.finish() == 0 and await self.store.disarm():
            await self.store.call_back()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """One process creates the batch; workers run its jobs at once."""

    async def worker() -> None:
        await store.run()
        await code.after_job()

    yield "creator", code.create(sizes.jobs)
    for number in range(sizes.jobs):
        yield f"worker-{number}", worker()


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="sidekiq-batch-29",
    source="breamware/sidekiq-batch issue 29",
    title="on_success is not called when the jobs finish too fast",
    harms=(Harm.STRANDED, Harm.TWICE),
    pattern=Pattern.CALLBACK_NOT_ARMED,
    mechanism="The last job looks for the batch's callback when it ends. Fast jobs end"
    " before the process that creates the batch has stored the callback. The last job"
    " finds none, and nobody calls it later.",
    causes=(
        KnownCause(
            "callback_runs", CauseKind.NOBODY_CALLS_AGAIN, ("has_callback", "arm")
        ),
        KnownCause(
            "callback_runs_once",
            CauseKind.ACTED_TWICE,
            ("arm", "has_callback", "call_back"),
        ),
    ),
    inferred="The cause is inferred from the title. `rechecking` is ours: a second look"
    " without a claim calls the callback twice.",
    left_out="Failing jobs, the other callbacks, expiry of the keys.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "callback_runs",
            "the callback has run when all jobs are done",
            lambda store: None if store.callbacks.get() else "never called",
            at_risk=lambda store: store.pending.get() == 0,
        ),
        once("callback_runs_once", "the callback runs", "callbacks"),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("callback_runs",)),
        "rechecking": Variant(code=Rechecking, violates=("callback_runs_once",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("create", "after_job"),
    sizes={"jobs": 2},
    mutants=(
        Mutant(
            name="leaves the callback in the batch",
            statement="disarm",
            weaker=lambda store: store.is_armed.is_set(),
        ),
        Mutant(
            name="does not look once it is armed",
            statement="open_jobs",
            weaker=lambda store: 1,
        ),
    ),
)

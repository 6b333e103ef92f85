"""Laravel, issue 38804: then() adds a job, and so it is called for ever."""

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
from wavecheck.sim.parts import Counter, Flag


class Store:
    """A batch whose then() adds another job to it."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.added_max: int = sizes.added
        self.pending = Counter(kernel, "pending_jobs")
        self.pending.set(sizes.jobs)
        self.queued = Counter(kernel, "queued")
        self.queued.set(sizes.jobs)
        self.is_finished = Flag(kernel, "is_finished")
        self.thens = Counter(kernel, "thens")

    @statement(
        enabled=lambda self: self.queued.get() > 0, wakes_on=lambda self: self.queued
    )
    def run(self) -> None:
        """Take a job and run it."""
        self.queued.add(amount=-1)

    @statement
    def finish_job(self) -> int:
        """Count one less as pending; return how many are left."""
        return self.pending.add(amount=-1)

    @statement
    def mark_finished(self) -> bool:
        """Set finished_at if it is not set; say whether this call has set it."""
        if self.is_finished.is_set():
            return False
        self.is_finished.set()
        return True

    @statement
    def call_then(self) -> None:
        """Call then(), which adds a job to the batch."""
        if self.thens.add() <= self.added_max:
            self.pending.add()
            self.queued.add()


class AsItWas:
    """Calls then() whenever the count reaches zero."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def after_job(self) -> None:
        """Finish the batch with its last job."""
        if await self.store.finish_job() == 0:
            await self.store.call_then()


class Fixed(AsItWas):
    """Calls then() only when it has set finished_at."""

    async def after_job(self) -> None:
        """Finish the batch with its last job."""
        if await self.store.finish_job() == 0 and await self.store.mark_finished():
            await self.store.call_then()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Workers run the batch's jobs, and those that then() adds."""

    async def worker() -> None:
        while True:
            await store.run()
            await code.after_job()

    for number in range(sizes.workers):
        yield f"worker-{number}", worker()


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="laravel-38804",
    source="laravel/framework issue 38804",
    title="then() adds a job to its batch and is called again and again",
    harms=(Harm.TWICE,),
    pattern=Pattern.CALLBACK_NOT_ARMED,
    mechanism="A batch calls then() whenever its pending count reaches zero. The then()"
    " of this batch adds a job to it. That job ends, the count reaches zero again, and"
    " then() is called again.",
    inferred="The fix: a mark that only one caller can set.",
    left_out="That the loop never ends: here then() stops adding after a few jobs.",
    store=Store,
    story=story,
    properties=(
        once("then_is_called_once", "then() is called", "thens"),
        finally_(
            "then_is_called",
            "then() has been called when all jobs are done",
            lambda store: None if store.thens.get() else "then() is never called",
            at_risk=lambda store: store.pending.get() == 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("then_is_called_once",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("after_job",),
    sizes={"jobs": 2, "added": 2, "workers": 2},
    mutants=(
        Mutant(
            name="sets finished_at again",
            statement="mark_finished",
            weaker=lambda store: store.is_finished.set() is None,
        ),
        Mutant(
            name="misses zero by one",
            statement="finish_job",
            weaker=lambda store: store.pending.add(amount=-1) + 1,
        ),
    ),
)

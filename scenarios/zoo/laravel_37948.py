"""Laravel, issue 37948: a count-down is rolled back, and nobody tries again."""

from typing import Any

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Lock
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Store:
    """One row of job_batches, which a transaction locks for its update."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.pending = Counter(kernel, "pending_jobs")
        self.pending.set(sizes.jobs)
        self.row_lock = Lock(kernel, "row_lock")
        self.runs = Counter(kernel, "runs")
        self.finished = Counter(kernel, "finished")

    @statement
    def run_job(self) -> None:
        """Run a job."""
        self.runs.add()

    @statement
    def lock_row(self, worker: str) -> bool:
        """Begin a transaction on the row; false: it is locked, and we are aborted."""
        return self.row_lock.try_acquire(worker)

    @statement(
        enabled=lambda self: self.row_lock.is_free(),
        wakes_on=lambda self: self.row_lock,
    )
    def back_off(self) -> None:
        """Wait a while: a look that finds the row locked still is none."""

    @statement
    def count_down(self) -> int:
        """Count one less as pending and commit; return how many are left."""
        self.row_lock.release()
        return self.pending.add(amount=-1)

    @statement
    def finish_batch(self) -> None:
        """Mark the batch finished."""
        self.finished.add()


class AsItWas:
    """Leaves when its transaction is aborted."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def after_job(self, worker: str) -> None:
        """Count the job down; the last one finishes the batch."""
        if not await self.store.lock_row(worker):
            return
        if await self.store.count_down() == 0:
            await self.store.finish_batch()


class Fixed(AsItWas):
    """Tries again until its transaction is committed."""

    async def after_job(self, worker: str) -> None:
        """Count the job down; the last one finishes the batch."""
        while not await self.store.lock_row(worker):
            await self.store.back_off()
        if await self.store.count_down() == 0:
            await self.store.finish_batch()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Each worker runs one job of the batch."""

    async def work(worker: str) -> None:
        await store.run_job()
        await code.after_job(worker)

    for number in range(sizes.jobs):
        yield f"worker-{number}", work(f"worker-{number}")


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="laravel-37948",
    source="laravel/framework issue 37948",
    title="a batch never finishes: a count-down was rolled back",
    harms=(Harm.STRANDED,),
    pattern=Pattern.MISCOUNTED,
    mechanism="Each job that ends counts the batch down in a transaction. Two that meet"
    " on the row may make the database abort one of them. The abort is not repeated, so"
    " the count never reaches zero.",
    causes=(
        KnownCause("batch_finishes", CauseKind.FAILED, ("lock_row", "count_down")),
    ),
    inferred="That the abort is a lock conflict, in the simplest form.",
    left_out="Deadlocks over several rows, the number of attempts.",
    fault_budget="none; the database aborts one of two transactions that meet",
    store=Store,
    story=story,
    properties=(
        finally_(
            "batch_finishes",
            "the batch is finished when all its jobs have run",
            lambda store: (
                None
                if store.finished.get() == 1
                else f"not finished; {store.pending.get()} pending for ever"
            ),
            at_risk=lambda store: store.runs.get() > 1,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("batch_finishes",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("after_job",),
    sizes={"jobs": 3},
    mutants=(
        Mutant(
            name="takes an abort for a commit",
            statement="lock_row",
            weaker=lambda store, worker: store.row_lock.try_acquire(worker) or True,
        ),
        Mutant(
            name="commits without the count",
            statement="count_down",
            weaker=lambda store: (store.row_lock.release(), store.pending.get())[1],
        ),
    ),
)

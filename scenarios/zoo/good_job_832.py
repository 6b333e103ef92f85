"""GoodJob, issue 832: the last two jobs of a batch both enqueue its callback."""

from typing import Any, NamedTuple

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
from wavecheck.sim.parts import Counter, Flag, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """One job of the batch."""

    number: int
    is_finished: bool


class Store:
    """A batch, its jobs and its callback jobs."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs = Table(kernel, "jobs", Job, key=("number",))
        self.is_finished = Flag(kernel, "batch_is_finished")
        self.callbacks = Counter(kernel, "callbacks")
        for number in range(sizes.jobs):
            self.jobs.insert(Job(number, False))

    @statement
    def finish_job(self, number: int) -> None:
        """Note the end of a job."""
        self.jobs.update(number, is_finished=True)

    @statement
    def has_open_jobs(self) -> bool:
        """Read whether some job of the batch is not finished."""
        return self.jobs.count(is_finished=False) > 0

    @statement
    def mark_finished(self) -> bool:
        """Set finished_at if it is not set; say whether this call has set it."""
        if self.is_finished.is_set():
            return False
        self.is_finished.set()
        return True

    @statement
    def enqueue_callback(self) -> None:
        """Enqueue the batch's callback job."""
        self.callbacks.add()


class AsItWas:
    """Whoever sees no open job enqueues the callback."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def finish(self, number: int) -> None:
        """Finish a job, and the batch with its last one."""
        await self.store.finish_job(number)
        if not await self.store.has_open_jobs():
            await self.store.enqueue_callback()


class Fixed(AsItWas):
    """Whoever sets finished_at enqueues the callback."""

    async def finish(self, number: int) -> None:
        """Finish a job, and the batch with its last one."""
        await self.store.finish_job(number)
        if not await self.store.has_open_jobs() and await self.store.mark_finished():
            await self.store.enqueue_callback()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Workers finish the jobs at the same time."""
    for number in range(sizes.jobs):
        yield f"worker-{number}", code.finish(number)


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="good-job-832",
    source="bensheldon/good_job issue 832",
    title="a batch's callback is enqueued twice by simultaneous finishers",
    harms=(Harm.TWICE,),
    pattern=Pattern.CALLBACK_NOT_ARMED,
    mechanism="Two workers finish the last two jobs at the same moment. Both note their"
    " end before either counts the open jobs, so both count none. Each enqueues the"
    " callback.",
    causes=(
        KnownCause(
            "callback_is_enqueued_once",
            CauseKind.ACTED_TWICE,
            ("finish_job", "has_open_jobs", "enqueue_callback"),
        ),
    ),
    inferred="The cause, from the symptom and the title; and the fix, a conditional"
    " update, where the project may take a lock instead.",
    left_out="Discarded jobs, the other callbacks, transactions.",
    store=Store,
    story=story,
    properties=(
        once("callback_is_enqueued_once", "the callback is enqueued", "callbacks"),
        finally_(
            "callback_is_enqueued",
            "the callback is enqueued when all jobs are finished",
            lambda store: None if store.callbacks.get() else "never enqueued",
            at_risk=lambda store: store.jobs.count(is_finished=False) == 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("callback_is_enqueued_once",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("finish",),
    sizes={"jobs": 3},
    mutants=(
        Mutant(
            name="sets finished_at again",
            statement="mark_finished",
            weaker=lambda store: store.is_finished.set() is None,
        ),
        Mutant(
            name="always sees an open job",
            statement="has_open_jobs",
            weaker=lambda store: True,
        ),
    ),
)

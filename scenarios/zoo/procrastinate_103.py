"""procrastinate, issues 103 and 212: two fetches pass one lock, or in wrong order."""

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
from wavecheck.sim.parts import Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """One job; all share one lock.

    Attributes:
        number: in the order of age.
        state: `todo`, `doing` or `done`.
        is_row_locked: an open transaction has selected it.
        has_lock: it has a row in the table of locks.
    """

    number: int
    state: str
    is_row_locked: bool
    has_lock: bool


class Store:
    """The jobs of one lock."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs = Table(kernel, "jobs", Job, key=("number",))
        for number in range(sizes.jobs):
            self.jobs.insert(Job(number, "todo", False, False))

    def _may_fetch(self) -> bool:
        # A worker that finds nothing comes back when something has changed.
        is_busy = any(
            job.state == "doing" or job.is_row_locked or job.has_lock
            for job in self.jobs
        )
        return not is_busy and self.jobs.count(state="todo") > 0

    @statement(enabled=_may_fetch, wakes_on=lambda self: self.jobs)
    def wait_for_work(self) -> None:
        """Wait until there is a job to do and none is being done."""

    @statement
    def select_job(self) -> int | None:
        """Select the first job that no other fetch has row-locked; row-lock it."""
        free = self.jobs.select(state="todo", is_row_locked=False)
        if not free or self.jobs.count(has_lock=True):
            return None
        self.jobs.update(free[0].number, is_row_locked=True)
        return free[0].number

    @statement
    def select_oldest(self) -> int | None:
        """Select the lock's oldest job that is not done, unless it is row-locked."""
        oldest = next((job for job in self.jobs if job.state != "done"), None)
        if oldest is None or oldest.state == "doing" or oldest.is_row_locked:
            return None
        self.jobs.update(oldest.number, is_row_locked=True)
        return oldest.number

    @statement
    def insert_lock(self, number: int) -> bool:
        """Insert the lock's row; false if another job has inserted it."""
        if self.jobs.count(has_lock=True):
            return False
        self.jobs.update(number, has_lock=True)
        return True

    @statement
    def set_doing(self, number: int) -> None:
        """Set a job to doing and end the transaction."""
        self.jobs.update(number, state="doing", is_row_locked=False)

    @statement
    def roll_back(self, number: int) -> None:
        """Give up: the job is not row-locked any more."""
        self.jobs.update(number, is_row_locked=False)

    @statement
    def end(self, number: int) -> None:
        """Set a job to done and delete its lock."""
        self.jobs.update(number, state="done", has_lock=False)


class AsItWas:
    """Selects a job whose lock is free, then sets it to doing."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def fetch(self) -> int | None:
        """Fetch a job."""
        job = await self.store.select_job()
        if job is not None:
            await self.store.set_doing(job)
        return job


class Locking(AsItWas):
    """Inserts the lock's row, which only one fetch can."""

    async def fetch(self) -> int | None:
        """Fetch a job."""
        job = await self.store.select_job()
        return None if job is None else await self.take(job)

    async def take(self, job: int) -> int | None:
        """Take a selected job if the lock can be had."""
        if await self.store.insert_lock(job):
            await self.store.set_doing(job)
            return job
        await self.store.roll_back(job)
        return None


class Fixed(Locking):
    """Only the oldest job of a lock is ever selected."""

    async def fetch(self) -> int | None:
        """Fetch a job."""
        job = await self.store.select_oldest()
        return None if job is None else await self.take(job)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Workers fetch jobs and do them."""

    async def worker() -> None:
        while True:
            await store.wait_for_work()
            job = await code.fetch()
            if job is not None:
                await store.end(job)

    for number in range(sizes.workers):
        yield f"worker-{number}", worker()


def _two(store: Store, key: object, before: Job, after: Job) -> str | None:
    doing = store.jobs.count(state="doing")
    return f"{doing} jobs of one lock at once" if doing > 1 else None


def _passed(store: Store, key: Any, before: Job, after: Job) -> str | None:
    if after.state != "doing":
        return None
    passed = [job.number for job in store.jobs if job.number < key]
    waiting = [number for number in passed if store.jobs.get(number).state == "todo"]
    return f"job {key} passes {waiting}" if waiting else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="procrastinate-103",
    source="procrastinate-org/procrastinate issues 103 and 212, pull request 231",
    title="two jobs of one lock run at once; once fixed, in the wrong order",
    harms=(Harm.TWICE,),
    pattern=Pattern.UNGUARDED_UPDATE,
    mechanism="Two fetches find the lock free, skip each other's row lock and both set"
    " their job to doing. The first fix lets one of them insert the lock. Then the one"
    " that has selected the younger job may insert it first, and the job passes the"
    " older one.",
    causes=(
        KnownCause(
            "one_job_of_a_lock_at_a_time",
            CauseKind.STALE_READ,
            ("wait_for_work", "select_job", "select_job"),
        ),
        KnownCause(
            "jobs_of_a_lock_keep_their_order",
            CauseKind.WRITE_SKEW,
            ("wait_for_work", "select_job", "select_job"),
        ),
    ),
    left_out="The price of the second fix, which issue 1599 tells: an oldest job that"
    " is scheduled for later holds up all jobs of its lock.",
    store=Store,
    story=story,
    properties=(
        always(
            "one_job_of_a_lock_at_a_time",
            "no two jobs of one lock are being done at once",
            "jobs",
            _two,
            at_risk=lambda store: store.jobs.count(state="done") > 1,
        ),
        always(
            "jobs_of_a_lock_keep_their_order",
            "a job does not start while an older one of its lock waits",
            "jobs",
            _passed,
            at_risk=lambda store: store.jobs.count(state="done") > 1,
        ),
        finally_(
            "every_job_is_done",
            "every job is done when nothing can happen any more",
            lambda store: (
                None
                if store.jobs.count(state="done") == len(store.jobs)
                else "some job is left behind"
            ),
            at_risk=lambda store: len(store.jobs) > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas,
            violates=("one_job_of_a_lock_at_a_time", "jobs_of_a_lock_keep_their_order"),
        ),
        "locking": Variant(code=Locking, violates=("jobs_of_a_lock_keep_their_order",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("fetch",),
    sizes={"jobs": 2, "workers": 2},
    mutants=(
        Mutant(
            name="selects a younger job",
            statement="select_oldest",
            weaker=Store.select_job.statement.function,  # type: ignore[attr-defined]  # `statement` adds it
        ),
        Mutant(
            name="does not ask for the lock's row",
            statement="insert_lock",
            weaker=lambda store, number: True,
            harmless={
                "fixed": "the oldest job alone is ever selected, and its row lock"
                " keeps other fetches away; proved with 2 jobs and 2 workers"
            },
        ),
    ),
)

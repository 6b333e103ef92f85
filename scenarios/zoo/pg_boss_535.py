"""pg-boss, issue 535: two jobs of one key make every fetch fail."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table, UniqueViolation
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """One job; of each key at most one is active."""

    name: str
    key: str
    state: str


class Store:
    """A stately queue: a unique index over the key of active jobs."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs = Table(
            kernel,
            "jobs",
            Job,
            key=("name",),
            unique={
                "one active": lambda job: job.key if job.state == "active" else None
            },
        )
        self.jobs.insert(Job("first", "key-1", "active"))

    @statement
    def send(self, name: str, key: str) -> None:
        """Create a job."""
        self.jobs.insert(Job(name, key, "created"))

    @statement
    def fail(self, name: str) -> None:
        """Set a job to retry."""
        self.jobs.update(name, state="retry")

    def _waiting(self) -> list[Job]:
        return [job for job in self.jobs if job.state in ("created", "retry")]

    def _may_fetch(self) -> bool:
        busy = [job.key for job in self.jobs.select(state="active")]
        return any(job.key not in busy for job in self._waiting())

    @statement(enabled=_may_fetch, wakes_on=lambda self: self.jobs)
    def wait_for_jobs(self) -> None:
        """Wait until there is a job whose key is not active."""

    @statement
    def fetch(self, batch: int) -> tuple[str, ...]:
        """Set the first jobs to active, in one UPDATE.

        Raises:
            UniqueViolation: two of them have one key, or a key is active; none is set.
        """
        names = [job.name for job in self._waiting()[:batch]]
        self.jobs.update_all(names, state="active")
        return tuple(names)

    @statement
    def fetch_each(self, batch: int) -> tuple[str, ...]:
        """Set the first jobs to active, one by one; leave out those that conflict."""
        fetched = []
        for job in self._waiting()[:batch]:
            try:
                self.jobs.update(job.name, state="active")
            except UniqueViolation:
                continue
            fetched.append(job.name)
        return tuple(fetched)

    @statement
    def complete(self, name: str) -> None:
        """Complete a job."""
        self.jobs.update(name, state="completed")


class AsItWas:
    """Fetches a batch or nothing; a failed fetch is tried again at the next poll."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def fetch(self, batch: int) -> tuple[str, ...]:
        """Fetch up to so many jobs."""
        try:
            return await self.store.fetch(batch)
        except UniqueViolation:
            return ()


class Fixed(AsItWas):
    """Falls back to one job at a time."""

    async def fetch(self, batch: int) -> tuple[str, ...]:
        """Fetch up to so many jobs."""
        try:
            return await self.store.fetch(batch)
        except UniqueViolation:
            pass
        return await self.store.fetch_each(batch)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """A job of a key fails while others of that key and of another are sent."""

    async def old_worker() -> None:
        await store.fail("first")

    async def sender() -> None:
        await store.send("second", "key-1")
        for number in range(sizes.others):
            await store.send(f"other-{number}", f"key-{number + 2}")

    async def worker() -> None:
        # Each poll that a queue in order needs, and one more for each job.
        for _ in range(2 * (sizes.others + 2)):
            await store.wait_for_jobs()
            for name in await code.fetch(sizes.batch):
                await store.complete(name)

    yield "old-worker", old_worker()
    yield "sender", sender()
    yield "worker", worker()


def _left(store: Store) -> str | None:
    names = [job.name for job in store.jobs if job.state != "completed"]
    return f"never fetched: {names}" if names else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="pg-boss-535",
    source="timgit/pg-boss issue 535, pull request 536",
    title="one pair of jobs with the same key stops the queue",
    harms=(Harm.STRANDED,),
    pattern=Pattern.POISONED_BULK,
    mechanism="A fetch sets a batch of jobs to active in one UPDATE, and a unique index"
    " allows one active job of each key. A job that waits for a retry and a new one may"
    " have the same key and be in one batch. Every fetch fails from then on, for all"
    " keys.",
    causes=(KnownCause("every_job_is_fetched", CauseKind.FAILED, ("fetch", "fail")),),
    inferred="The fix; the pull request prefers retries over new jobs, which the"
    " maintainer thinks does not cover all cases.",
    left_out="Priorities, expiry, several workers.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "every_job_is_fetched",
            "every job is completed when nothing can happen any more",
            _left,
            at_risk=lambda store: len(store.jobs) > 1,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("every_job_is_fetched",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("fetch",),
    sizes={"others": 1, "batch": 2},
    mutants=(
        Mutant(
            name="gives up a batch with a conflict",
            statement="fetch_each",
            weaker=lambda store, batch: (),
        ),
        Mutant(
            name="fetches a batch and forgets it",
            statement="fetch",
            weaker=lambda store, batch: (
                store.jobs.update_all(
                    [job.name for job in store._waiting()[:batch]], state="active"
                ),
                (),
            )[1],
        ),
    ),
)

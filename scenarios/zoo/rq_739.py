"""RQ, issue 739: a job waits for a dependency that has finished."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """The dependency, or a job that depends on it."""

    name: str
    state: str


class Store:
    """Redis: one dependency, its dependents, and the version that WATCH compares."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs = Table(kernel, "jobs", Job, key=("name",))
        self.jobs.insert(Job("dependency", "started"))
        self.version = Counter(kernel, "version")

    @statement
    def dependency_state(self) -> str:
        """Read the dependency's status."""
        return self.jobs.get("dependency").state

    @statement
    def watch(self) -> int:
        """WATCH the dependency's status."""
        return self.version.get()

    @statement
    def enqueue(self, name: str) -> None:
        """Put a job on its queue."""
        self.jobs.insert(Job(name, "queued"))

    @statement
    def defer(self, name: str) -> None:
        """Register a job among the dependents."""
        self.jobs.insert(Job(name, "deferred"))

    @statement
    def defer_if_unchanged(self, name: str, watched: int) -> bool:
        """Register a job, unless the status has changed since WATCH; say whether."""
        if self.version.get() != watched:
            return False
        self.jobs.insert(Job(name, "deferred"))
        return True

    @statement
    def set_finished(self) -> None:
        """Set the dependency's status to finished."""
        self.jobs.update("dependency", state="finished")
        self.version.add()

    @statement
    def enqueue_dependents(self) -> None:
        """Put all registered dependents on their queues."""
        for job in self.jobs.select(state="deferred"):
            self.jobs.update(job.name, state="queued")


class AsItWas:
    """Enqueues the dependents, then flips the status; a client reads it unguarded."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def finish_dependency(self) -> None:
        """Let the dependents go."""
        await self.store.enqueue_dependents()
        await self.store.set_finished()

    async def enqueue_dependent(self, name: str) -> None:
        """Enqueue a job, or defer it until its dependency has finished."""
        if await self.store.dependency_state() == "finished":
            await self.store.enqueue(name)
        else:
            await self.store.defer(name)


class StaleRetry(AsItWas):
    """Watches the status, and tries again by the status that it read at first."""

    async def finish_dependency(self) -> None:
        """Let the dependents go."""
        await self.store.set_finished()
        await self.store.enqueue_dependents()

    async def enqueue_dependent(self, name: str) -> None:
        """Enqueue a job, or defer it until its dependency has finished."""
        state = await self.store.dependency_state()
        while state != "finished":
            watched = await self.store.watch()
            if await self.store.defer_if_unchanged(name, watched):
                return
        await self.store.enqueue(name)


class Fixed(StaleRetry):
    """Watches the status, then reads it, in every attempt."""

    async def enqueue_dependent(self, name: str) -> None:
        """Enqueue a job, or defer it until its dependency has finished."""
        watched = await self.store.watch()
        while await self.store.dependency_state() != "finished":
            if await self.store.defer_if_unchanged(name, watched):
                return
            watched = await self.store.watch()
        await self.store.enqueue(name)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Dependents are enqueued while their dependency finishes."""
    yield "worker", code.finish_dependency()
    for number in range(sizes.dependents):
        yield f"client-{number}", code.enqueue_dependent(f"job-{number}")


def _deferred(store: Store) -> str | None:
    names = [job.name for job in store.jobs.select(state="deferred")]
    return f"deferred for ever behind a finished job: {names}" if names else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="rq-739",
    source="rq/rq issue 739, pull requests 1605 and 1615",
    title="a job is deferred for ever behind a dependency that has finished",
    harms=(Harm.STRANDED,),
    pattern=Pattern.NOBODY_RECHECKS,
    mechanism="A worker that finishes a job enqueues the registered dependents and then"
    " flips the status. A client that reads the old status registers a dependent after"
    " that. Nobody looks at the dependents again.",
    causes=(
        KnownCause(
            "no_job_is_deferred_for_ever",
            CauseKind.LOST_WAKE_UP,
            ("enqueue_dependents", "defer", "set_finished"),
        ),
        KnownCause(
            "no_job_is_deferred_for_ever",
            CauseKind.LOST_WAKE_UP,
            ("dependency_state", "set_finished", "defer_if_unchanged"),
        ),
    ),
    inferred="`stale-retry` is our reading of the first pull request: it watches, but"
    " tries again by the local status it had read before.",
    left_out="Several dependencies of one job, failing dependencies, the queue itself.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "no_job_is_deferred_for_ever",
            "no job is deferred when its dependency has finished",
            _deferred,
            at_risk=lambda store: len(store.jobs) > 1,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("no_job_is_deferred_for_ever",)),
        "stale-retry": Variant(
            code=StaleRetry, violates=("no_job_is_deferred_for_ever",)
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("finish_dependency", "enqueue_dependent"),
    sizes={"dependents": 2},
    mutants=(
        Mutant(
            name="does not compare with what it watched",
            statement="defer_if_unchanged",
            weaker=lambda store, name, watched: (
                store.jobs.insert(Job(name, "deferred")) is None
            ),
        ),
        Mutant(
            name="forgets the dependents",
            statement="enqueue_dependents",
            weaker=lambda store: None,
        ),
    ),
)

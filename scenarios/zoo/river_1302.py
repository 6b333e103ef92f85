"""River, issue 1302: the rescuer overwrites a job that has completed."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, always
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """One job.

    Attributes:
        number: its id.
        state: `available`, `running`, `retryable` or `completed`.
        attempt: how often it was started.
        is_stuck: this attempt has been running for too long.
    """

    number: int
    state: str
    attempt: int
    is_stuck: bool


class Store:
    """A job that has been running for too long, by the clock."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.kernel = kernel
        self.jobs = Table(kernel, "jobs", Job, key=("number",))
        for number in range(sizes.jobs):
            self.jobs.insert(Job(number, "running", 1, True))

    @statement
    def stuck_jobs(self) -> tuple[tuple[int, int], ...]:
        """Read the jobs that run for too long, with their attempts."""
        stuck = self.jobs.select(state="running", is_stuck=True)
        return tuple((job.number, job.attempt) for job in stuck)

    @statement
    def rescue(self, number: int) -> None:
        """Set a job to retryable, whatever it is."""
        self.jobs.update(number, state="retryable")

    @statement
    def rescue_if_running(self, number: int) -> None:
        """Set a job to retryable if it is running."""
        if self.jobs.get(number).state == "running":
            self.jobs.update(number, state="retryable")

    @statement
    def rescue_attempt(self, number: int, attempt: int) -> None:
        """Set a job to retryable if this attempt of it is running."""
        job = self.jobs.get(number)
        if job.state == "running" and job.attempt == attempt:
            self.jobs.update(number, state="retryable")

    @statement
    def end_attempt(self, number: int, attempt: int) -> None:
        """End an attempt that is running still: well, or with an error."""
        job = self.jobs.get(number)
        if job.state == "running" and job.attempt == attempt:
            is_well = self.kernel.choose(2) == 0
            state = "completed" if is_well else "available"
            self.jobs.update(number, state=state, is_stuck=False)

    @statement
    def start_attempt(self, number: int) -> None:
        """Start the next attempt of a job that is available."""
        job = self.jobs.get(number)
        if job.state == "available":
            self.jobs.update(number, state="running", attempt=job.attempt + 1)


class AsItWas:
    """Rescues by id what it has read as stuck."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def rescue(self) -> None:
        """One pass of the rescuer."""
        for number, _ in await self.store.stuck_jobs():
            await self.store.rescue(number)


class GuardedByState(AsItWas):
    """Rescues what is running still."""

    async def rescue(self) -> None:
        """One pass of the rescuer."""
        for number, _ in await self.store.stuck_jobs():
            await self.store.rescue_if_running(number)


class Fixed(AsItWas):
    """Rescues the attempt that it has read as stuck, and no other."""

    async def rescue(self) -> None:
        """One pass of the rescuer."""
        for number, attempt in await self.store.stuck_jobs():
            await self.store.rescue_attempt(number, attempt)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """The rescuer makes a pass while the attempts of the jobs end and begin."""

    async def worker(number: int) -> None:
        await store.end_attempt(number, 1)
        await store.start_attempt(number)

    yield "rescuer", code.rescue()
    for number in range(sizes.jobs):
        yield f"worker-{number}", worker(number)


def _reopened(store: Store, key: object, before: Job, after: Job) -> str | None:
    return f"job {key} was completed" if before.state == "completed" else None


def _fresh(store: Store, key: object, before: Job, after: Job) -> str | None:
    is_rescued = before.state == "running" and after.state == "retryable"
    if is_rescued and not before.is_stuck:
        return f"attempt {before.attempt} of job {key} has just begun and is rescued"
    return None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="river-1302",
    source="riverqueue/river issue 1302",
    title="the rescuer sets a completed job back to retryable",
    harms=(Harm.TWICE,),
    pattern=Pattern.LIVE_OWNER,
    mechanism="The rescuer reads which jobs have been running for too long, and later"
    " sets them to retryable. The update names the id alone. A job that has completed"
    " in between is opened again.",
    causes=(
        KnownCause(
            "no_fresh_attempt_is_rescued",
            CauseKind.STALE_READ,
            ("stuck_jobs", "end_attempt", "rescue"),
        ),
        KnownCause(
            "a_completed_job_stays_completed",
            CauseKind.STALE_READ,
            ("stuck_jobs", "end_attempt", "rescue"),
        ),
        KnownCause(
            "no_fresh_attempt_is_rescued",
            CauseKind.ABA,
            ("stuck_jobs", "end_attempt", "rescue_if_running"),
        ),
    ),
    inferred="The thread proposes a guard on the current state. `guarded-by-state` is"
    " that: it leaves completed jobs alone, and still rescues a fresh attempt that"
    " replaced the stuck one. Whether the project's own fix looks at the attempt we"
    " have not read.",
    left_out="What makes a job stuck, discarded and cancelled jobs, rescue counts.",
    store=Store,
    story=story,
    properties=(
        always(
            "a_completed_job_stays_completed",
            "a job that is completed does not change any more",
            "jobs",
            _reopened,
            at_risk=lambda store: store.jobs.count(state="completed") > 0,
        ),
        always(
            "no_fresh_attempt_is_rescued",
            "an attempt is rescued only if it was stuck",
            "jobs",
            _fresh,
            at_risk=lambda store: any(job.attempt > 1 for job in store.jobs),
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas,
            violates=("a_completed_job_stays_completed", "no_fresh_attempt_is_rescued"),
        ),
        "guarded-by-state": Variant(
            code=GuardedByState, violates=("no_fresh_attempt_is_rescued",)
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("rescue",),
    sizes={"jobs": 1},
    mutants=(
        Mutant(
            name="does not compare attempts",
            statement="rescue_attempt",
            weaker=lambda store, number, attempt: (
                store.jobs.update(number, state="retryable")
                if store.jobs.get(number).state == "running"
                else None
            ),
        ),
        Mutant(
            name="rescues whatever it is",
            statement="rescue_attempt",
            weaker=lambda store, number, attempt: store.jobs.update(
                number, state="retryable"
            ),
        ),
    ),
)

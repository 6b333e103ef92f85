"""awa, fixed in 0.6.1: one duplicate makes the rescue of all jobs fail."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table, UniqueViolation
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """One job; of each key at most one is available."""

    name: str
    key: str
    state: str


class Store:
    """Jobs whose workers are lost, and a unique index over available ones."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs = Table(
            kernel,
            "jobs",
            Job,
            key=("name",),
            unique={
                "one available": lambda job: (
                    job.key if job.state == "available" else None
                )
            },
        )
        for number in range(sizes.lost):
            self.jobs.insert(Job(f"lost-{number}", f"key-{number}", "running"))

    @statement
    def send(self, name: str, key: str) -> bool:
        """Create a job, unless one of its key is available; say whether."""
        try:
            self.jobs.insert(Job(name, key, "available"))
        except UniqueViolation:
            return False
        return True

    @statement
    def lost_jobs(self) -> tuple[str, ...]:
        """Read the jobs that are running and whose workers are lost."""
        return tuple(job.name for job in self.jobs.select(state="running"))

    @statement
    def rescue_all(self, names: tuple[str, ...]) -> None:
        """Make jobs available in one UPDATE.

        Raises:
            UniqueViolation: the key of one is available already; none is rescued.
        """
        self.jobs.update_all(names, state="available")

    @statement
    def rescue_or_discard(self, name: str) -> None:
        """Make a job available, or discard it if its key is available already."""
        try:
            self.jobs.update(name, state="available")
        except UniqueViolation:
            self.jobs.update(name, state="discarded")


class AsItWas:
    """Rescues all lost jobs or none, and tries again at the next pass."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def rescue(self) -> None:
        """One pass of the rescuer."""
        names = await self.store.lost_jobs()
        try:
            await self.store.rescue_all(names)
        except UniqueViolation:
            await self.fall_back(names)

    async def fall_back(self, names: tuple[str, ...]) -> None:
        """Leave everything to the next pass."""


class Fixed(AsItWas):
    """Rescues job by job when the batch fails."""

    async def fall_back(self, names: tuple[str, ...]) -> None:
        """Rescue each job, or discard it as a duplicate."""
        for name in names:
            await self.store.rescue_or_discard(name)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """The rescuer makes its passes while somebody sends a job of a lost one's key."""

    async def rescuer() -> None:
        for _ in range(sizes.passes):
            await code.rescue()

    async def sender() -> None:
        await store.send("again", "key-0")

    yield "rescuer", rescuer()
    yield "sender", sender()


def _lost(store: Store) -> str | None:
    names = [job.name for job in store.jobs.select(state="running")]
    return f"lost for ever: {names}" if names else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="awa-unique-rescue",
    source="hardbyte/awa, the model CanonicalUniqueRescue; fixed in 0.6.1",
    title="lost jobs are never rescued: one of them has a duplicate",
    harms=(Harm.STRANDED,),
    pattern=Pattern.POISONED_BULK,
    mechanism="A rescuer makes all lost jobs available in one UPDATE. A new job of the"
    " same key as one of them is available already, and a unique index makes the UPDATE"
    " fail as a whole. It fails at every pass, and no lost job is rescued.",
    causes=(
        KnownCause(
            "every_lost_job_is_rescued", CauseKind.FAILED, ("send", "rescue_all")
        ),
    ),
    inferred="What happens to the duplicate: here it is discarded.",
    left_out="Heartbeats, attempts, the limit of a batch.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "every_lost_job_is_rescued",
            "no job is running without a worker when the passes are over",
            _lost,
            at_risk=lambda store: "again" in store.jobs,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("every_lost_job_is_rescued",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("rescue", "fall_back"),
    sizes={"lost": 2, "passes": 2},
    mutants=(
        Mutant(
            name="keeps the duplicate",
            statement="rescue_or_discard",
            weaker=lambda store, name: (
                None
                if store.jobs.count(key=store.jobs.get(name).key) > 1
                else store.jobs.update(name, state="available")
            ),
        ),
        Mutant(
            name="sees no lost job",
            statement="lost_jobs",
            weaker=lambda store: (),
        ),
    ),
)

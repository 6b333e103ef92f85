"""Dagster, issue 28456: a cancelled run keeps its slot in the pool."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Run(NamedTuple):
    """A run, and whether it has a slot of the pool."""

    name: str
    state: str
    has_slot: bool


class Store:
    """A pool of slots, and runs that may be cancelled."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.runs = Table(kernel, "runs", Run, key=("name",))
        for number in range(sizes.runs):
            self.runs.insert(Run(f"run-{number}", "started", False))

    @statement
    def claim_slot(self, run: str) -> None:
        """Take a slot of the pool."""
        self.runs.update(run, has_slot=True)

    @statement
    def is_cancelled(self, run: str) -> bool:
        """Read whether a run is cancelled."""
        return self.runs.get(run).state == "cancelled"

    @statement
    def succeed(self, run: str) -> None:
        """Note a run's success, unless it is cancelled."""
        if self.runs.get(run).state == "started":
            self.runs.update(run, state="succeeded")

    @statement
    def free_slot(self, run: str) -> None:
        """Give the slot of a run back, if it has one."""
        self.runs.update(run, has_slot=False)

    @statement
    def set_cancelled(self, run: str) -> None:
        """Cancel a run that has not ended."""
        if self.runs.get(run).state == "started":
            self.runs.update(run, state="cancelled")


class AsItWas:
    """A run that finds itself cancelled leaves at once."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def execute(self, run: str) -> None:
        """Execute a run."""
        await self.store.claim_slot(run)
        if await self.store.is_cancelled(run):
            return
        await self.store.succeed(run)
        await self.store.free_slot(run)

    async def cancel(self, run: str) -> None:
        """Cancel a run."""
        await self.store.set_cancelled(run)


class FreedByCanceller(AsItWas):
    """Whoever cancels a run frees its slot."""

    async def cancel(self, run: str) -> None:
        """Cancel a run."""
        await self.store.set_cancelled(run)
        await self.store.free_slot(run)


class Fixed(FreedByCanceller):
    """The run frees its slot as well, however it ends."""

    async def execute(self, run: str) -> None:
        """Execute a run."""
        await self.store.claim_slot(run)
        if not await self.store.is_cancelled(run):
            await self.store.succeed(run)
        await self.store.free_slot(run)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Runs execute; somebody cancels the first one."""
    for number in range(sizes.runs):
        yield f"executor-{number}", code.execute(f"run-{number}")
    yield "user", code.cancel("run-0")


def _leaked(store: Store) -> str | None:
    names = [run.name for run in store.runs if run.has_slot]
    return f"the pool is occupied by runs that have ended: {names}" if names else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="dagster-28456",
    source="dagster-io/dagster issue 28456",
    title="cancelled runs occupy the pool",
    harms=(Harm.LEAKED,),
    pattern=Pattern.MISCOUNTED,
    mechanism="A run takes a slot of a pool and gives it back when it succeeds. A run"
    " that is cancelled stops where it is. Its slot is never given back, and the pool"
    " fills up.",
    causes=(
        KnownCause(
            "no_slot_is_leaked",
            CauseKind.NOBODY_CALLS_AGAIN,
            ("set_cancelled", "is_cancelled"),
        ),
        KnownCause(
            "no_slot_is_leaked",
            CauseKind.NOBODY_CALLS_AGAIN,
            ("free_slot", "claim_slot"),
        ),
    ),
    inferred="`freed-by-canceller` is ours: it frees nothing where the run takes its"
    " slot just after it was cancelled.",
    left_out="The limit of the pool, runs that are killed from outside.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "no_slot_is_leaked",
            "no slot is occupied when all runs have ended",
            _leaked,
            at_risk=lambda store: store.runs.count(state="cancelled") > 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("no_slot_is_leaked",)),
        "freed-by-canceller": Variant(
            code=FreedByCanceller, violates=("no_slot_is_leaked",)
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("execute", "cancel"),
    sizes={"runs": 1},
    mutants=(
        Mutant(
            name="frees no slot",
            statement="free_slot",
            weaker=lambda store, run: None,
        ),
        Mutant(
            name="frees the slots of the living only",
            statement="free_slot",
            weaker=lambda store, run: (
                store.runs.update(run, has_slot=False)
                if store.runs.get(run).state == "succeeded"
                else None
            ),
        ),
    ),
)

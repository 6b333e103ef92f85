"""Prefect, issue 15952: a worker that loses the race for a run keeps its slot."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Run(NamedTuple):
    """A flow run."""

    name: str
    state: str


class Store:
    """Flow runs on the server, and what each worker counts as its own."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.runs = Table(kernel, "runs", Run, key=("name",))
        self.in_progress = Counter(kernel, "in_progress")
        for number in range(sizes.runs):
            self.runs.insert(Run(f"run-{number}", "scheduled"))

    @statement
    def scheduled_runs(self) -> tuple[str, ...]:
        """Read the runs that wait for a worker."""
        return tuple(run.name for run in self.runs.select(state="scheduled"))

    @statement
    def take_slot(self, worker: str) -> bool:
        """Count a run in progress here; false: the worker's limit of 1 is reached."""
        if self.in_progress.get(worker):
            return False
        self.in_progress.add(worker)
        return True

    @statement
    def propose_pending(self, run: str) -> bool:
        """Set a run to pending; false: the server aborts, another worker has it."""
        if self.runs.get(run).state != "scheduled":
            return False
        self.runs.update(run, state="pending")
        return True

    @statement
    def finish(self, run: str) -> None:
        """Finish a run."""
        self.runs.update(run, state="completed")

    @statement
    def free_slot(self, worker: str) -> None:
        """Count a run less in progress here."""
        self.in_progress.add(worker, -1)


class AsItWas:
    """Frees the slot of a run that it has run."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def submit_scheduled(self, worker: str) -> None:
        """Submit what is scheduled, as far as the limit allows."""
        for run in await self.store.scheduled_runs():
            if await self.store.take_slot(worker):
                await self.submit(worker, run)

    async def submit(self, worker: str, run: str) -> None:
        """Run one run, unless another worker has it."""
        if await self.store.propose_pending(run):
            await self.store.finish(run)
            await self.store.free_slot(worker)


class Fixed(AsItWas):
    """Frees the slot in either case."""

    async def submit(self, worker: str, run: str) -> None:
        """Run one run, unless another worker has it."""
        if await self.store.propose_pending(run):
            await self.store.finish(run)
        await self.store.free_slot(worker)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Workers poll one work pool."""
    for number in range(sizes.workers):
        yield f"worker-{number}", code.submit_scheduled(f"worker-{number}")


def _leaked(store: Store) -> str | None:
    held = [worker for worker, count in store.in_progress.items() if count]
    return f"run limit reached for ever, with no run: {held}" if held else None


def _left(store: Store) -> str | None:
    runs = [run.name for run in store.runs if run.state != "completed"]
    return f"never run: {runs}" if runs else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="prefect-15952",
    source="PrefectHQ/prefect issue 15952, pull request 16561",
    title="a worker that loses a race counts a run in progress for ever",
    harms=(Harm.LEAKED,),
    pattern=Pattern.MISCOUNTED,
    mechanism="Two workers see the same scheduled run and both take one of their own"
    " slots for it. The server lets one of them have the run and aborts the other. The"
    " loser returns without giving its slot back, and takes no run any more.",
    causes=(
        KnownCause(
            "no_slot_is_leaked",
            CauseKind.STALE_READ,
            ("scheduled_runs", "propose_pending", "propose_pending"),
        ),
    ),
    left_out="The pool's global limit, and the set of submitted runs of the pull"
    " request, which leaks in the same way.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "no_slot_is_leaked",
            "no worker counts a run in progress when none is",
            _leaked,
            at_risk=lambda store: store.runs.count(state="completed") > 0,
        ),
        finally_(
            "every_run_is_run",
            "every run is completed when nothing can happen any more",
            _left,
            at_risk=lambda store: len(store.runs) > 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("no_slot_is_leaked",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("submit_scheduled", "submit"),
    sizes={"runs": 2, "workers": 2},
    mutants=(
        Mutant(
            name="frees no slot",
            statement="free_slot",
            weaker=lambda store, worker: None,
        ),
        Mutant(
            name="loses every race",
            statement="propose_pending",
            weaker=lambda store, run: False,
        ),
    ),
)

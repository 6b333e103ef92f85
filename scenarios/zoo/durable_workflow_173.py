"""durable-workflow, issue 173: a result arrives while the workflow is running."""

from typing import Any

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Flag
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Store:
    """One workflow that waits for the results of parallel activities."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.activities_total: int = sizes.activities
        self.result_count = Counter(kernel, "results")
        self.is_running = Flag(kernel, "is_running")
        self.is_complete = Flag(kernel, "is_complete")

    @statement
    def record_result(self) -> None:
        """Record the result of an activity."""
        self.result_count.add()

    @statement
    def try_start(self) -> bool:
        """Set the workflow to running unless it is; say whether it was set."""
        if self.is_running.is_set():
            return False
        self.is_running.set()
        return True

    @statement
    def results(self) -> int:
        """Count the recorded results."""
        return self.result_count.get()

    @statement
    def stop(self) -> None:
        """Set the workflow to waiting."""
        self.is_running.set(False)

    @statement
    def complete(self) -> None:
        """Complete the workflow."""
        self.is_complete.set()


class AsItWas:
    """A result that finds the workflow running leaves it to the run under way."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def on_result(self, activities: int) -> None:
        """Record a result and resume the workflow."""
        await self.store.record_result()
        if await self.store.try_start():
            await self.replay(activities)
            await self.store.stop()

    async def replay(self, activities: int) -> int:
        """Go on with what is recorded; return how many results that was."""
        seen = await self.store.results()
        if seen == activities:
            await self.store.complete()
        return seen


class Fixed(AsItWas):
    """Looks for new results after it has stopped."""

    async def on_result(self, activities: int) -> None:
        """Record a result and resume the workflow."""
        await self.store.record_result()
        while await self.store.try_start():
            seen = await self.replay(activities)
            await self.store.stop()
            if await self.store.results() == seen:
                return


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Activities end in parallel."""
    for number in range(sizes.activities):
        yield f"activity-{number}", code.on_result(sizes.activities)


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="durable-workflow-173",
    source="durable-workflow/workflow issue 173",
    title="a workflow with parallel activities stalls, with an empty queue",
    harms=(Harm.STRANDED,),
    pattern=Pattern.NOBODY_RECHECKS,
    mechanism="An activity that ends records its result and resumes the workflow unless"
    " that is running. A run that has already counted the results does not see the new"
    " one. It stops, and there is no job left that would resume it.",
    causes=(
        KnownCause(
            "workflow_completes",
            CauseKind.LOST_WAKE_UP,
            ("results", "record_result", "stop"),
        ),
    ),
    inferred="The thread tells the symptom, about a third of the runs with two workers;"
    " the mechanism is what we think behind it.",
    left_out="Signals, timers, the replayed history.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "workflow_completes",
            "the workflow is complete when all activities have ended",
            lambda store: (
                None
                if store.is_complete.is_set()
                else f"stalled with {store.result_count.get()} results"
            ),
            at_risk=lambda store: store.result_count.get() > 1,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("workflow_completes",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("on_result", "replay"),
    sizes={"activities": 3},
    mutants=(
        Mutant(
            name="does not look after it has stopped",
            statement="results",
            weaker=lambda store: 0,
        ),
        Mutant(name="does not stop", statement="stop", weaker=lambda store: None),
    ),
)

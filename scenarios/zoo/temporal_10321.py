"""Temporal, issue 10321: a child is started before its parent is committed."""

from typing import Any

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Flag
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Store:
    """A parent workflow's history, and the child that it starts."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.is_initiated = Flag(kernel, "child_is_initiated")
        self.is_created = Flag(kernel, "child_is_created")
        self.transfers = Counter(kernel, "transfer_tasks")
        self.first_tasks = Counter(kernel, "first_workflow_tasks")

    @statement
    def send_transfer_task(self) -> None:
        """Hand the starting of the child to the transfer queue."""
        self.transfers.add()

    @statement
    def commit_parent(self) -> None:
        """Commit the parent's history: the child is initiated."""
        self.is_initiated.set()

    @statement(
        enabled=lambda self: self.transfers.get() > 0,
        wakes_on=lambda self: self.transfers,
    )
    def take_transfer_task(self) -> None:
        """Take a task of the transfer queue."""
        self.transfers.add(amount=-1)

    @statement
    def create_child(self) -> None:
        """Create the child's execution, unless it exists."""
        self.is_created.set()

    @statement
    def record_child_started(self) -> bool:
        """Write to the parent that the child has started; false: not initiated."""
        return self.is_initiated.is_set()

    @statement
    def schedule_first_task(self) -> None:
        """Schedule the first workflow task of the child."""
        if not self.first_tasks.get():
            self.first_tasks.add()


class AsItWas:
    """Drops the transfer task when the parent does not know the child."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def start_child(self) -> None:
        """Perform one transfer task; the parent's row may not be committed yet."""
        await self.store.take_transfer_task()
        await self.store.create_child()
        if await self.store.record_child_started():
            await self.store.schedule_first_task()

    async def initiate(self) -> None:
        """Initiate a child in the parent."""
        await self.store.send_transfer_task()
        await self.store.commit_parent()


class Fixed(AsItWas):
    """Sends the transfer task when the parent is committed."""

    async def initiate(self) -> None:
        """Initiate a child in the parent."""
        await self.store.commit_parent()
        await self.store.send_transfer_task()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Parents initiate the same child, as retries do; transfer workers start it."""
    for number in range(sizes.attempts):
        yield f"parent-{number}", code.initiate()
    for number in range(sizes.attempts):
        yield f"transfer-{number}", code.start_child()


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="temporal-10321",
    source="temporalio/temporal issue 10321",
    title="a child workflow never gets its first task: its parent was not committed",
    harms=(Harm.STRANDED,),
    pattern=Pattern.CALLBACK_NOT_ARMED,
    mechanism="A transfer task creates a child and then records in the parent that it"
    " has started. The parent's transaction that initiates the child is not visible"
    " yet, so the record is refused as impossible. The task is dropped, and the child"
    " exists for ever without its first task.",
    causes=(
        KnownCause(
            "child_gets_its_first_task",
            CauseKind.NOBODY_CALLS_AGAIN,
            ("record_child_started", "commit_parent"),
        ),
    ),
    inferred="How the transfer task can be seen before the commit; the thread shows the"
    " logs of a SQL store. The fix is ours: the issue is open.",
    left_out="Shards, clocks, the retry policy of transfer tasks.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "child_gets_its_first_task",
            "a child that was created has its first workflow task",
            lambda store: (
                "the child exists and never gets a task"
                if store.is_created.is_set() and not store.first_tasks.get()
                else None
            ),
            at_risk=lambda store: store.is_created.is_set(),
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("child_gets_its_first_task",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("initiate", "start_child"),
    sizes={"attempts": 1},
    mutants=(
        Mutant(
            name="commits nothing",
            statement="commit_parent",
            weaker=lambda store: None,
        ),
        Mutant(
            name="takes every parent for unknown",
            statement="record_child_started",
            weaker=lambda store: False,
        ),
    ),
)

"""Trigger.dev, pull request 4397: the parent goes to sleep after the last child."""

from typing import Any

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Flag
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Store:
    """A run that triggers a batch and waits for it."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.items = Counter(kernel, "items")
        self.queued = Counter(kernel, "queued")
        self.is_sealed = Flag(kernel, "is_sealed")
        self.is_suspended = Flag(kernel, "is_suspended")
        self.is_over = Flag(kernel, "is_over")

    @statement
    def stream_item(self) -> None:
        """Add an item to the batch and trigger its run."""
        self.items.add()
        self.queued.add()

    @statement
    def seal(self) -> None:
        """Note that no item will follow."""
        self.is_sealed.set()

    @statement(
        enabled=lambda self: self.queued.get() > 0, wakes_on=lambda self: self.queued
    )
    def run_child(self) -> None:
        """Run an item to its end."""
        self.queued.add(amount=-1)
        self.items.add(amount=-1)

    @statement
    def is_complete(self) -> bool:
        """Read whether the batch is sealed and all its items have ended."""
        return self.is_sealed.is_set() and self.items.get() == 0

    @statement
    def resume_parent(self) -> None:
        """Wake the parent, if it is suspended."""
        self.is_suspended.set(False)

    @statement
    def suspend(self) -> None:
        """Take a checkpoint of the parent and suspend it."""
        self.is_suspended.set()

    @statement
    def suspend_unless_complete(self) -> None:
        """Suspend the parent, unless there is nothing to wait for."""
        if not (self.is_sealed.is_set() and self.items.get() == 0):
            self.is_suspended.set()

    @statement(
        enabled=lambda self: not self.is_suspended.is_set(),
        wakes_on=lambda self: self.is_suspended,
    )
    def go_on(self) -> None:
        """Go on with the parent."""
        self.is_over.set()


class AsItWas:
    """The parent seals the batch and suspends; the last child wakes it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def trigger_and_wait(self, items: int) -> None:
        """Trigger a batch and wait for it."""
        for _ in range(items):
            await self.store.stream_item()
        await self.store.seal()
        await self.store.suspend()
        await self.store.go_on()

    async def on_child_end(self) -> None:
        """Wake the parent if the batch is complete."""
        if await self.store.is_complete():
            await self.store.resume_parent()


class Fixed(AsItWas):
    """The parent looks at the batch in the statement that suspends it."""

    async def trigger_and_wait(self, items: int) -> None:
        """Trigger a batch and wait for it."""
        for _ in range(items):
            await self.store.stream_item()
        await self.store.seal()
        await self.store.suspend_unless_complete()
        await self.store.go_on()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """The parent streams items while their runs begin and end."""

    async def child() -> None:
        await store.run_child()
        await code.on_child_end()

    yield "parent", code.trigger_and_wait(sizes.items)
    for number in range(sizes.items):
        yield f"child-{number}", child()


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="trigger-dev-4397",
    source="triggerdotdev/trigger.dev pull request 4397, issue 1296",
    title="batchTriggerAndWait hangs: the last child ends before the checkpoint",
    harms=(Harm.STRANDED,),
    pattern=Pattern.NOBODY_RECHECKS,
    mechanism="A batch counts as complete when it is sealed and all items have ended,"
    " and the item that makes it complete wakes the parent. Items may end before the"
    " seal, or before the parent is suspended. The parent then suspends itself, and"
    " nobody is left to wake it.",
    causes=(
        KnownCause(
            "parent_goes_on", CauseKind.NOBODY_CALLS_AGAIN, ("is_complete", "seal")
        ),
    ),
    inferred="That the fix is one look in the statement that suspends.",
    left_out="Checkpoints themselves, retries, machines that are lost.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "parent_goes_on",
            "the parent has gone on when all items have ended",
            lambda store: (
                None if store.is_over.is_set() else "the parent is suspended for ever"
            ),
            at_risk=lambda store: store.is_sealed.is_set(),
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("parent_goes_on",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("trigger_and_wait", "on_child_end"),
    sizes={"items": 2},
    mutants=(
        Mutant(
            name="suspends without a look",
            statement="suspend_unless_complete",
            weaker=lambda store: store.is_suspended.set(),
        ),
        Mutant(
            name="never finds the batch complete",
            statement="is_complete",
            weaker=lambda store: False,
        ),
    ),
)

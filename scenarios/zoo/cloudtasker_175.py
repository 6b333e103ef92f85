"""cloudtasker, pull request 175: a batch completes on the children known so far."""

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
from wavecheck.sim.parts import Counter, Flag, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Child(NamedTuple):
    """One child of the batch."""

    number: int
    state: str


class Store:
    """The batch's state hash, and the cloud queue."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.children_total: int = sizes.children
        self.children = Table(kernel, "children", Child, key=("number",))
        self.is_set_up = Flag(kernel, "setup_is_done")
        self.is_claimed = Flag(kernel, "completion_is_claimed")
        self.completions = Counter(kernel, "completions")

    @statement
    def register(self, number: int) -> None:
        """Write a child into the batch state."""
        self.children.insert(Child(number, "registered"))

    @statement
    def schedule(self, number: int) -> None:
        """Send a child to the cloud queue."""
        self.children.update(number, state="scheduled")

    @statement(
        enabled=lambda self: self.children.count(state="scheduled") > 0,
        wakes_on=lambda self: self.children,
    )
    def run(self) -> None:
        """Run a child to its end."""
        child = self.children.select(state="scheduled")[0]
        self.children.update(child.number, state="done")

    @statement
    def is_complete(self) -> bool:
        """Read whether every child in the batch state is done."""
        return self.children.count(state="done") == len(self.children)

    @statement
    def end_setup(self) -> None:
        """Mark the setup of the batch as done."""
        self.is_set_up.set()

    @statement
    def setup_complete(self) -> bool:
        """Read whether the setup is done."""
        return self.is_set_up.is_set()

    @statement
    def claim_completion(self) -> bool:
        """Set the completion token if it is not set; say whether this call has."""
        if self.is_claimed.is_set():
            return False
        self.is_claimed.set()
        return True

    @statement
    def fire(self) -> None:
        """Call on_batch_complete."""
        self.completions.add()


class AsItWas:
    """Completes on the children known so far; the parent looks too, at the end."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def enqueue(self, children: int) -> None:
        """Enqueue the children of the batch, then look whether it is complete."""
        for number in range(children):
            await self.store.register(number)
            await self.store.schedule(number)
        await self.store.end_setup()
        if await self.store.is_complete():
            await self.trigger_by_parent()

    async def trigger_by_parent(self) -> None:
        """Fire the completion; without the token."""
        await self.store.fire()

    async def trigger_by_child(self) -> None:
        """Fire the completion, if this child sets the token."""
        if await self.store.claim_completion():
            await self.store.fire()

    async def on_child_end(self) -> None:
        """Complete the batch if it is complete."""
        if await self.store.is_complete():
            await self.trigger_by_child()


class Gated(AsItWas):
    """A child leaves the batch alone until its setup is done."""

    async def on_child_end(self) -> None:
        """Complete the batch if it is complete."""
        if await self.store.setup_complete():
            await super().on_child_end()


class Fixed(Gated):
    """The parent needs the token as well."""

    async def trigger_by_parent(self) -> None:
        """Fire the completion, if the parent sets the token."""
        await self.trigger_by_child()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """The batch is enqueued; children run as soon as they are scheduled."""

    async def worker() -> None:
        await store.run()
        await code.on_child_end()

    yield "enqueuer", code.enqueue(sizes.children)
    for number in range(sizes.children):
        yield f"worker-{number}", worker()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    done = store.children.count(state="done")
    if done == store.children_total:
        return None
    return f"the batch completes when {done} of {store.children_total} children did"


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="cloudtasker-175",
    source="keypup-io/cloudtasker pull requests 175 and 177",
    title="a batch of hundreds of children completes after the first few",
    harms=(Harm.EARLY, Harm.TWICE),
    pattern=Pattern.COUNTED_EARLY,
    mechanism="A batch is complete when every child in its state hash is done, and each"
    " child writes itself there just before it is scheduled. The first children end"
    " while the rest are not in the hash. The test sees only children that are done,"
    " and on_batch_complete fires.",
    causes=(
        KnownCause(
            "batch_completes_once",
            CauseKind.ACTED_TWICE,
            ("run", "is_complete", "fire"),
        ),
        KnownCause(
            "batch_completes_after_all_children",
            CauseKind.TOO_EARLY,
            ("is_complete", "claim_completion", "register"),
        ),
        KnownCause(
            "batch_completes_once",
            CauseKind.ACTED_TWICE,
            ("end_setup", "setup_complete", "fire"),
        ),
    ),
    inferred="`gated` is pull request 175. That the parent's own look fires without the"
    " token, so that on_batch_complete can come twice, is what pull request 177 tells"
    " and fixes. Both are open.",
    left_out="Nested batches, failing children, jobs that the cloud delivers twice.",
    store=Store,
    story=story,
    properties=(
        always(
            "batch_completes_after_all_children",
            "on_batch_complete fires when all children are done",
            "completions",
            _early,
            at_risk=lambda store: store.completions.get() > 0,
        ),
        finally_(
            "batch_completes_once",
            "on_batch_complete has fired once when nothing can happen any more",
            lambda store: (
                None
                if store.completions.get() == 1
                else f"on_batch_complete has fired {store.completions.get()} times"
            ),
            at_risk=lambda store: len(store.children) > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas,
            violates=("batch_completes_after_all_children", "batch_completes_once"),
        ),
        "gated": Variant(code=Gated, violates=("batch_completes_once",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("enqueue", "on_child_end"),
    sizes={"children": 2},
    mutants=(
        Mutant(
            name="takes any end for the last",
            statement="is_complete",
            weaker=lambda store: True,
        ),
        Mutant(
            name="takes the setup for done",
            statement="setup_complete",
            weaker=lambda store: True,
        ),
        Mutant(
            name="sets the token again",
            statement="claim_completion",
            weaker=lambda store: store.is_claimed.set() is None,
        ),
    ),
)

"""cloudtasker, pull request 175: the batch completes on the children known so far."""

from typing import Any, NamedTuple

from scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, always, finally_
from sim.kernel import Kernel
from sim.mutant import Mutant
from sim.operation import statement
from sim.parts import Counter, Table


class Child(NamedTuple):
    """One child of the batch."""

    number: int
    state: str


class Store:
    """The batch's state hash, and the cloud queue."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.children_total: int = sizes.children
        self.children = Table(kernel, "children", Child, key=("number",))
        self.completions = Counter(kernel, "completions")

    @statement
    def register(self, number: int) -> None:
        """Write a child into the batch state."""
        self.children.insert(Child(number, "registered"))

    @statement
    def register_all(self, count: int) -> None:
        """Write all children into the batch state, in one statement."""
        for number in range(count):
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
    def complete(self) -> bool:
        """Mark the batch complete and call on_batch_complete, unless it is marked."""
        if self.completions.get():
            return False
        self.completions.add()
        return True


class AsItWas:
    """Registers and schedules one child after the other."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def enqueue(self, children: int) -> None:
        """Enqueue the children of the batch."""
        for number in range(children):
            await self.store.register(number)
            await self.store.schedule(number)

    async def on_child_end(self) -> None:
        """Complete the batch if it is complete."""
        if await self.store.is_complete():
            await self.store.complete()


class Mended(AsItWas):
    """Registers all children before the first is scheduled."""

    async def enqueue(self, children: int) -> None:
        """Enqueue the children of the batch."""
        await self.store.register_all(children)
        for number in range(children):
            await self.store.schedule(number)


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
    source="keypup-io/cloudtasker pull request 175",
    title="a batch of hundreds of children completes after the first few",
    harms=(Harm.EARLY,),
    pattern=Pattern.COUNTED_EARLY,
    mechanism="A batch is complete when every child in its state hash is done, and each"
    " child writes itself there just before it is scheduled. The first children end"
    " while the rest are not in the hash. The test sees only children that are done,"
    " and on_batch_complete fires.",
    inferred="That the mend registers all children first; the thread's title says what"
    " must hold, and this is the least change that gives it.",
    left_out="Nested batches, progress reports, failing children.",
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
            "batch_completes",
            "the batch is complete when nothing can happen any more",
            lambda store: None if store.completions.get() else "never completed",
            at_risk=lambda store: len(store.children) > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas, violates=("batch_completes_after_all_children",)
        ),
        "mended": Variant(code=Mended),
    },
    methods=("enqueue", "on_child_end"),
    sizes={"children": 3},
    mutants=(
        Mutant(
            name="takes any end for the last",
            statement="is_complete",
            weaker=lambda store: True,
        ),
        Mutant(
            name="never finds the batch complete",
            statement="is_complete",
            weaker=lambda store: False,
        ),
    ),
)

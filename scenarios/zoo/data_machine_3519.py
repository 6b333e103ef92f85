"""data-machine, pull request 3519: a stale copy says that the batch has not begun."""

from typing import Any, NamedTuple

from scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, always, finally_
from sim.kernel import Kernel
from sim.mutant import Mutant
from sim.operation import statement
from sim.parts import Cache, Counter, Table


class Row(NamedTuple):
    """A child job, or the batch parent itself."""

    name: str
    state: str


class Store:
    """A parent job with children, and the object cache in front of the parent's row."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.children_total: int = sizes.children
        self.children = Table(kernel, "children", Row, key=("name",))
        self.parents = Table(kernel, "parents", Row, key=("name",))
        self.parents.insert(Row("parent", "pending"))
        self.cache = Cache(kernel, "object_cache")
        self.endings = Counter(kernel, "endings")

    @statement
    def create_child(self, name: str) -> None:
        """Insert a child that workers may run."""
        self.children.insert(Row(name, "queued"))

    @statement
    def begin_batch(self) -> None:
        """Set the parent to processing; copies stay as they are."""
        self.parents.update("parent", state="processing")

    @statement
    def begin_batch_and_evict(self) -> None:
        """Set the parent to processing, and forget the copy."""
        self.parents.update("parent", state="processing")
        self.cache.evict("parent")

    @statement(
        enabled=lambda self: self.children.count(state="queued") > 0,
        wakes_on=lambda self: self.children,
    )
    def run_child(self) -> None:
        """Run a child to its end."""
        child = self.children.select(state="queued")[0]
        self.children.update(child.name, state="done")

    @statement
    def parent_state(self) -> Any:
        """Read the parent's state, from the copy if there is one."""
        if "parent" not in self.cache:
            self.cache.put(self.parents.get("parent").state, "parent")
        return self.cache.get("parent")

    @statement
    def open_children(self) -> int:
        """Count the children that are not done."""
        return self.children.count(state="queued")

    @statement
    def end_batch(self) -> None:
        """Complete a parent that is processing."""
        if self.parents.get("parent").state == "processing":
            self.parents.update("parent", state="complete")
            self.endings.add()


class AsItWas:
    """A child's end looks at a copy of the parent, and leaves if that is pending."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def create(self, children: int) -> None:
        """Create the children, then begin the batch."""
        for number in range(children):
            await self.store.create_child(f"child-{number}")
        await self.store.begin_batch()

    async def on_child_end(self) -> None:
        """Complete the parent if this was the last child."""
        if await self.store.parent_state() == "pending":
            return
        if await self.store.open_children() == 0:
            await self.store.end_batch()


class Evicting(AsItWas):
    """Beginning the batch evicts the copy, and nobody looks again."""

    async def create(self, children: int) -> None:
        """Create the children, then begin the batch."""
        for number in range(children):
            await self.store.create_child(f"child-{number}")
        await self.store.begin_batch_and_evict()


class Mended(Evicting):
    """Evicts the copy, and looks for itself once the batch has begun."""

    async def create(self, children: int) -> None:
        """Create the children, then begin the batch."""
        await super().create(children)
        await self.on_child_end()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """The children are created while workers run them."""

    async def worker() -> None:
        await store.run_child()
        await code.on_child_end()

    yield "creator", code.create(sizes.children)
    for number in range(sizes.children):
        yield f"worker-{number}", worker()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    done = store.children.count(state="done")
    if done == store.children_total:
        return None
    return f"the parent completes with {done} of {store.children_total} children done"


def _stays(store: Store) -> str | None:
    state = store.parents.get("parent").state
    return None if state == "complete" else f"the parent stays {state} for ever"


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="data-machine-3519",
    source="Extra-Chill/data-machine pull request 3519 (issue 3518)",
    title="a batch's parent stays processing: a stale copy says it has not begun",
    harms=(Harm.STRANDED,),
    pattern=Pattern.NOBODY_RECHECKS,
    mechanism="Each child that ends asks a cached copy of its parent whether the batch"
    " has begun, and leaves if not. The copy is not renewed when the batch begins."
    " Every child leaves, and nobody looks again.",
    inferred="When the copy is filled: by the first child that ends. The variant"
    " `evicting` is ours: a fresh copy alone does not help children that ended before.",
    left_out="Chunks, the pipeline's steps, expiry of the cache.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "parent_completes",
            "the parent is complete when nothing can happen any more",
            _stays,
            at_risk=lambda store: len(store.children) > 0,
        ),
        always(
            "parent_completes_after_all_children",
            "the parent completes when all children are done",
            "endings",
            _early,
            at_risk=lambda store: store.endings.get() > 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("parent_completes",)),
        "evicting": Variant(code=Evicting, violates=("parent_completes",)),
        "mended": Variant(code=Mended),
    },
    methods=("create", "on_child_end"),
    sizes={"children": 2},
    mutants=(
        Mutant(
            name="keeps the stale copy",
            statement="begin_batch_and_evict",
            weaker=lambda store: store.parents.update("parent", state="processing"),
        ),
        Mutant(
            name="sees no open child",
            statement="open_children",
            weaker=lambda store: 0,
        ),
    ),
)

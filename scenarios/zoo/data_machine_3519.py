"""data-machine, pull request 3519: a stale copy lands last, and stays."""

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
from wavecheck.sim.parts import Cache, Counter, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


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
    def commit_last_chunk(self) -> None:
        """Note in the parent's row that all children are created."""
        self.parents.update("parent", state="processing")

    @statement
    def set_copy(self, state: str) -> None:
        """Put a state of the parent into the cache."""
        self.cache.put(state, "parent")

    @statement(
        enabled=lambda self: self.children.count(state="queued") > 0,
        wakes_on=lambda self: self.children,
    )
    def run_child(self) -> None:
        """Run a child to its end."""
        child = self.children.select(state="queued")[0]
        self.children.update(child.name, state="done")

    @statement
    def copied_state(self) -> Any:
        """Read the parent's state from the cache; None: there is no copy."""
        return self.cache.get("parent")

    @statement
    def parent_state(self) -> str:
        """Read the parent's state from its row."""
        return self.parents.get("parent").state

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
    """Decides on a copy of the parent, which a reader fills if there is none."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def create(self, children: int) -> None:
        """Create the children; the last chunk's worker looks too."""
        for number in range(children):
            await self.store.create_child(f"child-{number}")
        await self.store.commit_last_chunk()
        await self.store.set_copy("processing")
        await self.maybe_complete_parent()

    async def maybe_complete_parent(self) -> None:
        """Complete the parent if all children are created and done."""
        if await self.state_of_parent() == "pending":
            return
        if await self.store.open_children() == 0:
            await self.store.end_batch()

    async def state_of_parent(self) -> Any:
        """Return the copy; fill it from the row if there is none."""
        state = await self.store.copied_state()
        if state is None:
            state = await self.store.parent_state()
            await self.store.set_copy(state)
        return state


class Fixed(AsItWas):
    """Decides on the parent's row."""

    async def state_of_parent(self) -> Any:
        """Return what the row says."""
        return await self.store.parent_state()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """The children are created while workers run them."""

    async def worker() -> None:
        await store.run_child()
        await code.maybe_complete_parent()

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
    title="a batch's parent stays processing: a stale copy landed last in the cache",
    harms=(Harm.STRANDED,),
    pattern=Pattern.NOBODY_RECHECKS,
    mechanism="A reader finds no copy of the parent and reads the row; the worker of"
    " the last chunk changes the row and puts the new state into the cache; the"
    " reader's old state lands there last. A stranded parent is never written again, so"
    " the old copy is served for ever. Every child that ends, the last one too, reads"
    " that the batch is pending and leaves.",
    causes=(
        KnownCause(
            "parent_completes",
            CauseKind.STALE_CACHE,
            ("parent_state", "commit_last_chunk", "set_copy"),
        ),
    ),
    left_out="Chunks, the durable second look that the pull request adds as well,"
    " expiry of the cache.",
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
        "fixed": Variant(code=Fixed),
    },
    methods=("create", "maybe_complete_parent"),
    sizes={"children": 2},
    mutants=(
        Mutant(
            name="takes the parent for pending",
            statement="parent_state",
            weaker=lambda store: "pending",
        ),
        Mutant(
            name="does not look for open children",
            statement="open_children",
            weaker=lambda store: 0,
        ),
    ),
)

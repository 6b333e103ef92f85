"""data-machine, pull request 2181: children that end before the last chunk."""

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
    """One child job."""

    number: int
    state: str


class Store:
    """A pipeline batch whose children are created chunk by chunk."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.children_total: int = sizes.chunks * sizes.chunk
        self.children = Table(kernel, "children", Child, key=("number",))
        self.is_created = Flag(kernel, "is_created")
        self.finalizations = Counter(kernel, "finalizations")

    @statement
    def create_chunk(self, first: int, count: int) -> None:
        """Insert the children of one chunk."""
        for number in range(first, first + count):
            self.children.insert(Child(number, "queued"))

    @statement
    def end_creation(self) -> None:
        """Note that the last chunk was created."""
        self.is_created.set()

    @statement(
        enabled=lambda self: self.children.count(state="queued") > 0,
        wakes_on=lambda self: self.children,
    )
    def run_child(self) -> None:
        """Run a child to its end."""
        child = self.children.select(state="queued")[0]
        self.children.update(child.number, state="done")

    @statement
    def creation_has_ended(self) -> bool:
        """Read whether the last chunk was created."""
        return self.is_created.is_set()

    @statement
    def open_children(self) -> int:
        """Count the children that are not done."""
        return self.children.count(state="queued")

    @statement
    def finalize(self) -> None:
        """Finalize the parent unless it is final."""
        if not self.finalizations.get():
            self.finalizations.add()


class AsItWas:
    """Only a child's end looks whether the parent can be finalized."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def create(self, chunks: int, chunk: int) -> None:
        """Create the children in chunks."""
        for number in range(chunks):
            await self.store.create_chunk(number * chunk, chunk)
        await self.store.end_creation()

    async def on_child_end(self) -> None:
        """Finalize the parent if all are created and this was the last to end."""
        if not await self.store.creation_has_ended():
            return
        if await self.store.open_children() == 0:
            await self.store.finalize()


class Fixed(AsItWas):
    """Whoever creates the last chunk looks as well."""

    async def create(self, chunks: int, chunk: int) -> None:
        """Create the children in chunks."""
        await super().create(chunks, chunk)
        await self.on_child_end()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Chunks are created while workers run the children."""

    async def worker() -> None:
        await store.run_child()
        await code.on_child_end()

    yield "creator", code.create(sizes.chunks, sizes.chunk)
    for number in range(sizes.chunks * sizes.chunk):
        yield f"worker-{number}", worker()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    done = store.children.count(state="done")
    if done == store.children_total:
        return None
    return f"the parent is final with {done} of {store.children_total} children done"


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="data-machine-2181",
    source="Extra-Chill/data-machine pull request 2181",
    title="a batch's parent is not finalized: its children ended before the last chunk",
    harms=(Harm.STRANDED,),
    pattern=Pattern.NOBODY_RECHECKS,
    mechanism="A child that ends leaves the parent alone while chunks are still being"
    " created. All children may end before the last chunk is noted. The creator then"
    " notes it and does not look, so nobody finalizes the parent.",
    causes=(
        KnownCause(
            "parent_is_finalized",
            CauseKind.NOBODY_CALLS_AGAIN,
            ("creation_has_ended", "end_creation"),
        ),
    ),
    left_out="Failures of children, the scheduler that creates the chunks.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "parent_is_finalized",
            "the parent is final when nothing can happen any more",
            lambda store: None if store.finalizations.get() else "never finalized",
            at_risk=lambda store: len(store.children) > 0,
        ),
        always(
            "parent_final_after_all_children",
            "the parent is finalized when all children are done",
            "finalizations",
            _early,
            at_risk=lambda store: store.finalizations.get() > 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("parent_is_finalized",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("create", "on_child_end"),
    sizes={"chunks": 2, "chunk": 1},
    mutants=(
        Mutant(
            name="takes creation for ended",
            statement="creation_has_ended",
            weaker=lambda store: True,
        ),
        Mutant(
            name="sees no open child",
            statement="open_children",
            weaker=lambda store: 0,
        ),
        Mutant(
            name="never says that creation has ended",
            statement="end_creation",
            weaker=lambda store: None,
        ),
    ),
)

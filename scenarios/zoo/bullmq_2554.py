"""BullMQ, issue 2554: a parent waits for a child that was done before."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Job(NamedTuple):
    """A job of a flow.

    Attributes:
        name: its id.
        state: `active`, `completed`, `waiting-children` or `waiting`.
        parent: who is told when it is completed; empty: nobody.
        open_children: how many children it waits for.
    """

    name: str
    state: str
    parent: str
    open_children: int


class Store:
    """Redis with children that an earlier flow has added; each step is a script."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.jobs = Table(kernel, "jobs", Job, key=("name",))
        for number in range(sizes.children):
            self.jobs.insert(Job(f"child-{number}", "active", "", 0))

    @statement
    def add_parent(self, children: int) -> None:
        """Add the parent, which waits for its children."""
        self.jobs.insert(Job("parent", "waiting-children", "", children))

    @statement
    def add_child(self, name: str) -> None:
        """Add a child; one of this id that is there already is linked, no more."""
        self.jobs.update(name, parent="parent")

    @statement
    def add_child_or_count(self, name: str) -> None:
        """Add a child; one that is completed already is counted at once."""
        if self.jobs.get(name).state == "completed":
            self._count_down("parent")
        else:
            self.jobs.update(name, parent="parent")

    @statement
    def complete(self, name: str) -> None:
        """Complete a child and tell its parent."""
        self.jobs.update(name, state="completed")
        if self.jobs.get(name).parent:
            self._count_down(self.jobs.get(name).parent)

    def _count_down(self, name: str) -> None:
        open_children = self.jobs.get(name).open_children - 1
        state = "waiting" if open_children == 0 else "waiting-children"
        self.jobs.update(name, open_children=open_children, state=state)


class AsItWas:
    """Links the parent to children that are there already."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def add_flow(self, children: int) -> None:
        """Add a parent with its children."""
        await self.store.add_parent(children)
        for number in range(children):
            await self.store.add_child(f"child-{number}")


class Fixed(AsItWas):
    """Counts a child that is completed already."""

    async def add_flow(self, children: int) -> None:
        """Add a parent with its children."""
        await self.store.add_parent(children)
        for number in range(children):
            await self.store.add_child_or_count(f"child-{number}")


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """A flow is added again while children of the same ids are completed."""

    async def worker(name: str) -> None:
        await store.complete(name)

    yield "producer", code.add_flow(sizes.children)
    for number in range(sizes.children):
        yield f"worker-{number}", worker(f"child-{number}")


def _stuck(store: Store) -> str | None:
    parent = store.jobs.find("parent")
    if parent is None or parent.state == "waiting":
        return None
    return f"the parent waits for {parent.open_children} children; all are completed"


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="bullmq-2554",
    source="taskforcesh/bullmq issues 2554 and 4332",
    title="a parent is stuck in waiting-children: its child was completed before",
    harms=(Harm.STRANDED,),
    pattern=Pattern.CALLBACK_NOT_ARMED,
    mechanism="A flow is added with a child whose id exists already. The parent is"
    " linked to it and waits to be told of its end. That end is over, and nobody tells"
    " it again.",
    causes=(
        KnownCause(
            "parent_is_released",
            CauseKind.NOBODY_CALLS_AGAIN,
            ("complete", "add_child"),
        ),
    ),
    inferred="The race: in the thread the child is simply completed from the last run.",
    left_out="Failing children, job removal, grandchildren.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "parent_is_released",
            "the parent does not wait when all its children are completed",
            _stuck,
            at_risk=lambda store: "parent" in store.jobs,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("parent_is_released",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("add_flow",),
    sizes={"children": 2},
    mutants=(
        Mutant(
            name="links a completed child",
            statement="add_child_or_count",
            weaker=lambda store, name: store.jobs.update(name, parent="parent"),
        ),
        Mutant(
            name="expects one child too many",
            statement="add_parent",
            weaker=lambda store, children: store.jobs.insert(
                Job("parent", "waiting-children", "", children + 1)
            ),
        ),
    ),
)

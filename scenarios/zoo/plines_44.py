"""plines, issue 44: jobs run before their batch is completely enqueued."""

from typing import Any, NamedTuple

from scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, always, finally_
from sim.kernel import Kernel
from sim.mutant import Mutant
from sim.operation import statement
from sim.parts import Counter, Flag, Table


class Part(NamedTuple):
    """One job of the first step."""

    number: int
    state: str


class Store:
    """The jobs of a batch; the last step runs when all parts are done."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.parts_total: int = sizes.parts
        self.parts = Table(kernel, "parts", Part, key=("number",))
        self.is_created = Flag(kernel, "is_created")
        self.last_steps = Counter(kernel, "last_steps")

    @statement
    def enqueue_part(self, number: int) -> None:
        """Enqueue a job of the first step."""
        self.parts.insert(Part(number, "waiting"))

    @statement
    def end_creation(self) -> None:
        """Note that the batch is enqueued completely."""
        self.is_created.set()

    @statement(
        enabled=lambda self: self.parts.count(state="waiting") > 0,
        wakes_on=lambda self: self.parts,
    )
    def run_part(self) -> None:
        """Run a job of the first step."""
        part = self.parts.select(state="waiting")[0]
        self.parts.update(part.number, state="done")

    @statement
    def creation_has_ended(self) -> bool:
        """Read whether the batch is enqueued completely."""
        return self.is_created.is_set()

    @statement
    def parts_are_done(self) -> bool:
        """Read whether all parts that are there are done."""
        return self.parts.count(state="done") == len(self.parts)

    @statement
    def enqueue_last_step(self) -> None:
        """Enqueue the last step, unless it is enqueued."""
        if not self.last_steps.get():
            self.last_steps.add()


class AsItWas:
    """Enqueues the last step when every part that is there is done."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def create(self, parts: int) -> None:
        """Enqueue the batch."""
        for number in range(parts):
            await self.store.enqueue_part(number)

    async def after_part(self) -> None:
        """Enqueue the last step if it is time."""
        if await self.store.parts_are_done():
            await self.store.enqueue_last_step()


class Flagged(AsItWas):
    """Leaves the last step alone while the batch is being created."""

    async def create(self, parts: int) -> None:
        """Enqueue the batch."""
        await super().create(parts)
        await self.store.end_creation()

    async def after_part(self) -> None:
        """Enqueue the last step if it is time."""
        if await self.store.creation_has_ended():
            await super().after_part()


class Mended(Flagged):
    """The flag, and one more look when creation has ended."""

    async def create(self, parts: int) -> None:
        """Enqueue the batch."""
        await super().create(parts)
        await self.after_part()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """One process creates the batch while workers run what is there."""

    async def worker() -> None:
        await store.run_part()
        await code.after_part()

    yield "creator", code.create(sizes.parts)
    for number in range(sizes.parts):
        yield f"worker-{number}", worker()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    done = store.parts.count(state="done")
    if done == store.parts_total:
        return None
    return f"the last step runs after {done} of {store.parts_total} parts"


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="plines-44",
    source="seomoz/plines issue 44",
    title="the last step of a pipeline runs before all parts are enqueued",
    harms=(Harm.EARLY, Harm.STRANDED),
    pattern=Pattern.COUNTED_EARLY,
    mechanism="The last step of a pipeline waits for the parts that the batch has."
    " While the batch is being enqueued, those are not all there are. A fast worker"
    " finishes them, and the last step runs on a part of the data.",
    inferred="The variant `flagged` is ours: a flag alone turns the early step into one"
    " that never comes, where the last part ends before the flag is set.",
    left_out="External dependencies, timeouts, the pipeline's other steps.",
    store=Store,
    story=story,
    properties=(
        always(
            "last_step_after_all_parts",
            "the last step is enqueued when all parts are done",
            "last_steps",
            _early,
            at_risk=lambda store: store.last_steps.get() > 0,
        ),
        finally_(
            "last_step_runs",
            "the last step is enqueued when nothing can happen any more",
            lambda store: None if store.last_steps.get() else "never enqueued",
            at_risk=lambda store: len(store.parts) > 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("last_step_after_all_parts",)),
        "flagged": Variant(code=Flagged, violates=("last_step_runs",)),
        "mended": Variant(code=Mended),
    },
    methods=("create", "after_part"),
    sizes={"parts": 3},
    mutants=(
        Mutant(
            name="takes the batch for created",
            statement="creation_has_ended",
            weaker=lambda store: True,
        ),
        Mutant(
            name="does not ask for open parts",
            statement="parts_are_done",
            weaker=lambda store: True,
        ),
        Mutant(
            name="never says that creation has ended",
            statement="end_creation",
            weaker=lambda store: None,
        ),
    ),
)

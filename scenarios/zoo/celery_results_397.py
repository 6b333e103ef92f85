"""django-celery-results, pull request 397: a part that runs twice ends the count."""

from typing import Any

from wavecheck.scenarios.exhibit import (
    Exhibit,
    Harm,
    Pattern,
    Tasks,
    Variant,
    finally_,
    once,
)
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Flag
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Store:
    """A chord's counter row, and the results of its parts."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.parts_total: int = sizes.parts
        self.count = Counter(kernel, "chord_counter")
        self.count.set(sizes.parts)
        self.is_deleted = Flag(kernel, "counter_is_deleted")
        self.results = Counter(kernel, "results")
        self.callbacks = Counter(kernel, "callbacks")

    @statement
    def store_result(self, part: int) -> None:
        """Store the result of a part; a second one replaces it."""
        self.results.set(1, part)

    @statement
    def count_down(self) -> int | None:
        """Count the row down; return what is left, None if there is no row."""
        return None if self.is_deleted.is_set() else self.count.add(amount=-1)

    @statement
    def count_down_or_delete(self) -> int | None:
        """Count the row down, and delete it at zero."""
        if self.is_deleted.is_set():
            return None
        left = self.count.add(amount=-1)
        self.is_deleted.set(left == 0)
        return left

    @statement
    def is_ready(self) -> bool:
        """Read whether every part has a result."""
        stored = [self.results.get(part) for part in range(self.parts_total)]
        return all(stored)

    @statement
    def delete_counter(self) -> bool:
        """Delete the row; say whether there was one."""
        if self.is_deleted.is_set():
            return False
        self.is_deleted.set()
        return True

    @statement
    def call_back(self) -> None:
        """Send the callback of the chord."""
        self.callbacks.add()


class AsItWas:
    """Deletes the row at zero, whether or not all parts have returned."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def on_part_return(self) -> None:
        """Count a part; the last one sends the callback."""
        left = await self.store.count_down_or_delete()
        if left == 0 and await self.store.is_ready():
            await self.store.call_back()


class DeletedLater(AsItWas):
    """Deletes the row when the callback is sent."""

    async def on_part_return(self) -> None:
        """Count a part; the last one sends the callback."""
        left = await self.store.count_down()
        if left is not None and left <= 0 and await self.store.is_ready():
            await self.store.call_back()
            await self.store.delete_counter()


class Fixed(AsItWas):
    """Whoever deletes the row sends the callback."""

    async def on_part_return(self) -> None:
        """Count a part; the last one sends the callback."""
        left = await self.store.count_down()
        if left is None or left > 0 or not await self.store.is_ready():
            return
        if await self.store.delete_counter():
            await self.store.call_back()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Each part runs once, and the first one once more."""

    async def run(part: int) -> None:
        await store.store_result(part)
        await code.on_part_return()

    for part in range(sizes.parts):
        yield f"part-{part}", run(part)
    yield "part-0-again", run(0)


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="celery-results-397",
    source="celery/django-celery-results pull request 397",
    title="a chord's callback is not sent: a part has run twice",
    harms=(Harm.STRANDED, Harm.TWICE),
    pattern=Pattern.MISCOUNTED,
    mechanism="Every part that returns counts the chord's row down, and the row is"
    " deleted at zero. A part that runs twice counts twice, so zero comes before the"
    " last part. The last part finds no row, and the callback is never sent.",
    causes=(
        KnownCause(
            "callback_is_sent",
            CauseKind.COUNTED_TWICE,
            ("count_down_or_delete", "count_down_or_delete"),
        ),
        KnownCause(
            "callback_is_sent_once",
            CauseKind.ACTED_TWICE,
            ("count_down", "call_back", "delete_counter"),
        ),
    ),
    inferred="`deleted-later` is our reading of the pull request, which is open: the"
    " row stays until all parts are ready, and a count below zero is one as well. Read"
    " like this, two parts can both find the chord ready, and the callback is sent"
    " twice.",
    left_out="Errors in parts, the group's stored results.",
    fault_budget="one part is delivered twice",
    store=Store,
    story=story,
    properties=(
        finally_(
            "callback_is_sent",
            "the callback is sent when all parts have returned",
            lambda store: None if store.callbacks.get() else "never sent",
            at_risk=lambda store: len(store.results.items()) == store.parts_total,
        ),
        once("callback_is_sent_once", "the callback is sent", "callbacks"),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("callback_is_sent",)),
        "deleted-later": Variant(
            code=DeletedLater, violates=("callback_is_sent_once",)
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("on_part_return",),
    sizes={"parts": 2},
    mutants=(
        Mutant(
            name="takes the row for deleted by itself",
            statement="delete_counter",
            weaker=lambda store: store.is_deleted.set() is None,
        ),
        Mutant(
            name="takes any part for the last",
            statement="is_ready",
            weaker=lambda store: False,
        ),
    ),
)

"""Celery, pull request 10387: a chain inside a chord overwrites the chord's size."""

from typing import Any

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
from wavecheck.sim.parts import Counter, Queue
from wavecheck.sim.search.kinds import CauseKind, KnownCause

INNER_SIZE = 1


class Store:
    """The result backend's keys of one chord, and the broker."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.parts_total: int = sizes.parts
        self.size = Counter(kernel, "chord_size")
        self.joined = Counter(kernel, "joined")
        self.broker: Queue[int] = Queue(kernel, "broker")
        self.bodies = Counter(kernel, "bodies")

    @statement
    def set_size(self, size: int) -> None:
        """Write the size of the chord, whatever it was."""
        self.size.set(size)

    @statement
    def set_size_once(self, size: int) -> None:
        """Write the size of the chord if none is written yet."""
        if self.size.get() == 0:
            self.size.set(size)

    @statement
    def publish(self, part: int) -> None:
        """Send a part of the header to the broker."""
        self.broker.put(part)

    @statement(
        enabled=lambda self: len(self.broker) > 0, wakes_on=lambda self: self.broker
    )
    def run(self) -> int:
        """Take a part and run it."""
        return self.broker.take()

    @statement
    def join(self) -> bool:
        """Count a part that has returned; say whether that makes the size."""
        return self.joined.add() == self.size.get()

    @statement
    def call_body(self) -> None:
        """Send the body of the chord."""
        self.bodies.add()


class AsItWas:
    """Writes the size after publication, and the inner chain writes it as well."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def apply(self, parts: int) -> None:
        """Start the chord."""
        for part in range(parts):
            await self.store.publish(part)
        await self.store.set_size(parts)

    async def start_inner_chain(self) -> None:
        """The first part is a chain: applying it writes the size of a chord."""
        await self.store.set_size(INNER_SIZE)

    async def on_part_return(self) -> None:
        """Count a part; the last one sends the body."""
        if await self.store.join():
            await self.store.call_body()


class WrittenOnce(AsItWas):
    """The first to write the size wins; it is still written after publication."""

    async def apply(self, parts: int) -> None:
        """Start the chord."""
        for part in range(parts):
            await self.store.publish(part)
        await self.store.set_size_once(parts)

    async def start_inner_chain(self) -> None:
        """The first part is a chain: applying it writes the size of a chord."""
        await self.store.set_size_once(INNER_SIZE)


class Fixed(WrittenOnce):
    """The size is written once, and before the first part is published."""

    async def apply(self, parts: int) -> None:
        """Start the chord."""
        await self.store.set_size_once(parts)
        for part in range(parts):
            await self.store.publish(part)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """A client starts the chord; workers run its parts, the first one a chain."""

    async def worker() -> None:
        if await store.run() == 0:
            await code.start_inner_chain()
        await code.on_part_return()

    yield "client", code.apply(sizes.parts)
    for number in range(sizes.parts):
        yield f"worker-{number}", worker()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    joined = store.joined.get()
    if joined == store.parts_total:
        return None
    return f"the body is sent when {joined} of {store.parts_total} parts returned"


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="celery-10387",
    source="celery/celery pull request 10387 (issue 8182)",
    title="a chord's body is sent early, or never: its size was overwritten",
    harms=(Harm.EARLY, Harm.STRANDED),
    pattern=Pattern.COUNTED_EARLY,
    mechanism="A chord's size is one key of the backend, and a chain inside the chord"
    " writes its own size to the same key. Parts that return are compared with whatever"
    " stands there. So the body is sent after the first part, or the count passes by"
    " the size and it is never sent.",
    causes=(
        KnownCause("body_after_all_parts", CauseKind.TOO_EARLY, ("join", "set_size")),
        KnownCause("body_is_sent", CauseKind.LOST_UPDATE, ("set_size", "set_size")),
        KnownCause("body_after_all_parts", CauseKind.TOO_EARLY, ("join", "join")),
        KnownCause(
            "body_is_sent", CauseKind.LOST_UPDATE, ("set_size_once", "set_size_once")
        ),
    ),
    inferred="That the inner size is 1. A review says that a size that is written once"
    " still races with publication; `written-once` is our reading of that.",
    left_out="Results, errors in parts, nesting deeper than one chain.",
    store=Store,
    story=story,
    properties=(
        always(
            "body_after_all_parts",
            "the body is sent when all parts of the header have returned",
            "bodies",
            _early,
            at_risk=lambda store: store.bodies.get() > 0,
        ),
        finally_(
            "body_is_sent",
            "the body is sent when nothing can happen any more",
            lambda store: None if store.bodies.get() else "the body is never sent",
            at_risk=lambda store: store.joined.get() > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas, violates=("body_after_all_parts", "body_is_sent")
        ),
        "written-once": Variant(
            code=WrittenOnce, violates=("body_after_all_parts", "body_is_sent")
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("apply", "start_inner_chain", "on_part_return"),
    sizes={"parts": 2},
    mutants=(
        Mutant(
            name="writes the size again",
            statement="set_size_once",
            weaker=lambda store, size: store.size.set(size),
        ),
        Mutant(
            name="does not compare with the size",
            statement="join",
            weaker=lambda store: store.joined.add() > 0,
        ),
    ),
)

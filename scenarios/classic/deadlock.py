"""Deadlock: two threads take two locks in opposite orders."""

from typing import Any

from wavecheck.scenarios.classic.memory import Memory, every_thread_ends
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class OppositeOrders:
    """The second thread takes the locks in the opposite order."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def first(self, thread: str) -> None:
        """Take a, then b."""
        await self.with_locks(thread, "a", "b")

    async def second(self, thread: str) -> None:
        """Take b, then a."""
        await self.with_locks(thread, "b", "a")

    async def with_locks(self, thread: str, outer: str, inner: str) -> None:
        """Add to the counter under two locks."""
        memory = self.memory
        await memory.lock(outer, thread)
        await memory.lock(inner, thread)
        await memory.add("counter", 1)
        await memory.unlock(inner)
        await memory.unlock(outer)
        await memory.end(thread)


class OneOrder(OppositeOrders):
    """Both take a first."""

    async def second(self, thread: str) -> None:
        """Take a, then b."""
        await self.with_locks(thread, "a", "b")


def story(memory: Memory, code: OppositeOrders, sizes: Any) -> Tasks:
    """Two threads."""
    yield "first", code.first("first")
    yield "second", code.second("second")


EXHIBIT = Exhibit(
    collection="classic",
    short_name="deadlock",
    source="SCTBench, CS.deadlock01_bad",
    title="two threads wait for each other's lock",
    harms=(Harm.STRANDED,),
    pattern=None,
    mechanism="One thread takes lock a and then b, the other takes b and then a. Each"
    " gets its first lock. Both wait for ever for the second.",
    causes=(KnownCause("every_thread_ends", CauseKind.DEADLOCK, ("lock", "lock")),),
    left_out="Nothing.",
    store=Memory,
    story=story,
    properties=(every_thread_ends(2),),
    variants={
        "original": Variant(code=OppositeOrders, violates=("every_thread_ends",)),
        "fixed": Variant(code=OneOrder),
    },
    methods=("first", "second"),
    sizes={},
    mutants=(
        Mutant(
            name="keeps its outer lock",
            statement="unlock",
            weaker=lambda store, name: None,
            replaces=lambda name: name == "a",
        ),
    ),
)

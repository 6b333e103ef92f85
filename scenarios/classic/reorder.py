"""Reorder: a checker sees one of two writes, in a crowd of writers."""

from typing import Any

from wavecheck.scenarios.classic.memory import NO_LOCK, Memory, assertion
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Unlocked:
    """Sets a, then b; the checker reads a, then b."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def set(self, thread: str) -> None:
        """Set a to 1 and b to -1."""
        await self.memory.write("a", 1)
        await self.memory.write("b", -1)

    async def check(self, thread: str) -> None:
        """Both must be set, or neither."""
        a = await self.memory.read("a")
        b = await self.memory.read("b")
        await self.memory.judge((a, b) in ((0, 0), (1, -1)))


class Locked(Unlocked):
    """Both do it under one lock."""

    async def set(self, thread: str) -> None:
        """Set a to 1 and b to -1."""
        await self.memory.lock("m", thread)
        await super().set(thread)
        await self.memory.unlock("m")

    async def check(self, thread: str) -> None:
        """Both must be set, or neither."""
        await self.memory.lock("m", thread)
        await super().check(thread)
        await self.memory.unlock("m")


def story(memory: Memory, code: Unlocked, sizes: Any) -> Tasks:
    """Many set, one checks."""
    for number in range(sizes.setters):
        yield f"setter-{number}", code.set(f"setter-{number}")
    for number in range(sizes.checkers):
        yield f"checker-{number}", code.check(f"checker-{number}")


EXHIBIT = Exhibit(
    collection="classic",
    short_name="reorder",
    source="SCTBench, CS.reorder_N_bad",
    title="a checker sees one of two writes before any writer has made both",
    harms=(Harm.WRONG,),
    pattern=None,
    mechanism="Writers set a and then b, and a checker reads both. It fails only before"
    " any writer has made its second write. In a crowd of writers, priorities rarely"
    " meet that moment.",
    causes=(
        KnownCause("assertion_holds", CauseKind.TOO_EARLY, ("read", "judge", "write")),
    ),
    left_out="Nothing; the programs differ in the number of threads, a parameter here.",
    store=Memory,
    story=story,
    properties=(assertion("a and b are both set, or neither is"),),
    variants={
        "original": Variant(code=Unlocked, violates=("assertion_holds",)),
        "fixed": Variant(code=Locked),
    },
    methods=("set", "check"),
    sizes={"setters": 4, "checkers": 1},
    mutants=(NO_LOCK,),
)

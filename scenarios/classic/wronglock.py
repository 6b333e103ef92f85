"""Wrong lock: two groups of threads guard one variable with two locks."""

from typing import Any

from wavecheck.scenarios.classic.memory import NO_LOCK, Memory, assertion
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class TwoLocks:
    """Each group has a lock of its own."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def right(self, thread: str) -> None:
        """Add 1 and expect to see it, under the data's lock."""
        memory = self.memory
        await memory.lock("data_lock", thread)
        before = await memory.read("data")
        await memory.write("data", before + 1)
        await memory.judge(await memory.read("data") == before + 1)
        await memory.unlock("data_lock")

    async def wrong(self, thread: str) -> None:
        """Add 1 under another lock."""
        await self.add_under("this_lock", thread)

    async def add_under(self, lock: str, thread: str) -> None:
        """Add 1 under a lock."""
        memory = self.memory
        await memory.lock(lock, thread)
        await memory.write("data", await memory.read("data") + 1)
        await memory.unlock(lock)


class OneLock(TwoLocks):
    """Both groups use the data's lock."""

    async def wrong(self, thread: str) -> None:
        """Add 1 under the same lock."""
        await self.add_under("data_lock", thread)


def story(memory: Memory, code: TwoLocks, sizes: Any) -> Tasks:
    """Two groups of threads."""
    for number in range(sizes.right):
        yield f"right-{number}", code.right(f"right-{number}")
    for number in range(sizes.wrong):
        yield f"wrong-{number}", code.wrong(f"wrong-{number}")


EXHIBIT = Exhibit(
    collection="classic",
    short_name="wronglock",
    source="SCTBench, CS.wronglock_bad",
    title="a variable is guarded by two different locks",
    harms=(Harm.WRONG,),
    pattern=None,
    mechanism="One group of threads changes a variable under its lock, and another"
    " group takes another lock for it. The two exclude themselves, and not each other."
    " A thread does not find what it has just written.",
    causes=(
        KnownCause(
            "assertion_holds", CauseKind.LOST_UPDATE, ("write", "write", "read")
        ),
    ),
    left_out="Nothing.",
    store=Memory,
    story=story,
    properties=(assertion("a thread finds what it has just written"),),
    variants={
        "original": Variant(code=TwoLocks, violates=("assertion_holds",)),
        "fixed": Variant(code=OneLock),
    },
    methods=("right", "wrong"),
    sizes={"right": 1, "wrong": 2},
    mutants=(NO_LOCK,),
)

"""Stack: a consumer that has looked pops from a stack that is empty by then."""

from typing import Any

from wavecheck.scenarios.classic.memory import NO_LOCK, Memory, assertion
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class LooksOutside:
    """Looks whether there is an item before it takes the lock."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def push(self, thread: str) -> None:
        """Push an item."""
        memory = self.memory
        await memory.lock("m", thread)
        await memory.write("top", await memory.read("top") + 1)
        await memory.unlock("m")

    async def pop(self, thread: str) -> None:
        """Pop an item if there is one."""
        memory = self.memory
        if await memory.read("top") > 0:
            await memory.lock("m", thread)
            await self.take()
            await memory.unlock("m")

    async def take(self) -> None:
        """Take the top item; there must be one."""
        top = await self.memory.read("top")
        await self.memory.judge(top > 0)
        await self.memory.write("top", max(0, top - 1))


class LooksInside(LooksOutside):
    """Looks under the lock."""

    async def pop(self, thread: str) -> None:
        """Pop an item if there is one."""
        memory = self.memory
        await memory.lock("m", thread)
        if await memory.read("top") > 0:
            await self.take()
        await memory.unlock("m")


def story(memory: Memory, code: LooksOutside, sizes: Any) -> Tasks:
    """One pushes, several pop."""

    async def producer() -> None:
        for _ in range(sizes.items):
            await code.push("producer")

    yield "producer", producer()
    for number in range(sizes.consumers):
        yield f"consumer-{number}", code.pop(f"consumer-{number}")


EXHIBIT = Exhibit(
    collection="classic",
    short_name="stack",
    source="SCTBench, CS.stack_bad",
    title="two consumers see one item, and both pop",
    harms=(Harm.WRONG,),
    pattern=None,
    mechanism="A consumer looks whether the stack has an item, and then takes the lock"
    " to pop it. Another one has popped it in between. The first pops from an empty"
    " stack.",
    causes=(
        KnownCause("assertion_holds", CauseKind.STALE_READ, ("read", "write", "lock")),
    ),
    left_out="The array; the producer's check for a full stack.",
    store=Memory,
    story=story,
    properties=(assertion("nobody pops from an empty stack"),),
    variants={
        "original": Variant(code=LooksOutside, violates=("assertion_holds",)),
        "fixed": Variant(code=LooksInside),
    },
    methods=("push", "pop"),
    sizes={"items": 1, "consumers": 2},
    mutants=(NO_LOCK,),
)

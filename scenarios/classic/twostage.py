"""Two-stage: a reader sees the first stage of an update and not the second."""

from typing import Any

from wavecheck.scenarios.classic.memory import NO_LOCK, Memory, assertion
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class TwoStage:
    """The two stages of the update lie under two locks, taken one after the other."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def update(self, thread: str) -> None:
        """Write data1, then data2 from it."""
        memory = self.memory
        await memory.lock("m1", thread)
        await memory.write("data1", 1)
        await memory.unlock("m1")
        await memory.lock("m2", thread)
        await memory.write("data2", await memory.read("data1") + 1)
        await memory.unlock("m2")

    async def check(self, thread: str) -> None:
        """Read both; data2 must be data1 + 1."""
        memory = self.memory
        await memory.lock("m1", thread)
        first = await memory.read("data1")
        await memory.unlock("m1")
        if first == 0:
            return
        await memory.lock("m2", thread)
        second = await memory.read("data2")
        await memory.unlock("m2")
        await memory.judge(second == first + 1)


class OneStage(TwoStage):
    """The first lock is held over both stages, and over both reads."""

    async def update(self, thread: str) -> None:
        """Write data1, then data2 from it."""
        memory = self.memory
        await memory.lock("m1", thread)
        await memory.write("data1", 1)
        await memory.write("data2", await memory.read("data1") + 1)
        await memory.unlock("m1")

    async def check(self, thread: str) -> None:
        """Read both; data2 must be data1 + 1."""
        memory = self.memory
        await memory.lock("m1", thread)
        first = await memory.read("data1")
        second = await memory.read("data2")
        await memory.unlock("m1")
        if first != 0:
            await memory.judge(second == first + 1)


def story(memory: Memory, code: TwoStage, sizes: Any) -> Tasks:
    """Writers update and readers check."""
    for number in range(sizes.writers):
        yield f"writer-{number}", code.update(f"writer-{number}")
    for number in range(sizes.readers):
        yield f"reader-{number}", code.check(f"reader-{number}")


EXHIBIT = Exhibit(
    collection="classic",
    short_name="twostage",
    source="SCTBench, CS.twostage_bad",
    title="a reader comes between the two stages of an update",
    harms=(Harm.WRONG,),
    pattern=None,
    mechanism="A writer sets data1 under one lock and data2 under another. A reader"
    " that comes between the two stages sees the new data1 and the old data2. It"
    " asserts that they fit.",
    causes=(
        KnownCause("assertion_holds", CauseKind.TOO_EARLY, ("read", "unlock", "write")),
    ),
    left_out="Nothing.",
    store=Memory,
    story=story,
    properties=(assertion("a reader that sees data1 set sees data2 set as well"),),
    variants={
        "original": Variant(code=TwoStage, violates=("assertion_holds",)),
        "fixed": Variant(code=OneStage),
    },
    methods=("update", "check"),
    sizes={"writers": 1, "readers": 1},
    mutants=(NO_LOCK,),
)

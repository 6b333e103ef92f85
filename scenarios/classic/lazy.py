"""Lazy: a thread that asserts what holds only if it comes first."""

from typing import Any

from wavecheck.scenarios.classic.memory import Memory, assertion
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class AnyOrder:
    """Three threads lock in any order; the third asserts that it is not the last."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def add(self, thread: str, amount: int) -> None:
        """Add to the data."""
        memory = self.memory
        await memory.lock("m", thread)
        await memory.write("data", await memory.read("data") + amount)
        await memory.unlock("m")

    async def check(self, thread: str) -> None:
        """The data must be below 3."""
        memory = self.memory
        await memory.lock("m", thread)
        await memory.judge(await memory.read("data") < 3)
        await memory.unlock("m")


class Claimed(AnyOrder):
    """Whoever would bring the data to 3 leaves it alone."""

    async def add(self, thread: str, amount: int) -> None:
        """Add to the data, as far as that is allowed."""
        memory = self.memory
        await memory.lock("m", thread)
        data = await memory.read("data")
        if data + amount < 3:
            await memory.write("data", data + amount)
        await memory.unlock("m")


def story(memory: Memory, code: AnyOrder, sizes: Any) -> Tasks:
    """One adds 1, one adds 2, and others check."""
    yield "adds-1", code.add("adds-1", 1)
    yield "adds-2", code.add("adds-2", 2)
    for number in range(sizes.checkers):
        yield f"checker-{number}", code.check(f"checker-{number}")


EXHIBIT = Exhibit(
    collection="classic",
    short_name="lazy",
    source="SCTBench, CS.lazy01_bad",
    title="an assertion that fails where both adders came before it",
    harms=(Harm.WRONG,),
    pattern=None,
    mechanism="Two threads add 1 and 2 under a lock, and a third asserts that the sum"
    " is below 3. It holds in most orders. It fails where both adders came first.",
    causes=(KnownCause("assertion_holds", CauseKind.ORDER, ("write", "read")),),
    left_out="Nothing.",
    store=Memory,
    story=story,
    properties=(assertion("the data is below 3 when it is checked"),),
    variants={
        "original": Variant(code=AnyOrder, violates=("assertion_holds",)),
        "fixed": Variant(code=Claimed),
    },
    methods=("add", "check"),
    sizes={"checkers": 1},
    mutants=(
        Mutant(
            name="reads nothing",
            statement="read",
            weaker=lambda store, name: 0,
            replaces=lambda name: True,
            harmless={"fixed": "what is written is then below 3 as well"},
        ),
        Mutant(
            name="adds instead of writing",
            statement="write",
            weaker=lambda store, name, value: store.variables.add(name, value + 1),
        ),
    ),
)

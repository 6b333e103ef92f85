"""Bluetooth driver: a request gets in while the driver is being stopped."""

from typing import Any

from wavecheck.scenarios.classic.memory import Memory, assertion
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class CheckThenCount:
    """A request looks at the flag, then counts itself in."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def request(self, thread: str) -> None:
        """Use the driver; it must not have been stopped."""
        memory = self.memory
        if await memory.read("stopping"):
            return
        await memory.add("pending", 1)
        await self.use()

    async def use(self) -> None:
        """Do the work of a request that is counted in, and count it out."""
        memory = self.memory
        await memory.judge(not await memory.read("stopped"))
        if await memory.add("pending", -1) < 0:
            await memory.write("stopped", 1)

    async def stop(self, thread: str) -> None:
        """Stop the driver when no request is in it."""
        memory = self.memory
        await memory.write("stopping", 1)
        # The driver's own count of one, taken back here, is left out on both sides.
        if await memory.add("pending", -1) < 0:
            await memory.write("stopped", 1)


class CountThenCheck(CheckThenCount):
    """A request counts itself in, then looks at the flag."""

    async def request(self, thread: str) -> None:
        """Use the driver; it must not have been stopped."""
        memory = self.memory
        await memory.add("pending", 1)
        if await memory.read("stopping"):
            if await memory.add("pending", -1) < 0:
                await memory.write("stopped", 1)
            return
        await self.use()


def story(memory: Memory, code: CheckThenCount, sizes: Any) -> Tasks:
    """Requests come in while the driver is stopped."""
    for number in range(sizes.requests):
        yield f"request-{number}", code.request(f"request-{number}")
    yield "stopper", code.stop("stopper")


EXHIBIT = Exhibit(
    collection="classic",
    short_name="bluetooth",
    source='Qadeer, Wu, "KISS: Keep It Simple and Sequential", PLDI 2004; SCTBench,'
    " CS.bluetooth_driver_bad",
    title="a request is in the driver after it was stopped",
    harms=(Harm.WRONG,),
    pattern=None,
    mechanism="A request looks whether the driver is being stopped, and then counts"
    " itself in. The stopper sets the flag in between, counts nobody in the driver and"
    " stops it. The request goes on in a stopped driver.",
    causes=(
        KnownCause("assertion_holds", CauseKind.STALE_READ, ("read", "write", "add")),
    ),
    left_out="The event that the stopper waits for: whoever counts out last stops the"
    " driver.",
    store=Memory,
    story=story,
    properties=(assertion("no request is in a driver that was stopped"),),
    variants={
        "original": Variant(code=CheckThenCount, violates=("assertion_holds",)),
        "fixed": Variant(code=CountThenCheck),
    },
    methods=("request", "stop"),
    sizes={"requests": 2},
    mutants=(
        Mutant(
            name="does not see that the driver is being stopped",
            statement="read",
            weaker=lambda store, name: 0,
            replaces=lambda name: name == "stopping",
        ),
        Mutant(
            name="does not count itself in",
            statement="add",
            weaker=lambda store, name, amount: store.variables.get(name),
            replaces=lambda name, amount: amount > 0,
        ),
    ),
)

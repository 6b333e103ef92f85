"""Token ring: four threads pass a number round, in no order."""

from typing import Any

from wavecheck.scenarios.classic.memory import Memory, assertion
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.search.kinds import CauseKind, KnownCause

STATIONS = 3


class InNoOrder:
    """Each station passes on what it finds, whenever it comes."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def pass_on(self, station: int) -> None:
        """Set the station's number to its predecessor's, plus one."""
        memory = self.memory
        before = await memory.read(f"x{(station - 1) % STATIONS}")
        await memory.write(f"x{station}", before + 1)
        await memory.add("passed", 1)

    async def check(self) -> None:
        """Once all have passed it on, the numbers must go up round the ring."""
        memory = self.memory
        if await memory.read("passed") < STATIONS:
            return
        numbers = [await memory.read(f"x{station}") for station in range(STATIONS)]
        await memory.judge(numbers == [1, 2, 3])


class InOrder(InNoOrder):
    """Each station waits for the one before it."""

    async def pass_on(self, station: int) -> None:
        """Set the station's number to its predecessor's, plus one."""
        memory = self.memory
        await memory.lock(f"turn-{station}", f"station-{station}")
        before = await memory.read(f"x{(station - 1) % STATIONS}")
        await memory.write(f"x{station}", before + 1)
        await memory.add("passed", 1)
        await memory.unlock(f"turn-{station + 1}")


class Ring(Memory):
    """Memory in which every turn but the first is taken."""

    def __init__(self, kernel: Any, sizes: Any) -> None:
        super().__init__(kernel, sizes)
        for station in range(1, STATIONS):
            self.locks.try_acquire("nobody", f"turn-{station}")


def story(memory: Memory, code: InNoOrder, sizes: Any) -> Tasks:
    """Every station passes on once; checkers look."""
    for station in range(STATIONS):
        yield f"station-{station}", code.pass_on(station)
    for number in range(sizes.checkers):
        yield f"checker-{number}", code.check()


EXHIBIT = Exhibit(
    collection="classic",
    short_name="token-ring",
    source="SCTBench, CS.token_ring_bad",
    title="stations pass a number round a ring in the wrong order",
    harms=(Harm.WRONG,),
    pattern=None,
    mechanism="Each station of a ring sets its number to that of the station before it,"
    " plus one. They come in any order. Afterwards the numbers do not go up round the"
    " ring.",
    causes=(
        KnownCause("assertion_holds", CauseKind.TOO_EARLY, ("read", "write", "write")),
    ),
    left_out="One of the four stations, and the locks that guard single accesses.",
    store=Ring,
    story=story,
    properties=(assertion("the numbers go up round the ring"),),
    variants={
        "original": Variant(code=InNoOrder, violates=("assertion_holds",)),
        "fixed": Variant(code=InOrder),
    },
    methods=("pass_on", "check"),
    sizes={"checkers": 1},
    mutants=(
        Mutant(
            name="gives every turn at once",
            statement="unlock",
            weaker=lambda store, name: [
                store.locks.release(f"turn-{station}")
                for station in range(1, STATIONS)
                if not store.locks.is_free(f"turn-{station}")
            ],
        ),
    ),
)

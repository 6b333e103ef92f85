"""Account: deposit and withdrawal each compute the balance from the beginning."""

from typing import Any

from wavecheck.scenarios.classic.memory import NO_LOCK, Memory, assertion
from wavecheck.scenarios.exhibit import Exhibit, Harm, Tasks, Variant
from wavecheck.sim.search.kinds import CauseKind, KnownCause

OPENING, DEPOSIT, WITHDRAWAL = 4, 3, 2


class FromOpening:
    """Each sets the balance from the opening one, and forgets what others did."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    async def deposit(self, thread: str) -> None:
        """Put money in."""
        await self.book(thread, "deposited", DEPOSIT)

    async def withdraw(self, thread: str) -> None:
        """Take money out."""
        await self.book(thread, "withdrawn", -WITHDRAWAL)

    async def book(self, thread: str, done: str, amount: int) -> None:
        """Set the balance, and note that it is done."""
        memory = self.memory
        await memory.lock("m", thread)
        await memory.write("balance", OPENING + amount)
        await memory.write(done, 1)
        await memory.unlock("m")

    async def check(self, thread: str) -> None:
        """Once both are done, the balance must show both."""
        memory = self.memory
        await memory.lock("m", thread)
        if await memory.read("deposited") and await memory.read("withdrawn"):
            balance = await memory.read("balance")
            await memory.judge(balance == OPENING + DEPOSIT - WITHDRAWAL)
        await memory.unlock("m")


class FromCurrent(FromOpening):
    """Each adds to the balance there is; an untouched account counts as opened."""

    async def book(self, thread: str, done: str, amount: int) -> None:
        """Set the balance, and note that it is done."""
        memory = self.memory
        await memory.lock("m", thread)
        await memory.write("balance", await memory.read("balance") + amount)
        if not await memory.read("is_open"):
            await memory.write("is_open", 1)
            await memory.add("balance", OPENING)
        await memory.write(done, 1)
        await memory.unlock("m")


def story(memory: Memory, code: FromOpening, sizes: Any) -> Tasks:
    """One deposits, one withdraws, and auditors check."""
    yield "depositor", code.deposit("depositor")
    yield "withdrawer", code.withdraw("withdrawer")
    for number in range(sizes.auditors):
        yield f"auditor-{number}", code.check(f"auditor-{number}")


EXHIBIT = Exhibit(
    collection="classic",
    short_name="account",
    source="SCTBench, CS.account_bad",
    title="a deposit and a withdrawal overwrite each other's balance",
    harms=(Harm.WRONG,),
    pattern=None,
    mechanism="Deposit and withdrawal each compute the balance from the opening one,"
    " under a lock. The later of them overwrites the other's. An auditor that comes"
    " after both finds a wrong balance.",
    causes=(
        KnownCause(
            "assertion_holds", CauseKind.LOST_UPDATE, ("write", "write", "read")
        ),
    ),
    left_out="Nothing.",
    store=Memory,
    story=story,
    properties=(assertion("after both bookings the balance shows both"),),
    variants={
        "original": Variant(code=FromOpening, violates=("assertion_holds",)),
        "fixed": Variant(code=FromCurrent),
    },
    methods=("deposit", "withdraw", "check"),
    sizes={"auditors": 1},
    mutants=(NO_LOCK,),
)

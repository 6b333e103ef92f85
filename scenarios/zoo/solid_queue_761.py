"""Solid Queue, pull request 761: a pruned worker ends late and signals twice."""

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
from wavecheck.sim.parts import Counter, Leases
from wavecheck.sim.search.kinds import CauseKind, KnownCause

LIMIT = 1


class Store:
    """A semaphore of one key, and the claims of workers, whose heartbeats may fail."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.waiting = Counter(kernel, "waiting")
        self.waiting.set(sizes.jobs)
        self.value = Counter(kernel, "semaphore")
        self.value.set(LIMIT)
        self.claims = Leases(kernel, "claims")
        self.pruned = Counter(kernel, "pruned")

    @statement(
        enabled=lambda self, worker: self.value.get() > 0,
        wakes_on=lambda self, worker: self.value,
    )
    def claim(self, worker: str) -> int | None:
        """Take a slot of the semaphore and claim a job; None: no job waits."""
        if self.waiting.get() == 0:
            return None
        self.waiting.add(amount=-1)
        self.value.add(amount=-1)
        return self.claims.grant(worker, worker)

    @statement
    def signal(self) -> None:
        """Give a slot back, whatever there is."""
        self.value.add()

    @statement
    def delete_claim(self, worker: str, token: int) -> bool:
        """Delete a claim; say whether it was there still."""
        return self.claims.give_back(worker, token)

    @statement
    def prune(self) -> bool:
        """Take a worker for dead and delete its claim; false: nobody has one."""
        for worker in self.claims.live_keys()[:1]:
            self.pruned.add(worker)
            return self.claims.expire(worker)
        return False


class AsItWas:
    """Gives the slot back at the end of a job, and when a worker is pruned."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def finish(self, worker: str, token: int) -> None:
        """End a job."""
        await self.store.delete_claim(worker, token)
        await self.store.signal()

    async def after_prune(self) -> None:
        """Give the slot of a pruned worker back."""
        await self.store.signal()


class Fixed(AsItWas):
    """Gives the slot back only if this call has deleted the claim."""

    async def finish(self, worker: str, token: int) -> None:
        """End a job."""
        if await self.store.delete_claim(worker, token):
            await self.store.signal()


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Workers run one job each; a supervisor may prune one of them."""

    async def worker(name: str) -> None:
        token = await store.claim(name)
        if token is not None:
            await code.finish(name, token)

    async def supervisor() -> None:
        if await store.prune():
            await code.after_prune()

    for number in range(sizes.jobs):
        yield f"worker-{number}", worker(f"worker-{number}")
    yield "supervisor", supervisor()


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="solid-queue-761",
    source="rails/solid_queue pull request 761",
    title="a pruned worker that lives gives its slot back a second time",
    harms=(Harm.TWICE, Harm.LEAKED),
    pattern=Pattern.LIVE_OWNER,
    mechanism="A worker whose heartbeat fails for a while is pruned: its claim is"
    " deleted and its slot is given back. The worker lives, ends its job and gives the"
    " slot back again. The semaphore is above its limit from then on.",
    causes=(
        KnownCause(
            "semaphore_keeps_its_limit", CauseKind.EXPIRED, ("prune", "delete_claim")
        ),
    ),
    left_out="That a pruned job and its replacement run at the same time: the fix does"
    " not promise to prevent that, and no claim on a live worker could.",
    fault_budget="one live worker is taken for dead",
    store=Store,
    story=story,
    properties=(
        always(
            "semaphore_keeps_its_limit",
            "the semaphore never holds more slots than its limit",
            "semaphore",
            lambda store, key, before, after: (
                f"{after} slots, the limit is {LIMIT}" if after > LIMIT else None
            ),
            at_risk=lambda store: len(store.pruned.items()) > 0,
        ),
        finally_(
            "every_slot_comes_back",
            "all slots are free when no job runs",
            lambda store: (
                None
                if store.value.get() >= LIMIT
                else f"{store.value.get()} of {LIMIT} slots are free"
            ),
            at_risk=lambda store: store.waiting.get() == 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("semaphore_keeps_its_limit",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("finish", "after_prune"),
    sizes={"jobs": 2},
    mutants=(
        Mutant(
            name="finds every claim",
            statement="delete_claim",
            weaker=lambda store, worker, token: True,
        ),
        Mutant(
            name="gives no slot back",
            statement="signal",
            weaker=lambda store: None,
        ),
    ),
)

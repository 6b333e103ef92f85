"""WD, the reference model: the incident's race at its smallest.

The project's yardstick: exact numbers of states and schedules are known for its small
sizes. L listeners each create K batches one after another and call `dispatch` after
each; a completion for each batch may call it again. Every statement below is one atomic
step; the model has no other.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from wavecheck.scenarios.pipeline.settings import Tasks
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.worlds import WorldBuilder, world
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.faults import Adversary, FaultPlan
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Flag, Table
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.surroundings import Outside, made_outside

ABSENT: Final = "absent"
PENDING: Final = "pending"
DISPATCHED: Final = "dispatched"
DONE: Final = "done"

BATCHES_MAX: Final = 200
"""Each has a task whose guard is asked whenever a batch has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WDSettings:
    """The sizes of the model.

    Attributes:
        listeners: L.
        batches_per_listener: K.
        retrigger: a completion calls `dispatch` again.
    """

    listeners: Tasks = 2
    batches_per_listener: Tasks = 1
    retrigger: bool = False

    def __post_init__(self) -> None:
        """Refuse what is too much for a model that is to be proved.

        Raises:
            InvalidScenario: there are too many batches.
        """
        batches = self.listeners * self.batches_per_listener
        if batches > BATCHES_MAX:
            raise InvalidScenario(
                f"{batches:,} batches\n"
                f"  expected  at most {BATCHES_MAX}, listeners times"
                " batches_per_listener\n"
                "next: --set listeners=4"
            )


class WDBatch(NamedTuple):
    """One batch; `sent` counts how often it was put on the queue, up to two."""

    number: int
    status: str
    sent: int


class WDStore:
    """The shared state of the model and its atomic steps."""

    def __init__(self, kernel: Kernel, batches_count: int) -> None:
        self.is_processing = Flag(kernel, "wave_is_processing")
        self.batches = Table(kernel, "batches", WDBatch, key=("number",))
        for number in range(batches_count):
            self.batches.insert(WDBatch(number, ABSENT, 0))

    @statement
    def create(self, number: int) -> None:
        """A listener creates a batch."""
        self.batches.update(number, status=PENDING)

    @statement(
        enabled=lambda self, number: self.batches.get(number).status == DISPATCHED,
        wakes_on=lambda self, number: self.batches,
    )
    def complete(self, number: int) -> None:
        """A dispatched batch is done."""
        self.batches.update(number, status=DONE)

    @statement
    def wave_is_processing(self) -> bool:
        """Read the wave's status."""
        return self.is_processing.is_set()

    @statement
    def has_batches(self, status: str) -> bool:
        """Read whether any batch has this status."""
        return self.batches.count(status=status) > 0

    @statement
    def demote_wave(self) -> None:
        """Set the wave back to pending, whatever it was."""
        self.is_processing.set(False)

    @statement
    def take_wave(self) -> bool:
        """Set the wave to processing if it is pending; say whether it was."""
        if self.is_processing.is_set():
            return False
        self.is_processing.set()
        return True

    @statement
    def pending(self) -> tuple[int, ...]:
        """Read the numbers of the pending batches, ascending."""
        return tuple(row.number for row in self.batches.select(status=PENDING))

    @statement
    def send(self, number: int) -> None:
        """Put a batch on the queue, whatever it was."""
        self.put(number)

    @statement
    def claim_and_send(self, number: int) -> None:
        """Put a batch on the queue if it is pending."""
        if self.batches.get(number).status == PENDING:
            self.put(number)

    def put(self, number: int) -> None:
        """Count a batch as sent; not a step of its own."""
        sent = self.batches.get(number).sent
        self.batches.update(number, status=DISPATCHED, sent=min(2, sent + 1))


class WDCoordinator(Protocol):
    """A dispatch rule of the model."""

    def __init__(self, store: WDStore) -> None: ...

    async def dispatch(self) -> None:
        """Dispatch what can be dispatched."""
        ...


class WDStalling:
    """Leaves a wave alone that is under way."""

    def __init__(self, store: WDStore) -> None:
        self.store = store

    async def dispatch(self) -> None:
        """Dispatch what can be dispatched."""
        store = self.store
        if await store.wave_is_processing():
            if await store.has_batches(DISPATCHED):
                return
            await store.demote_wave()
        if await store.take_wave():
            for number in await store.pending():
                await store.send(number)


class WDProgressive:
    """Looks for pending batches first, and sends them without a claim."""

    def __init__(self, store: WDStore) -> None:
        self.store = store

    async def dispatch(self) -> None:
        """Dispatch what can be dispatched."""
        store = self.store
        # One place for each step of the model: the engine tells places apart.
        is_processing = await store.wave_is_processing()
        if not (is_processing and await store.has_batches(PENDING)):
            if is_processing:
                if await store.has_batches(DISPATCHED):
                    return
                await store.demote_wave()
            if not await store.take_wave():
                return
        for number in await store.pending():
            await self.send(number)

    async def send(self, number: int) -> None:
        """Send one batch."""
        await self.store.send(number)


class WDClaiming(WDProgressive):
    """Looks for pending batches first, and claims each one as it sends it."""

    async def send(self, number: int) -> None:
        """Send one batch if it is still pending."""
        await self.store.claim_and_send(number)


def _stranded(world: "WDWorld") -> str | None:
    pending = [row.number for row in world.store.batches.select(status=PENDING)]
    return f"pending for ever: batches {pending}" if pending else None


def _double(
    world: "WDWorld", key: object, before: WDBatch | None, after: WDBatch
) -> str | None:
    return f"batch {key} was put on the queue twice" if after.sent == 2 else None


class WDWorld:
    """Listeners and completions over one wave."""

    properties = (
        Property(
            name="no_stranded_batch",
            meaning="no batch is pending when nothing can happen any more",
            moment=Moment.AT_QUIESCENCE,
            at_end=_stranded,
        ),
        Property(
            name="no_double_dispatch",
            meaning="no batch is put on the queue twice",
            moment=Moment.ALWAYS,
            on_change={"batches": _double},
        ),
    )

    def __init__(
        self,
        kernel: Kernel,
        coordinator_type: type[WDCoordinator],
        settings: WDSettings,
    ) -> None:
        self.kernel = kernel
        self.settings = settings
        self.coordinator_type = coordinator_type
        self.batches_count = settings.listeners * settings.batches_per_listener
        self.store = WDStore(kernel, self.batches_count)
        self.under_test: WDCoordinator | None = None
        kernel.mark()

    def plan_faults(self, plan: FaultPlan) -> None:
        """Refuse any fault: the model has none."""
        Adversary(self.kernel, {}, plan)

    def heal(self) -> bool:
        """Return False: there is nothing to recover."""
        return False

    def interchangeable(self) -> list[list[str]]:
        """Return the listeners, which look alike; a proof finds that they are not."""
        return [[f"listener-{index}" for index in range(self.settings.listeners)]]

    def start(self) -> None:
        """Spawn the listeners and the completions."""
        start, spawn = Outside(self.kernel.seed), self.kernel.spawn
        coordinator = made_outside(start, self.coordinator_type, self.store)
        self.under_test = coordinator
        for index in range(self.settings.listeners):
            spawn(self._listener(coordinator, index), f"listener-{index}")
        for number in range(self.batches_count):
            spawn(self._completion(coordinator, number), f"completion-{number}")

    async def _listener(self, coordinator: WDCoordinator, index: int) -> None:
        batches_count = self.settings.batches_per_listener
        for number in range(index * batches_count, (index + 1) * batches_count):
            await self.store.create(number)
            await coordinator.dispatch()

    async def _completion(self, coordinator: WDCoordinator, number: int) -> None:
        await self.store.complete(number)
        if self.settings.retrigger:
            await coordinator.dispatch()


_CLAIMS: Final = {
    "claiming": "the claim decides which call sends a batch; proved with 3"
    " listeners of 1 batch and with 2 of 2 batches"
}


def _send_anyway(store: WDStore, number: int) -> None:
    store.put(number)


def _take_anyway(store: WDStore) -> bool:
    store.is_processing.set()
    return True


def _sees_none(store: WDStore, *args: str) -> bool:
    return False


def _sees_all(store: WDStore) -> tuple[int, ...]:
    return tuple(row.number for row in store.batches if row.status != "absent")


WD_MUTANTS: Final = (
    Mutant(
        name="sends a batch whatever it is",
        statement="claim_and_send",
        weaker=_send_anyway,
    ),
    Mutant(
        name="takes the wave whatever it is",
        statement="take_wave",
        weaker=_take_anyway,
        harmless=_CLAIMS,
    ),
    Mutant(
        name="never sees the wave under way",
        statement="wave_is_processing",
        weaker=_sees_none,
    ),
    Mutant(
        name="never sees a pending batch in a wave under way",
        statement="has_batches",
        weaker=_sees_none,
        replaces=lambda status: status == "pending",
    ),
    Mutant(
        name="never sees an active batch",
        statement="has_batches",
        weaker=_sees_none,
        replaces=lambda status: status == "dispatched",
        harmless=_CLAIMS,
    ),
    Mutant(
        name="selects every batch as pending",
        statement="pending",
        weaker=_sees_all,
        harmless=_CLAIMS,
    ),
)
"""One for each check and claim that a rule of the model can ask for: each drops it."""


def _build(w: WorldBuilder) -> WDWorld:
    return WDWorld(w.kernel, w.code, w.settings)


WD: Final[Scenario] = world(
    _build,
    name="wd",
    summary="the reference model: listeners, completions and one wave",
    settings=WDSettings,
    default="progressive",
    code={
        "stalling": WDStalling,
        "progressive": WDProgressive,
        "claiming": WDClaiming,
    },
    methods=("dispatch",),
    least={"batches_per_listener": 1, "listeners": 1},
    mutants=WD_MUTANTS,
)

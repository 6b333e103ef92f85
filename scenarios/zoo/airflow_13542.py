"""Airflow, issue 13542: an adopted task keeps its slot after it has ended."""

from typing import Any, NamedTuple

from wavecheck.scenarios.exhibit import Exhibit, Harm, Pattern, Tasks, Variant, finally_
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Queue, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Row(NamedTuple):
    """A task instance, or the slot that is kept for one."""

    name: str
    state: str


class Store:
    """Task instances that an older scheduler left behind, and the executor's slots."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.tasks = Table(kernel, "task_instances", Row, key=("name",))
        self.slots = Table(kernel, "slots", Row, key=("name",))
        self.events: Queue[str] = Queue(kernel, "events")
        for number in range(sizes.tasks):
            self.tasks.insert(Row(f"task-{number}", "running"))

    @statement
    def running_tasks(self) -> tuple[str, ...]:
        """Read the tasks that nobody looks after."""
        return tuple(task.name for task in self.tasks.select(state="running"))

    @statement
    def occupy_slot(self, name: str) -> None:
        """Keep a slot for a task."""
        if name not in self.slots:
            self.slots.insert(Row(name, "occupied"))

    @statement
    def task_runs(self, name: str) -> bool:
        """Read whether a task is running."""
        return self.tasks.get(name).state == "running"

    @statement
    def free_slot(self, name: str) -> None:
        """Free the slot of a task, if there is one."""
        if name in self.slots:
            self.slots.delete(name)

    @statement
    def end_task(self, name: str) -> None:
        """End a task, and send the event that says so."""
        self.tasks.update(name, state="success")
        self.events.put(name)

    @statement(
        enabled=lambda self: len(self.events) > 0, wakes_on=lambda self: self.events
    )
    def take_event(self) -> str:
        """Take the next event."""
        return self.events.take()


class AsItWas:
    """Keeps a slot for each task that it has read as running."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def adopt(self) -> None:
        """Adopt the tasks of a scheduler that is gone."""
        for name in await self.store.running_tasks():
            await self.store.occupy_slot(name)

    async def handle_event(self) -> None:
        """Free the slot of a task that has ended."""
        await self.store.free_slot(await self.store.take_event())


class Fixed(AsItWas):
    """Looks at the task once more when it has the slot."""

    async def adopt(self) -> None:
        """Adopt the tasks of a scheduler that is gone."""
        for name in await self.store.running_tasks():
            await self.store.occupy_slot(name)
            if not await self.store.task_runs(name):
                await self.store.free_slot(name)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Tasks end while a new scheduler adopts them."""

    async def worker(name: str) -> None:
        await store.end_task(name)

    async def event_loop() -> None:
        while True:
            await code.handle_event()

    yield "scheduler", code.adopt()
    yield "event-loop", event_loop()
    for number in range(sizes.tasks):
        yield f"worker-{number}", worker(f"task-{number}")


def _leaked(store: Store) -> str | None:
    names = [slot.name for slot in store.slots]
    return f"slots of tasks that have ended: {names}" if names else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="airflow-13542",
    source="apache/airflow issue 13542",
    title="the executor runs out of slots: adopted tasks keep theirs",
    harms=(Harm.LEAKED, Harm.STRANDED),
    pattern=Pattern.MISCOUNTED,
    mechanism="A new scheduler adopts running tasks and keeps a slot for each. The"
    " event that ends a task frees the slot that is there. For a task that ends between"
    " the reading and the keeping there is none yet, so the slot that comes later"
    " stays.",
    causes=(
        KnownCause(
            "no_slot_is_leaked",
            CauseKind.STALE_READ,
            ("running_tasks", "end_task", "occupy_slot"),
        ),
    ),
    inferred="Which of the executor's collections keeps the reference, and the race;"
    " the thread has several causes for the symptom.",
    left_out="The number of slots, and the tasks that wait for one.",
    store=Store,
    story=story,
    properties=(
        finally_(
            "no_slot_is_leaked",
            "no slot is occupied when no task runs",
            _leaked,
            at_risk=lambda store: len(store.tasks) > 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("no_slot_is_leaked",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("adopt", "handle_event"),
    sizes={"tasks": 2},
    mutants=(
        Mutant(
            name="takes every task for running",
            statement="task_runs",
            weaker=lambda store, name: True,
        ),
        Mutant(
            name="frees no slot",
            statement="free_slot",
            weaker=lambda store, name: None,
        ),
    ),
)

"""Airflow, issue 59378: a second scheduler overwrites a task that is running."""

from typing import Any, NamedTuple

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
from wavecheck.sim.parts import Counter, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class Task(NamedTuple):
    """One task instance."""

    name: str
    state: str


class Store:
    """The task instances of one DAG run."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.tasks = Table(kernel, "task_instances", Task, key=("name",))
        self.starts = Counter(kernel, "starts")
        for number in range(sizes.tasks):
            self.tasks.insert(Task(f"task-{number}", "none"))

    @statement
    def schedulable(self) -> tuple[str, ...]:
        """Read the tasks that have no state yet."""
        return tuple(task.name for task in self.tasks.select(state="none"))

    @statement
    def schedule(self, name: str) -> None:
        """Set a task to scheduled, whatever it is."""
        self.tasks.update(name, state="scheduled")

    @statement
    def schedule_if_none(self, name: str) -> None:
        """Set a task to scheduled if it has no state yet."""
        if self.tasks.get(name).state == "none":
            self.tasks.update(name, state="scheduled")

    @statement(
        enabled=lambda self: self.tasks.count(state="scheduled") > 0,
        wakes_on=lambda self: self.tasks,
    )
    def start(self) -> str:
        """Start a scheduled task."""
        name = self.tasks.select(state="scheduled")[0].name
        self.tasks.update(name, state="running")
        self.starts.add(name)
        return name

    @statement
    def end(self, name: str) -> None:
        """Set a task to success."""
        self.tasks.update(name, state="success")


class AsItWas:
    """Schedules by id what it has read as schedulable."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def schedule(self) -> None:
        """One pass of a scheduler."""
        for name in await self.store.schedulable():
            await self.store.schedule(name)


class Fixed(AsItWas):
    """The update asks for the state once more."""

    async def schedule(self) -> None:
        """One pass of a scheduler."""
        for name in await self.store.schedulable():
            await self.store.schedule_if_none(name)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Several schedulers make a pass; workers start what is scheduled."""

    async def worker() -> None:
        while True:
            await store.end(await store.start())

    for number in range(sizes.schedulers):
        yield f"scheduler-{number}", code.schedule()
    for number in range(sizes.workers):
        yield f"worker-{number}", worker()


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="airflow-59378",
    source="apache/airflow issue 59378, pull requests 60330 and 63266, issue 57618",
    title="a running task is set back to scheduled by a second scheduler",
    harms=(Harm.TWICE,),
    pattern=Pattern.UNGUARDED_UPDATE,
    mechanism="Two schedulers read the same schedulable task. One schedules it and a"
    " worker starts it. The other one's UPDATE names the id alone and sets the running"
    " task back to scheduled, so that it is started again.",
    causes=(
        KnownCause(
            "no_task_starts_twice",
            CauseKind.STALE_READ,
            ("schedulable", "schedule", "schedule"),
        ),
    ),
    inferred="In the thread the worker is then told to stop by the API; here the second"
    " start itself is what is judged.",
    left_out="Try numbers, heartbeats, the executor, row locks of the scheduler loop.",
    store=Store,
    story=story,
    properties=(
        always(
            "no_task_starts_twice",
            "each task is started once",
            "starts",
            lambda store, key, before, after: (
                f"{key} is started {after} times" if after > 1 else None
            ),
            at_risk=lambda store: len(store.starts.items()) > 0,
        ),
        finally_(
            "every_task_runs",
            "every task has succeeded when nothing can happen any more",
            lambda store: (
                None
                if store.tasks.count(state="success") == len(store.tasks)
                else "some task is left behind"
            ),
            at_risk=lambda store: len(store.tasks) > 0,
        ),
    ),
    variants={
        "original": Variant(code=AsItWas, violates=("no_task_starts_twice",)),
        "fixed": Variant(code=Fixed),
    },
    methods=("schedule",),
    sizes={"tasks": 1, "schedulers": 2, "workers": 2},
    mutants=(
        Mutant(
            name="does not ask for the state",
            statement="schedule_if_none",
            weaker=lambda store, name: store.tasks.update(name, state="scheduled"),
        ),
        Mutant(
            name="sees nothing to schedule",
            statement="schedulable",
            weaker=lambda store: (),
        ),
    ),
)

"""hexpm, pull request 1825, and Oban, issue 1141: the clock rescues a live job."""

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
from wavecheck.sim.parts import Counter, Flag, Table, Timers
from wavecheck.sim.search.kinds import CauseKind, KnownCause

RESCUE_AFTER = 60


class Job(NamedTuple):
    """One job, and the node that executes it."""

    name: str
    state: str
    node: str


class Store:
    """Jobs, two nodes of which one may go, and the alarm of each execution."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.kernel = kernel
        self.jobs = Table(kernel, "jobs", Job, key=("name",))
        self.timers = Timers(kernel, "rescue_alarms")
        self.is_gone = Flag(kernel, "node_0_is_gone")
        self.live = Counter(kernel, "live_executions")
        for number in range(sizes.jobs):
            self.jobs.insert(Job(f"job-{number}", "available", ""))

    @statement(
        enabled=lambda self, node: self.jobs.count(state="available") > 0,
        wakes_on=lambda self, node: self.jobs,
    )
    def execute(self, node: str) -> str | None:
        """Begin to execute a job, and set its alarm; None: the node is gone."""
        if self._is_gone(node):
            return None
        name = self.jobs.select(state="available")[0].name
        self.jobs.update(name, state="executing", node=node)
        if node == "node-0":  # its jobs are those that take long
            self.timers.arm(node, name, RESCUE_AFTER)
        self.live.add(name)
        return name

    @statement
    def complete(self, name: str, node: str) -> None:
        """End an execution, unless its node is gone."""
        if self._is_gone(node):
            return
        self.live.add(name, -1)
        if self.jobs.get(name) == (name, "executing", node):
            self.jobs.update(name, state="completed")
            self.timers.cancel(node, name)

    @statement
    def lose_node(self) -> None:
        """Node-0 goes, with everything that it executes."""
        self.is_gone.set()
        for job in self.jobs.select(state="executing", node="node-0"):
            self.live.add(job.name, -1)

    @statement(
        enabled=lambda self: bool(self.timers.next_timers()),
        wakes_on=lambda self: self.timers,
    )
    def ring(self) -> tuple[str, str]:
        """Let an alarm go off: its job has been executing for a long time."""
        timers = self.timers.next_timers()
        timer = timers[self.kernel.choose(len(timers))]
        self.timers.go_off(timer)
        return str(timer.name), timer.owner

    @statement
    def rescue(self, name: str, node: str) -> None:
        """Make a job available that this node is said to execute."""
        if self.jobs.get(name) == (name, "executing", node):
            self.jobs.update(name, state="available")

    @statement
    def node_is_gone(self, node: str) -> bool:
        """Read whether a node has no record any more."""
        return self._is_gone(node)

    @statement
    def jobs_of(self, node: str) -> tuple[str, ...]:
        """Read what a node is said to execute."""
        return tuple(job.name for job in self.jobs.select(state="executing", node=node))

    def _is_gone(self, node: str) -> bool:
        return node == "node-0" and self.is_gone.is_set()


class AsItWas:
    """Rescues a job when its time is over."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def on_alarm(self, name: str, node: str) -> None:
        """Look after a job that has been executing for a long time."""
        await self.store.rescue(name, node)

    async def on_node_gone(self, node: str) -> None:
        """Leave the jobs of a node that is gone to their alarms."""


class Fixed(AsItWas):
    """Rescues a job when its node is gone."""

    async def on_alarm(self, name: str, node: str) -> None:
        """Look after a job that has been executing for a long time."""
        if await self.store.node_is_gone(node):
            await self.store.rescue(name, node)

    async def on_node_gone(self, node: str) -> None:
        """Rescue the jobs of a node that is gone."""
        for name in await self.store.jobs_of(node):
            await self.store.rescue(name, node)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Two nodes execute jobs; an alarm may go off; node-0 may go at any moment."""

    async def slow_node() -> None:
        job = await store.execute("node-0")
        if job is not None:
            await store.complete(job, "node-0")

    async def fast_node() -> None:
        while (job := await store.execute("node-1")) is not None:
            await store.complete(job, "node-1")

    async def lifeline() -> None:
        name, owner = await store.ring()
        await code.on_alarm(name, owner)

    async def cluster() -> None:
        await store.lose_node()
        await code.on_node_gone("node-0")

    yield "node-0", slow_node()
    yield "node-1", fast_node()
    yield "lifeline", lifeline()
    yield "cluster", cluster()


def _left(store: Store) -> str | None:
    names = [job.name for job in store.jobs if job.state != "completed"]
    return f"nobody executes {names} any more" if names else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="oban-1141",
    source="hexpm/hexpm pull request 1825, oban-bg/oban issue 1141",
    title="a job that takes long is rescued while it is executing",
    harms=(Harm.TWICE,),
    pattern=Pattern.LIVE_OWNER,
    mechanism="A job that has been executing for a fixed time is taken for an orphan."
    " The rescuer makes it available again without asking for its node. A job that"
    " merely takes long is executed twice at once.",
    causes=(
        KnownCause("no_job_is_executed_twice_at_once", CauseKind.EXPIRED, ("ring",)),
    ),
    inferred="The fix: it asks whether the node lives. That the plugin may rescue jobs"
    " that are executing is what its own documentation says; what the pull request"
    " changes we have not read, and the cause of issue 1141 was not confirmed.",
    left_out="Attempts, queues, the leader that runs the rescuer.",
    fault_budget="one node goes",
    store=Store,
    story=story,
    properties=(
        always(
            "no_job_is_executed_twice_at_once",
            "no two nodes that live execute one job",
            "live_executions",
            lambda store, name, before, after: (
                f"{name} is executed {after} times at once" if after > 1 else None
            ),
            at_risk=lambda store: store.jobs.count(state="completed") > 0,
        ),
        finally_(
            "no_job_is_orphaned",
            "every job is completed, whether or not a node goes",
            _left,
            at_risk=lambda store: store.is_gone.is_set(),
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas, violates=("no_job_is_executed_twice_at_once",)
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("on_alarm", "on_node_gone"),
    sizes={"jobs": 1},
    mutants=(
        Mutant(
            name="takes every node for gone",
            statement="node_is_gone",
            weaker=lambda store, node: True,
        ),
        Mutant(
            name="rescues nothing",
            statement="rescue",
            weaker=lambda store, name, node: None,
        ),
    ),
)

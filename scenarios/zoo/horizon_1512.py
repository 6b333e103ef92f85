"""Laravel Horizon, issue 1512: a pod is killed between the last job and then()."""

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
from wavecheck.sim.parts import Counter, Flag, Table
from wavecheck.sim.search.kinds import CauseKind, KnownCause


class PodKilled(Exception):
    """The process that makes a statement does not live any more."""


class Message(NamedTuple):
    """One job as a queue message.

    Attributes:
        job: which.
        state: `queued`, `reserved` or `gone`.
        pod: who has reserved it; empty: nobody.
        is_counted: its end is noted in the batch by its id.
    """

    job: str
    state: str
    pod: str
    is_counted: bool


class Store:
    """A batch, its messages, and pods one of which may be killed."""

    def __init__(self, kernel: Kernel, sizes: Any) -> None:
        self.messages = Table(kernel, "messages", Message, key=("job",))
        for number in range(sizes.jobs):
            self.messages.insert(Message(f"job-{number}", "queued", "", False))
        self.pending = Counter(kernel, "pending_jobs")
        self.pending.set(sizes.jobs)
        self.is_killed = Flag(kernel, "pod_0_is_killed")
        self.ended = Counter(kernel, "ended")
        self.thens = Counter(kernel, "thens")

    def _live(self, pod: str) -> None:
        if pod == "pod-0" and self.is_killed.is_set():
            raise PodKilled(pod)

    @statement
    def kill_pod(self) -> None:
        """Kill pod-0; what it has reserved is delivered to another one."""
        self.is_killed.set()
        for message in self.messages.select(pod="pod-0", state="reserved"):
            self.messages.update(message.job, state="queued", pod="")

    @statement(
        enabled=lambda self, pod: self.messages.count(state="queued") > 0,
        wakes_on=lambda self, pod: self.messages,
    )
    def reserve(self, pod: str) -> str:
        """Take a job."""
        self._live(pod)
        job = self.messages.select(state="queued")[0].job
        self.messages.update(job, state="reserved", pod=pod)
        return job

    @statement
    def finish_job(self, pod: str, job: str) -> int:
        """Count one less as pending; return how many are left."""
        self._live(pod)
        self.ended.add(job)
        return self.pending.add(amount=-1)

    @statement
    def finish_job_by_id(self, pod: str, job: str) -> None:
        """Note a job's end once, and call then() with the last; one transaction."""
        self._live(pod)
        self.ended.add(job)
        if self.messages.get(job).is_counted:
            return
        self.messages.update(job, is_counted=True)
        if self.pending.add(amount=-1) == 0:
            self.thens.add()

    @statement
    def call_then(self, pod: str) -> None:
        """Call then()."""
        self._live(pod)
        self.thens.add()

    @statement
    def acknowledge(self, pod: str, job: str) -> None:
        """Delete a job's message."""
        self._live(pod)
        self.messages.update(job, state="gone")


class AsItWas:
    """Counts a job down, then calls then() if it was the last."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def after_job(self, pod: str, job: str) -> None:
        """Finish the batch with its last job."""
        if await self.store.finish_job(pod, job) == 0:
            await self.store.call_then(pod)


class Fixed(AsItWas):
    """Counts a job by its id, and calls then() in the same transaction."""

    async def after_job(self, pod: str, job: str) -> None:
        """Finish the batch with its last job."""
        await self.store.finish_job_by_id(pod, job)


def story(store: Store, code: AsItWas, sizes: Any) -> Tasks:
    """Two pods run jobs; one of them may be killed at any moment."""

    async def pod(name: str) -> None:
        while True:
            try:
                job = await store.reserve(name)
                await code.after_job(name, job)
                await store.acknowledge(name, job)
            except PodKilled:
                return

    async def cluster() -> None:
        await store.kill_pod()

    yield "pod-0", pod("pod-0")
    yield "pod-1", pod("pod-1")
    yield "cluster", cluster()


def _early(store: Store, key: object, before: int, after: int) -> str | None:
    if after > 1:
        return f"then() is called {after} times"
    missing = [one.job for one in store.messages if not store.ended.get(one.job)]
    return f"then() is called before {missing} have ended" if missing else None


EXHIBIT = Exhibit(
    collection="zoo",
    short_name="horizon-1512",
    source="laravel/horizon issue 1512",
    title="then() is never called: the pod is killed after the last job",
    harms=(Harm.STRANDED, Harm.EARLY),
    pattern=Pattern.CALLBACK_NOT_ARMED,
    mechanism="A pod counts its job down to zero and is killed before it calls then()."
    " The job was not acknowledged, so another pod runs it and counts it down again."
    " The count is below zero now, and then() is never called.",
    causes=(
        KnownCause("then_is_called", CauseKind.FAILED, ("kill_pod", "call_then")),
        KnownCause(
            "then_after_all_jobs", CauseKind.FAILED, ("kill_pod", "acknowledge")
        ),
    ),
    inferred="That the job is delivered again. With several jobs the second count makes"
    " then() come early instead; the fix is ours.",
    left_out="Graceful termination, failed jobs.",
    fault_budget="one pod is killed",
    store=Store,
    story=story,
    properties=(
        finally_(
            "then_is_called",
            "then() has been called when all jobs are done",
            lambda store: None if store.thens.get() else "then() is never called",
            at_risk=lambda store: store.messages.count(state="queued") == 0,
        ),
        always(
            "then_after_all_jobs",
            "then() is called once, when all jobs have ended",
            "thens",
            _early,
            at_risk=lambda store: store.thens.get() > 0,
        ),
    ),
    variants={
        "original": Variant(
            code=AsItWas, violates=("then_is_called", "then_after_all_jobs")
        ),
        "fixed": Variant(code=Fixed),
    },
    methods=("after_job",),
    sizes={"jobs": 2},
    mutants=(
        Mutant(
            name="counts a job whenever it ends",
            statement="finish_job_by_id",
            weaker=lambda store, pod, job: (
                store.thens.add() if store.pending.add(amount=-1) == 0 else None
            ),
        ),
        Mutant(
            name="notes the job's end and counts nothing",
            statement="finish_job_by_id",
            weaker=lambda store, pod, job: store.messages.update(job, is_counted=True),
        ),
    ),
)

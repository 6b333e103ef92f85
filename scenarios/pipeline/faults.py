"""What faults can hit in the pipeline: processes, messages, the cache, leases."""

from collections.abc import Mapping
from functools import partial
from typing import Final, Protocol

from wavecheck.coordinator import BatchState, ImportPlan, StatementFailed
from wavecheck.coordinator.states import ACTIVE_STATES
from wavecheck.scenarios.pipeline.store import ListenerCache, PipelineStore
from wavecheck.sim.faults import FAULT_TASK_PREFIX, Target, Targets
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind
from wavecheck.sim.task import Task

_WAITING: Final = "take_batch"


class JobWorld(Protocol):
    """What faults need of the world of one job."""

    store: PipelineStore
    kernel: Kernel
    plan: ImportPlan

    @property
    def cache(self) -> ListenerCache:
        """What the listeners keep."""

    def replace_worker(self, dead: Task) -> None:
        """Start a worker in the place of one that died."""


class PipelineFaults:
    """The targets of each kind of fault, as things stand now."""

    def __init__(self, world: JobWorld) -> None:
        self._world = world
        self._store = world.store
        self._kernel = world.kernel

    def sources(self) -> Mapping[str, Targets]:
        """Return the targets by kind of fault."""
        return {
            "crash": self._crashes,
            "fail": self._failures,
            "duplicate": self._duplicates,
            "lose": self._losses,
            "delay": self._delays,
            "evict": self._evictions,
            "stale": self._stale_entries,
            "expire": self._expiries,
        }

    def _processes(self) -> list[Task]:
        """Return the processes that are between two statements."""
        return [
            task
            for task in self._kernel.tasks
            if task.operation is not None
            and not task.name.startswith(FAULT_TASK_PREFIX)
            and task.operation.statement.name != _WAITING
        ]

    def _crashes(self) -> list[Target]:
        return [
            Target(f"{task.name} dies{after}", partial(self._crash, task, redelivers))
            for task in self._processes()
            for redelivers, after in self._ways(task)
        ]

    def _failures(self) -> list[Target]:
        return [
            Target(
                f"{task.operation.statement.name} of {task.name} fails",
                partial(self._kernel.fail, task, StatementFailed("deadlock victim")),
            )
            for task in self._processes()
            if task.operation is not None
            and task.operation.statement.kind is Kind.STATEMENT
        ]

    def _ways(self, task: Task) -> list[tuple[bool, str]]:
        in_flight = self._store.in_flight
        if in_flight is not None and task.name in in_flight:
            return [(True, ", message redelivered"), (False, ", message lost")]
        return [(False, "")]

    def _crash(self, task: Task, redelivers: bool) -> None:
        self._kernel.kill(task)
        self.bury(task, redelivers=redelivers)

    def bury(self, task: Task, *, redelivers: bool) -> None:
        """Redeliver or forget a dead process's message; let another take its place."""
        in_flight = self._store.in_flight
        if in_flight is not None and task.name in in_flight:
            message = in_flight.get(task.name)
            in_flight.delete(task.name)
            if redelivers:
                self._store.queue.put((message.batch_id, message.attempt))
        self._world.replace_worker(task)

    def survive(self, task: Task, error: Exception) -> None:
        """Take a statement's failure that nobody caught as the end of a process."""
        ways = self._ways(task)
        task.end()
        redelivers = ways[self._kernel.choose(len(ways))][0]
        self.bury(task, redelivers=redelivers)

    def _duplicates(self) -> list[Target]:
        put = self._store.queue.put
        return [
            Target(f"message {one[0]} delivered twice", partial(put, one))
            for one in self._store.queue
        ]

    def _losses(self) -> list[Target]:
        remove = self._store.queue.remove
        return [
            Target(f"message {one[0]} lost", partial(remove, one))
            for one in self._store.queue
        ]

    def _delays(self) -> list[Target]:
        queue = self._store.queue

        def delay(message: tuple[str, int]) -> None:
            queue.remove(message)
            queue.put(message)

        return [
            Target(f"message {one[0]} late", partial(delay, one))
            for one in list(queue)[:-1]
        ]

    def _evictions(self) -> list[Target]:
        cache = self._world.cache
        targets = []
        if len(cache.parents):
            targets.append(Target("accumulated parent ids evicted", self._forget))
        if cache.is_finished.is_set():
            clear = partial(cache.is_finished.set, False)
            targets.append(Target("listener's flag evicted", clear))
        return targets

    def _forget(self) -> None:
        parents = self._world.cache.parents
        while len(parents):
            parents.take()

    def _stale_entries(self) -> list[Target]:
        """Return the old values: ids taken before are back, the flag is set already."""
        cache, plan = self._world.cache, self._world.plan
        targets = [
            Target(
                f"parent ids of {batch.batch_id} back in the cache",
                partial(self._put_back, batch.parent_ids),
            )
            for batch in self._store.batches.select(
                job_id=plan.job_id, wave_number=plan.derived_wave
            )
        ]
        if not cache.is_finished.is_set():
            targets.append(
                Target("listener's flag of an earlier job", cache.is_finished.set)
            )
        return targets

    def _put_back(self, parent_ids: tuple[str, ...]) -> None:
        for parent_id in parent_ids:
            self._world.cache.parents.put(parent_id)

    def _expiries(self) -> list[Target]:
        return [
            Target(f"lease of {batch.batch_id} expires", self._expiry(batch.batch_id))
            for batch in self._store.batches
            if batch.status in ACTIVE_STATES and batch.attempt
        ]

    def _expiry(self, batch_id: str) -> partial[None]:
        assert self._store.batches.get(batch_id).status is not BatchState.PENDING
        return partial(self._store.expire, batch_id)

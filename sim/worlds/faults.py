"""Faults for every built world: what each kind can hit, found in its parts and tasks.

A process that dies takes its tasks' next steps with it: a transaction of its rolls
back, a lock with a time to live stays until that has run out. What it was working on is
taken up again by a task that the world names (a rescuer), or by itself (`restarts`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from wavecheck.sim.faults import FAULT_TASK_PREFIX, Target, Targets
from wavecheck.sim.handles.clock import TIME
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind
from wavecheck.sim.parts import Cache, Leases, Queue
from wavecheck.sim.task import Task


class InjectedFailure(Exception):
    """A statement failed, and nothing was changed: the connection broke."""


def sources(kernel: Kernel, restart: Callable[[Task], None]) -> dict[str, Targets]:
    """Return what each kind of fault could hit now, as far as a world has such things.

    Args:
        kernel: whose tasks and parts are struck.
        restart: called with a task that has died.
    """

    def die(task: Task) -> None:
        kernel.kill(task)
        restart(task)

    def crashes() -> list[Target]:
        return [
            Target(f"{task.name} dies", partial(die, task)) for task in _mortal(kernel)
        ]

    def failures() -> list[Target]:
        return [
            Target(
                f"a statement of {task.name} fails",
                partial(kernel.fail, task, InjectedFailure("the connection broke")),
            )
            for task in _mortal(kernel)
            if task.operation is not None
            and task.operation.statement.kind is Kind.STATEMENT
            and task.operation.statement.enabled is None
        ]

    known: dict[str, Targets] = {"crash": crashes, "fail": failures}
    parts = list(kernel.parts.values())
    queues = [one for one in parts if isinstance(one, Queue) and one.name != TIME]
    if queues:
        known |= {
            "lose": partial(_messages, queues, "is lost", _lose),
            "duplicate": partial(_messages, queues, "comes twice", _double),
            "delay": partial(_messages, queues, "comes last", _delay),
        }
    caches = [one for one in parts if isinstance(one, Cache)]
    if caches:
        known["evict"] = partial(_entries, caches)
    leases = [one for one in parts if isinstance(one, Leases)]
    if leases:
        known["expire"] = partial(_live, leases)
    return known


def _mortal(kernel: Kernel) -> list[Task]:
    """Return the tasks of processes that could die now."""
    return [
        task
        for task in kernel.tasks
        if not task.is_finished
        and task.name != TIME
        and not task.name.startswith(FAULT_TASK_PREFIX)
    ]


def _messages(
    queues: list[Queue[Any]], what: str, strike: Callable[[Queue[Any], Any], None]
) -> list[Target]:
    return [
        Target(f"{item} of {queue.name} {what}", partial(strike, queue, item))
        for queue in queues
        for item in dict.fromkeys(queue)
    ]


def _lose(queue: Queue[Any], item: Any) -> None:
    queue.remove(item)


def _double(queue: Queue[Any], item: Any) -> None:
    queue.put(item)


def _delay(queue: Queue[Any], item: Any) -> None:
    queue.remove(item)
    queue.put(item)


def _entries(caches: list[Cache]) -> list[Target]:
    return [
        Target(f"{key} of {cache.name} is gone", partial(_evict, cache, key))
        for cache in caches
        for key, _ in cache.snapshot()  # type: ignore[attr-defined]  # pairs, sorted
    ]


def _evict(cache: Cache, key: Any) -> None:
    cache.evict(key)


def _expire(lease: Leases, key: Any) -> None:
    lease.expire(key)


def _live(leases: list[Leases]) -> list[Target]:
    return [
        Target(f"{key} of {lease.name} runs out", partial(_expire, lease, key))
        for lease in leases
        for key in lease.live_keys()
    ]

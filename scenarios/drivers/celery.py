"""Celery's tasks as tasks of a world: no broker, no worker, each message a row.

Knows how a task is called and what it says of itself; the rest is in `recorded`.

Known gap: `retry`, chains and results are Celery's own, and need a worker.
"""

from collections.abc import Callable
from typing import Any, Final

from celery.app.task import Task  # type: ignore[import-untyped]  # has no types

from wavecheck.scenarios.drivers.reaching import replace
from wavecheck.scenarios.drivers.recorded import EARLY, LATE, RecordedCalls
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.surroundings import RUNNING, refuse_here

_SERVICE: Final = "celery"


def runs_of(app: Any) -> Callable[[str], Callable[..., Any] | None]:
    """Return what gives the function of a task by its name.

    Args:
        app: Celery's, with its tasks.
    """
    tasks = {name: task.run for name, task in app.tasks.items()}
    return tasks.get


def acknowledges_of(app: Any) -> Callable[[str], str]:
    """Return what says when the message of a task is acknowledged.

    Args:
        app: Celery's, with its tasks.
    """
    late = {name: LATE for name, task in app.tasks.items() if task.acks_late}
    return lambda name: late.get(name, EARLY)


def _apply_async(task: Any, args: Any = None, kwargs: Any = None, **_: Any) -> Any:
    """Record a message; Celery's own would open a connection to a broker."""
    kernel: Any = RUNNING.kernel
    calls: RecordedCalls | None = vars(kernel)["services"].get(_SERVICE)
    if calls is None:
        refuse_here(
            f"the code under test calls Celery's task {task.name}",
            "w.postgresql(..., calls=['celery']) and db.celery(app) in the world file",
        )
    return calls.perform(task.name, tuple(args or ()), kwargs or {})


def attach(kernel: Kernel, calls: RecordedCalls) -> None:
    """Let the tasks that are called in a kernel's tasks be recorded.

    Args:
        kernel: whose.
        calls: record them.
    """
    kernel.services[_SERVICE] = calls


def install() -> None:
    """Let no task of Celery's that is called in a world's task reach a broker."""
    replace(Task, "apply_async", _apply_async)

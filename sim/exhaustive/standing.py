"""Coroutines that are kept where they stand, so that they can go on from there.

A coroutine cannot be copied: one that has been given other results must be run from
its start. But most local states are left by one result only, and then the coroutine
that came there first goes on, and nothing is run twice. A start gives a coroutine of
every task: those that nobody asked for wait until somebody does.

Knows tasks and histories of results; nothing of what these mean.
"""

from collections.abc import Iterable
from typing import Final

from wavecheck.sim import event_loop
from wavecheck.sim.exhaustive.hidden import Shared, Watch
from wavecheck.sim.task import Task

STANDING_MAX: Final = 1024
"""Coroutines that are kept, at most."""

History = tuple[int, ...]
"""Numbers of the results that a coroutine has been given."""


class StandingCoroutines:
    """The coroutines of one world that are kept; whatever is not given back ends.

    Args:
        watch: knows what the tasks of each execution share.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._kept: dict[tuple[int, History], list[tuple[Task, Shared]]] = {}
        self._kept_count = 0
        self._taken: Task | None = None
        self._over: list[Task] = []

    def add(self, tasks: Iterable[Task]) -> None:
        """Keep the tasks of an execution that has just started."""
        for task in tasks:
            self._keep(task, task.index, ())

    def take(self, index: int, history: History) -> tuple[Task, int] | None:
        """Return the coroutine of a task that has been given the most of some results.

        Args:
            index: of the task.
            history: all results.

        Returns:
            The coroutine and how many of the results it was given; the execution that
            it belongs to is at hand. None: there is none.
        """
        self._end_taken()
        for given in range(len(history), -1, -1):
            key = (index, history[:given])
            if key in self._kept:
                task, shared = self._pop(key)
                self._taken = task
                if self._watch.enter(shared):
                    return task, given
                self._end_all()
                return None
        return None

    def give_back(self, task: Task, index: int, history: History) -> None:
        """Keep a coroutine that was taken, where it stands now."""
        if task is not self._taken:
            return  # it belongs to the kernel, and a rewind will end it
        if task.process is None and not task.locals:  # what a frame shows is all
            self._taken = None
            self._keep(task, index, history)

    def let_go(self) -> None:
        """Leave the coroutine that was taken to whoever has it."""
        self._taken = None

    def end(self) -> None:
        """End what nobody will ask for again; what it does then may touch parts."""
        self._end_taken()
        while self._over:
            task = self._over.pop()
            task.was_cut = True
            event_loop.close(task.coroutine)
            task.end()

    def end_all(self) -> None:
        """End everything that is kept."""
        self._end_all()
        self.end()

    def _keep(self, task: Task, index: int, history: History) -> None:
        if task.is_finished:
            return
        if self._kept_count == STANDING_MAX:
            self._over.append(self._pop(next(iter(self._kept)))[0])
        found = self._kept.setdefault((index, history), [])
        found.append((task, self._watch.shared))
        self._kept_count += 1

    def _pop(self, key: tuple[int, History]) -> tuple[Task, Shared]:
        """Give out the coroutine of a history that was kept last."""
        held = self._kept[key]
        found = held.pop()
        if not held:
            del self._kept[key]
        self._kept_count -= 1
        return found

    def _end_taken(self) -> None:
        if self._taken is not None and not self._taken.is_finished:
            self._over.append(self._taken)
        self._taken = None

    def _end_all(self) -> None:
        self._over += [task for held in self._kept.values() for task, _ in held]
        self._kept.clear()
        self._kept_count = 0

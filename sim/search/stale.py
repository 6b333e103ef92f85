"""Stale reads: which value was read, who changed it, which later step acted on it.

A step that changed nothing is a read. After every further step the read is asked again,
in place, without effect; when the answer differs, the value that the task still holds
is stale, and the step that made it differ is known. If the task then changes something,
it has acted on a stale value. This needs no declaration of what a statement reads. A
task that waits for new work has decided by what it read before; whatever it does then,
it does for another reason.

Complexity: one evaluation per open read and step; meant for one execution, not for a
search.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, Operation
from wavecheck.sim.parts import Change
from wavecheck.sim.task import Task
from wavecheck.sim.trace import plain

OPEN_READS_MAX: Final = 8
"""How many of its latest reads a task is assumed to act on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRead:
    """A value that was acted on after it had changed.

    Attributes:
        task: whose.
        read_step: where it was read.
        value: what was read, as plain data.
        changed_step: the last step before it acted that changed what it would read: of
            several changes to one list, the first is often innocent.
        changed_by: the task of that step.
        value_then: what it would have read after it.
        acted_step: the step that acted on it; None: the task ended without another
            step, so nobody looked again.
    """

    task: str
    read_step: int
    value: Any
    changed_step: int
    changed_by: str
    value_then: Any
    acted_step: int | None


@dataclass(slots=True)
class _Open:
    step: int
    operation: Operation[Any]
    value: Any
    expected: Any  # what it would answer if only its own task had acted
    changed_step: int = 0
    changed_by: str = ""
    value_then: Any = None
    is_behind: bool = False  # its task has waited for new work since


class _Refusing:
    """A rule for asking again: whoever makes a choice cannot be asked."""

    def pick(self, enabled: list[Task]) -> int:
        raise _CannotAskError

    def choose(self, options_count: int) -> int:
        raise _CannotAskError


class _CannotAskError(Exception):
    pass


class StaleReads:
    """Finds stale reads; `note` is a step listener.

    Attributes:
        acted: stale reads that were acted on, in order of the acting step.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.acted: list[StaleRead] = []
        self._kernel = kernel
        self._open: dict[str, list[_Open]] = {}

    def note(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        """Take note of one step."""
        step = self._kernel.steps_count
        reads = self._open.setdefault(task.name, [])
        if operation.statement.enabled is not None:
            for read in reads:
                read.is_behind = True
        if changes:
            self._act(task, reads, step)
        self._ask_again(task, step)
        if operation.statement.kind is Kind.SLEEP:
            return
        if changes:
            reads[:] = [
                read for read in reads if read.is_behind or not read.changed_step
            ]
        elif not isinstance(result, Exception):
            reads.append(_Open(step, operation, result, result))
            del reads[:-OPEN_READS_MAX]

    def _act(self, task: Task, reads: list[_Open], step: int) -> None:
        for read in reads:
            if read.changed_step and not read.is_behind:
                self.acted.append(_stale(task.name, read, step))

    def left(self) -> list[StaleRead]:
        """Return the stale reads by which their tasks decided to do nothing more."""
        return [
            _stale(task, read, None)
            for task, reads in self._open.items()
            for read in reads
            if read.changed_step
        ]

    def _ask_again(self, task: Task, step: int) -> None:
        for owner, reads in self._open.items():
            for read in list(reads):
                try:
                    now = self._ask(read.operation)
                except _CannotAskError:
                    reads.remove(read)
                    continue
                if owner == task.name:
                    if not read.changed_step:
                        read.expected = now  # what its own step changed, it knows
                elif now == read.expected:
                    read.changed_step = 0
                elif not read.changed_step or now != read.value_then:
                    read.changed_step, read.changed_by = step, task.name
                    read.value_then = now

    def _ask(self, operation: Operation[Any]) -> Any:
        """Evaluate an operation here and now, and undo whatever it did."""
        kernel = self._kernel
        rule, kernel.rule = kernel.rule, _Refusing()
        length = len(kernel.journal)
        before: dict[str, Hashable] = {
            name: part.snapshot() for name, part in kernel.parts.items()
        }
        try:
            return operation.statement.function(operation.owner, *operation.args)
        except _CannotAskError:
            raise
        except Exception as error:  # what it would raise is an answer too
            return f"{type(error).__name__}: {error}"
        finally:
            kernel.rule = rule
            if len(kernel.journal) > length:
                del kernel.journal[length:]
                for name, part in kernel.parts.items():
                    part.restore(before[name])


def _stale(task: str, read: _Open, acted_step: int | None) -> StaleRead:
    return StaleRead(
        task=task,
        read_step=read.step,
        value=plain(read.value),
        changed_step=read.changed_step,
        changed_by=read.changed_by,
        value_then=plain(read.value_then),
        acted_step=acted_step,
    )

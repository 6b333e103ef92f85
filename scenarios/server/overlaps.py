"""Was there a race at all? What overlapped, waited and failed in the executions.

A green result means little if no two transactions were ever open at once.
"""

from collections import Counter
from typing import Any, Final

from wavecheck.scenarios.server.database import ServerDatabase
from wavecheck.scenarios.server.line import Line, Told
from wavecheck.sim.operation import Operation
from wavecheck.sim.task import Task

_NAMES: Final = {
    "40001": "serialization failures",
    "40P01": "deadlocks",
    "23505": "unique violations",
    "55P03": "locks not available",
}


class Overlaps:
    """Counts what happened in executions on a server.

    Args:
        database: the world's.

    Attributes:
        executions_count: executions so far.
        overlapped_count: those in which two transactions were open at once.
        waits_count: statements that the server held up.
        together_count: steps that let more than one waiting statement go on.
        conflicts: statements that failed, by SQLSTATE.
    """

    def __init__(self, database: ServerDatabase) -> None:
        self._database = database
        self.executions_count = self.overlapped_count = 0
        self.waits_count = self.together_count = 0
        self.conflicts: Counter[str] = Counter()
        self._has_overlapped = False

    def begin(self) -> None:
        """Begin an execution."""
        self.executions_count += 1
        self._has_overlapped = False
        self._database.let_go_together = 0

    def note(
        self, task: Task, operation: Operation[Any], result: Any, changes: Any
    ) -> None:
        """Take in a step; a listener of the kernel's."""
        line = operation.owner
        if not isinstance(line, Line) or not isinstance(result, Told):
            return
        self.waits_count += bool(result.waits_for)
        if result.error:
            self.conflicts[result.error[0]] += 1
        self.together_count += self._database.let_go_together
        self._database.let_go_together = 0
        if not self._has_overlapped:
            lines = self._database.lines
            is_open = [one.is_busy or not one.is_idle() for one in lines]
            if sum(is_open) > 1:
                self._has_overlapped = True
                self.overlapped_count += 1

    def __str__(self) -> str:
        parts = [
            f"transactions overlapped in {self.overlapped_count} of"
            f" {self.executions_count} executions",
            f"{self.waits_count} statements waited",
        ]
        parts += [
            f"{count} {_NAMES.get(state, f'errors {state}')}"
            for state, count in sorted(self.conflicts.items())
        ]
        if self.together_count:
            parts.append(
                f"{self.together_count} times several were let go at once, in the"
                " server's order"
            )
        return "; ".join(parts)

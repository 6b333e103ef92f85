"""Replaying recorded choices, exactly or as far as they fit."""

from collections.abc import Sequence
from dataclasses import dataclass

from wavecheck.sim.errors import ReplayMismatch
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.task import Task


class RecordedChoices:
    """A rule that answers what was recorded, and nothing else.

    Raises:
        ReplayMismatch: when asked for more choices than were recorded, or when one does
            not fit.
    """

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices = choices
        self._position = 0

    def pick(self, enabled: list[Task]) -> int:
        """Return the recorded index."""
        return self._answer(
            len(enabled), f"one of {len(enabled)} enabled tasks: {_names(enabled)}"
        )

    def choose(self, options_count: int) -> int:
        """Return the recorded option."""
        return self._answer(options_count, f"an option below {options_count}")

    def is_used_up(self) -> bool:
        """Return whether every recorded choice was asked for."""
        return self._position == len(self._choices)

    def _answer(self, limit: int, expected: str) -> int:
        position = self._position
        if position == len(self._choices):
            raise ReplayMismatch(
                f"the schedule ends after {position} choices, but the execution goes on"
                f"\n  expected  {expected}\n  got       no choice"
            )
        self._position += 1
        choice = self._choices[position]
        if not 0 <= choice < limit:
            raise ReplayMismatch(
                f"choice {position} is impossible\n"
                f"  expected  {expected}\n  got       {choice}"
            )
        return choice


def _names(enabled: list[Task]) -> str:
    return ", ".join(task.name for task in enabled)


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a script: whose turn it is, and what its `choose` calls answer."""

    task: str
    options: tuple[int, ...] = ()


class Script:
    """A rule that follows a list of entries as far as it fits, and goes on by itself.

    At a choice point the next entry whose task is enabled is taken, and entries before
    it are skipped. After the last entry the running task goes on; when it cannot, the
    oldest one does. What was really done is in `done`: following that gives the same
    execution. Shrinking cuts entries out and runs the rest.

    Attributes:
        done: one entry for each step taken.
        preemptions_count: switches away from a task that could have gone on.
    """

    def __init__(self, kernel: Kernel, entries: Sequence[Entry]) -> None:
        self.done: list[Entry] = []
        self.preemptions_count = 0
        self._kernel = kernel
        self._entries = entries
        self._position = 0
        self._options: list[int] = []

    def pick(self, enabled: list[Task]) -> int:
        """Return the index of the next scripted task that is enabled."""
        names = [task.name for task in enabled]
        running = self._running(enabled)
        for position in range(self._position, len(self._entries)):
            name = self._entries[position].task
            if name in names:
                self._position = position
                index = names.index(name)
                break
        else:
            index = 0 if running is None else running
        if running is not None and index != running:
            self.preemptions_count += 1
        return index

    def _running(self, enabled: list[Task]) -> int | None:
        current = self._kernel.current
        if self._kernel.steps_count == 0 or current not in enabled:
            return None
        return enabled.index(current)

    def choose(self, options_count: int) -> int:
        """Return the scripted option of the step that is being taken, or the first."""
        option = 0
        entry = self._entry()
        if entry is not None and len(self._options) < len(entry.options):
            option = min(entry.options[len(self._options)], options_count - 1)
        self._options.append(option)
        return option

    def note(self, task: Task, *details: object) -> None:
        """Take note of a step; to be called as the kernel's step listener."""
        if self._entry() is not None:
            self._position += 1
        self.done.append(Entry(task.name, tuple(self._options)))
        self._options.clear()

    def _entry(self) -> Entry | None:
        """Return the entry that the step being taken follows, if it follows one."""
        current = self._kernel.current
        if current is None or self._position >= len(self._entries):
            return None
        entry = self._entries[self._position]
        return entry if entry.task == current.name else None

"""The dispatch calls of a timed run, kept in columns.

A big run makes millions of calls, so a call is 29 bytes here and becomes a value with
names only where somebody looks at it.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

WaveKey = tuple[str, int]
"""Job id and wave number."""


@dataclass(frozen=True, slots=True)
class DispatchCall:
    """One call of `dispatch_wave`.

    Attributes:
        job_id: the job.
        wave_number: the wave.
        task: who called.
        started_at: ticks.
        statements: database statements made in the call, messages not counted.
        batches_dispatched: batches that the call put on the queue.
        was_processing: the wave was under way when the call began.
    """

    job_id: str
    wave_number: int
    task: str
    started_at: int
    statements: int
    batches_dispatched: int
    was_processing: bool


class CallLog(Sequence[DispatchCall]):
    """Every dispatch call, in order of their ends.

    Complexity: constant time and 29 bytes for each call.

    Attributes:
        started_at: ticks of each call.
        statements: database statements of each call.
        batches_dispatched: batches that each call put on the queue.
    """

    def __init__(self) -> None:
        self.started_at = array("q")
        self.statements = array("i")
        self.batches_dispatched = array("i")
        self._was_processing = bytearray()
        self._waves = array("i")  # number of the wave, in order of its first call
        self._tasks = array("i")
        self._wave_numbers: dict[WaveKey, int] = {}
        self._task_names: dict[int, str] = {}

    def note(
        self,
        wave: WaveKey,
        task: tuple[int, str],
        *,
        started_at: int,
        statements: int,
        batches_dispatched: int,
        was_processing: bool,
    ) -> None:
        """Append one call; a task is its index and its name."""
        numbers = self._wave_numbers
        self._waves.append(numbers.setdefault(wave, len(numbers)))
        index, name = task
        self._tasks.append(index)
        self._task_names[index] = name
        self.started_at.append(started_at)
        self.statements.append(statements)
        self.batches_dispatched.append(batches_dispatched)
        self._was_processing.append(was_processing)

    def times_by_wave(self) -> dict[WaveKey, list[int]]:
        """Return the ticks at which the calls of each wave began."""
        keys = list(self._wave_numbers)
        times: list[list[int]] = [[] for _ in keys]
        for number, started_at in zip(self._waves, self.started_at, strict=True):
            times[number].append(started_at)
        return dict(zip(keys, times, strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __len__(self) -> int:
        return len(self.started_at)

    @overload
    def __getitem__(self, index: int) -> DispatchCall: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[DispatchCall]: ...
    def __getitem__(self, index: int | slice) -> DispatchCall | Sequence[DispatchCall]:
        """Return one call, or some of them."""
        if isinstance(index, slice):
            return tuple(self)[index]
        return self._calls([range(len(self))[index]]).__next__()

    def __iter__(self) -> Iterator[DispatchCall]:
        """Yield the calls, in order of their ends."""
        return self._calls(range(len(self)))

    def _calls(self, rows: Sequence[int]) -> Iterator[DispatchCall]:
        keys = list(self._wave_numbers)
        for row in rows:
            job_id, wave_number = keys[self._waves[row]]
            yield DispatchCall(
                job_id=job_id,
                wave_number=wave_number,
                task=self._task_names[self._tasks[row]],
                started_at=self.started_at[row],
                statements=self.statements[row],
                batches_dispatched=self.batches_dispatched[row],
                was_processing=bool(self._was_processing[row]),
            )

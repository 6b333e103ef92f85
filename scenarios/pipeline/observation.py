"""What is noted during a timed run: status changes, dispatch calls, held ids.

Pure bookkeeping beside the run: it reads changes and calls, and alters nothing.

Complexity: constant per change; 18 bytes are kept for each change of a batch.
"""

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from wavecheck.coordinator import (
    Batch,
    BatchState,
    Coordinator,
    Database,
    Wave,
    WaveState,
)
from wavecheck.scenarios.pipeline.calls import CallLog, WaveKey
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.kernel import Kernel

BATCH_STATES: Final = tuple(BatchState)
_CODE: Final = {status: code for code, status in enumerate(BATCH_STATES)}
_NONE: Final = 255
_NO_CHANGES: Final = (array("q"), bytearray())

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]
    Counts = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class WaveHistory:
    """How the batches of one wave stood over time.

    Attributes:
        times: ticks of each change; shape (n,).
        counts: batches by status after each change, columns as `BATCH_STATES`; shape
            (n, 4).
        statuses: (ticks, status) of the wave itself, from time zero.
    """

    times: "Ints"
    counts: "Counts"
    statuses: tuple[tuple[int, WaveState], ...]


def merged(histories: Sequence[WaveHistory]) -> WaveHistory:
    """Return how the batches of several waves stood over time, taken together.

    Args:
        histories: at least one; of one alone it is that history itself. The statuses of
            several waves are no status of all of them, and are left out.
    """
    if len(histories) == 1:
        return histories[0]
    import numpy as np  # a search without time needs none of this

    times = np.concatenate([one.times for one in histories])
    nothing = np.zeros((1, len(BATCH_STATES)), dtype=np.int32)
    deltas = np.concatenate(
        [np.diff(one.counts, axis=0, prepend=nothing) for one in histories]
    )
    order = np.argsort(times, kind="stable")
    return WaveHistory(
        times=times[order],
        counts=deltas[order].cumsum(axis=0, dtype=np.int32),
        statuses=(),
    )


class Observation:
    """Takes notes of one timed run after another.

    Attributes:
        calls: every dispatch call, in order of their ends.
        held_ids_max: most parent ids in the listeners' caches at once.
        messages_count: batches put on the queue.
        first_dispatch: ticks of the first dispatch by (job, wave).
    """

    def __init__(self, kernel: Kernel, store: PipelineStore) -> None:
        self._kernel = kernel
        self._store = store
        self.rewind()
        store.batches.watchers.append(self._batch_changed)
        store.waves.watchers.append(self._wave_changed)
        store.sends.watchers.append(self._sent)
        for job in store.jobs:
            store.cache(job.job_id).parents.watchers.append(self._parents_changed)

    def rewind(self) -> None:
        """Begin the notes of another run; the store is in its initial state."""
        self.calls = CallLog()
        self.held_ids_max = 0
        self.messages_count = 0
        self.first_dispatch: dict[WaveKey, int] = {}
        self._held = 0
        self._sent_by: dict[int, int] = {}  # by index of the sending task
        self._changes: dict[WaveKey, tuple[array[int], bytearray]] = {}
        self._statuses: dict[WaveKey, list[tuple[int, WaveState]]] = {}
        self._histories: dict[WaveKey, WaveHistory] = {}
        for wave in self._store.waves:
            self._statuses[wave[:2]] = [(0, wave.status)]
        for batch in self._store.batches:
            self._batch_changed(batch.batch_id, None, batch)

    def _batch_changed(self, key: Hashable, before: Batch | None, after: Batch) -> None:
        noted = self._changes.get(after[1:3])
        if noted is None:
            noted = self._changes[after[1:3]] = (array("q"), bytearray())
        times, codes = noted
        times.append(int(self._kernel.now))
        codes.append(_NONE if before is None else _CODE[before.status])
        codes.append(_CODE[after.status])

    def _wave_changed(self, key: Any, before: Wave | None, after: Wave) -> None:
        if before is None or before.status is not after.status:
            statuses = self._statuses.setdefault(key, [])
            statuses.append((int(self._kernel.now), after.status))

    def _sent(self, key: Any, before: int, after: int) -> None:
        self.messages_count += 1
        index = self._kernel.current_task().index
        self._sent_by[index] = self._sent_by.get(index, 0) + 1
        batch = self._store.batches.get(key[0])
        self.first_dispatch.setdefault(batch[1:3], int(self._kernel.now))

    def _parents_changed(self, key: Hashable, before: Any, after: Any) -> None:
        self._held += 1 if before is None else -1
        self.held_ids_max = max(self.held_ids_max, self._held)

    def history(self, job_id: str, wave_number: int) -> WaveHistory:
        """Return how the batches of one wave stood over time, up to now."""
        key = (job_id, wave_number)
        times, codes = self._changes.get(key, _NO_CHANGES)
        statuses = tuple(self._statuses.get(key, ()))
        known = self._histories.get(key)
        if known is not None and (len(known.times), known.statuses) == (
            len(times),
            statuses,
        ):
            return known
        import numpy as np

        moves = np.frombuffer(bytes(codes), dtype=np.uint8).reshape(-1, 2)
        states = np.arange(len(BATCH_STATES))
        deltas = (moves[:, 1:] == states).astype(np.int32)
        deltas -= moves[:, :1] == states  # `_NONE` equals no state
        history = self._histories[key] = WaveHistory(
            times=np.array(times, dtype=np.int64),
            counts=deltas.cumsum(axis=0, dtype=np.int32),
            statuses=statuses,
        )
        return history

    def started_at(self, wave: WaveKey) -> int | None:
        """Return the ticks at which a wave was first under way; None: never."""
        for time, status in self._statuses.get(wave, ()):
            if status is WaveState.PROCESSING:
                return time
        return None

    def digest(self) -> str:
        """Return a fingerprint of every change of every batch, with its tick."""
        import numpy as np

        digest = blake2b(digest_size=16)
        for (job_id, wave_number), (times, codes) in self._changes.items():
            digest.update(f"{job_id} {wave_number} {len(times)}\n".encode())
            digest.update(np.array(times, dtype="<i8").tobytes())
            digest.update(codes)
        return digest.hexdigest()

    def observed(self, coordinator_type: type[Coordinator]) -> type[Coordinator]:
        """Return the class with its dispatch calls noted; behaviour is unchanged."""
        kernel, store, note = self._kernel, self._store, self.calls.note
        sent_by = self._sent_by

        class Observed(coordinator_type):  # type: ignore[misc, valid-type]  # mypy: no variable as a base
            def __init__(self, db: Database) -> None:
                super().__init__(db)

            async def dispatch_wave(self, job_id: str, wave_number: int) -> int:
                task = kernel.current_task()
                started_at = int(kernel.now)
                before = task.statements_count
                sent_before = sent_by.get(task.index, 0)
                wave = store.waves.find((job_id, wave_number))
                was_processing = (
                    wave is not None and wave.status is WaveState.PROCESSING
                )
                sent: int = await super().dispatch_wave(job_id, wave_number)
                if type(sent) is not int:
                    raise CoordinatorError(
                        f"{coordinator_type.__name__}.dispatch_wave returned {sent!r}\n"
                        "  expected  how many batches it sent, a whole number"
                    )
                note(
                    (job_id, wave_number),
                    (task.index, task.name),
                    started_at=started_at,
                    statements=task.statements_count - before,
                    batches_dispatched=sent_by.get(task.index, 0) - sent_before,
                    was_processing=was_processing,
                )
                return sent

        Observed.__name__ = coordinator_type.__name__
        Observed.__qualname__ = coordinator_type.__qualname__
        return Observed

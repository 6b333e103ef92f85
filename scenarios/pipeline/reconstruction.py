"""How a recorded incident can have ended as it did: an interleaving with those counts.

The record says when batches appeared and calls began, not how their statements
interleaved. So the statements are put in order by those moments and by delays that are
drawn, on a growing scale from none (each call runs by itself) to seconds (everything
overlaps), until an execution ends with the observed number of pending batches.

Knows the incident's world; draws from its own seeded source.
"""

from dataclasses import dataclass
from typing import Final

from wavecheck.coordinator import BatchState
from wavecheck.scenarios.pipeline.incident import IncidentWorld
from wavecheck.sim.prng import Stream
from wavecheck.sim.search.execution import execute
from wavecheck.sim.task import Task

SCALES: Final = (0, 1_000, 5_000, 20_000, 100_000, 500_000, 2_000_000, 10_000_000)
"""Greatest delay of one statement, in ticks, in growing order."""
_LAST: Final = 1 << 62


class RecordedMoments:
    """A rule: whose statement is due first, counted from the recorded moments.

    Args:
        world: whose record it is.
        scale: greatest delay of one statement, in ticks.
        stream: of the delays.

    What the record does not time, the work on dispatched batches, comes last: it takes
    longer than the recorded calls.
    """

    def __init__(self, world: IncidentWorld, scale: int, stream: Stream) -> None:
        timeline = world.timeline
        self._due = {f"create {name}": time for time, name in timeline.batches}
        self._due.update({f"call-{number}": time for time, number in timeline.calls})
        self._scale = scale
        self._stream = stream

    def pick(self, enabled: list[Task]) -> int:
        """Return the index of the task that is due first."""
        due = self._due
        index, least = 0, (_LAST + 1, 0)
        for position, task in enumerate(enabled):
            moment = due.get(task.name, _LAST)
            if moment < least[0] or (moment == least[0] and task.index < least[1]):
                index, least = position, (moment, task.index)
        name = enabled[index].name
        if self._scale and name in due:
            due[name] += self._stream.between(0, self._scale)
        return index

    def choose(self, options_count: int) -> int:
        """Return 0: no wave is stale within the recorded time."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """Whether a coordinator can have ended as observed.

    Attributes:
        executions_count: executions that were tried.
        scale: greatest delay of a statement in the one that ends so; None: none does.
        is_exact: the very same batches are pending in it.
        choices: its schedule.
        pending_counts: the numbers of pending batches that were seen, ascending.
    """

    executions_count: int
    scale: int | None
    is_exact: bool
    choices: tuple[int, ...]
    pending_counts: tuple[int, ...]


def reconstruct(
    world: IncidentWorld, pending: frozenset[str], *, executions_max: int, seed: int
) -> Reconstruction:
    """Search for an execution that ends with as many pending batches as observed.

    Args:
        world: on an untimed kernel.
        pending: ids of the batches that were observed to be pending.
        executions_max: how many to try.
        seed: of the delays.

    Returns:
        The first execution that ends with the very same batches pending; else the first
        with the same number of them; else none.
    """
    kernel = world.kernel
    stream = Stream(seed, "reconstruction")
    each = max(1, executions_max // len(SCALES))
    found: tuple[int, bool, tuple[int, ...]] | None = None
    seen: dict[int, None] = {}
    tried = 0
    for scale in SCALES:
        for _ in range(1 if scale == 0 else each):
            tried += 1
            execute(world, RecordedMoments(world, scale, stream))
            still = _pending(world)
            seen[len(still)] = None
            if len(still) != len(pending):
                continue
            is_exact = still == pending
            if found is None or (is_exact and not found[1]):
                found = scale, is_exact, tuple(kernel.choices)
            if is_exact:
                return _result(tried, found, seen)
    return _result(tried, found, seen)


def _pending(world: IncidentWorld) -> frozenset[str]:
    timeline = world.timeline
    rows = world.store.batches.select(
        job_id=timeline.job_id,
        wave_number=timeline.wave_number,
        status=BatchState.PENDING,
    )
    return frozenset(row.batch_id for row in rows)


def _result(
    tried: int, found: tuple[int, bool, tuple[int, ...]] | None, seen: dict[int, None]
) -> Reconstruction:
    scale, is_exact, choices = (None, False, ()) if found is None else found
    return Reconstruction(
        executions_count=tried,
        scale=scale,
        is_exact=is_exact,
        choices=choices,
        pending_counts=tuple(sorted(seen)),
    )

"""How an incident can have happened, told from one execution.

Counts what the calls of a reconstructed execution did: who sent what and when, and what
those saw that sent nothing.
"""

from collections import Counter
from dataclasses import dataclass

from wavecheck.coordinator import BatchState
from wavecheck.scenarios.pipeline.incident import IncidentWorld
from wavecheck.scenarios.pipeline.reconstruction import Reconstruction
from wavecheck.sim.blame import repr_of
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import run_rule
from wavecheck.sim.trace import Step, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the calls of one execution did.

    Attributes:
        coordinator: whose calls.
        senders: (call's number, ticks of its beginning, batches that it sent), in the
            order in which they sent.
        idle: (what a call that sent nothing saw, how many saw that), most first.
        created_later: how many of the pending batches were created after the last
            statement by which a sending call selected batches.
        pending: how many batches are pending at the end.
    """

    coordinator: str
    senders: tuple[tuple[int, int, int], ...]
    idle: tuple[tuple[str, int], ...]
    created_later: int
    pending: int


def story_of(
    world: IncidentWorld, coordinator: str, reconstruction: Reconstruction
) -> Story:
    """Run the reconstructed execution again, and count what its calls did.

    Args:
        world: on an untimed kernel.
        coordinator: its name.
        reconstruction: with choices.
    """
    steps = run_rule(world, RecordedChoices(reconstruction.choices)).steps
    sent = Counter(step.task for step in steps if step.operation == "enqueue")
    selecting = [
        step.number
        for step in steps
        if step.operation == "pending_batches" and step.task in sent
    ]
    created = {
        step.args[0]: step.number
        for step in steps
        if step.operation == "insert_recorded_batch"
    }
    pending = [
        row.batch_id for row in world.store.batches if row.status is BatchState.PENDING
    ]
    last = max(selecting, default=0)
    began = {f"call-{number}": (number, time) for time, number in world.timeline.calls}
    return Story(
        coordinator=coordinator,
        senders=tuple((*began[task], count) for task, count in sent.items()),
        idle=tuple(Counter(_idle(steps, began, sent)).most_common()),
        created_later=sum(created[batch_id] > last for batch_id in pending),
        pending=len(pending),
    )


def _idle(
    steps: tuple[Step, ...],
    began: dict[str, tuple[int, int]],
    sent: Counter[str],
) -> list[str]:
    """Return what each call saw that sent nothing."""
    seen: dict[str, list[str]] = {}
    for step in steps:
        if step.task in began and step.task not in sent:
            states = [repr_of(one) for one in plain(step.args)[2:]]
            result = plain(step.result)
            text = f"{step.operation}({', '.join(states)}) = {result}"
            seen.setdefault(step.task, []).append(text)
    return [", ".join(texts) for texts in seen.values()]

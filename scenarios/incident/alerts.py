"""Which alerts would have fired, and when: the monitors, fed with evidence.

Rows say when a batch was created, and perhaps when it was sent and completed; the call
log says when calls sent how many. What neither says is guessed, and the guess is said.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from wavecheck.coordinator import Batch, BatchState, Wave, WaveState
from wavecheck.scenarios.incident.evidence import IncidentEvidence, spans
from wavecheck.scenarios.pipeline.alerts import Alert, fired_alerts
from wavecheck.scenarios.pipeline.observation import BATCH_STATES, WaveHistory
from wavecheck.scenarios.pipeline.settings import IncidentSettings


def alerts_of(
    evidence: IncidentEvidence, settings: IncidentSettings
) -> tuple[list[Alert], list[str]]:
    """Return the alerts that would have fired, by wave, and what was assumed."""
    alerts: list[Alert] = []
    guessed: list[int] = []
    for wave in evidence.waves:
        calls = [call.called_at for call in evidence.calls_of_wave(wave.wave_number)]
        dispatched, is_guess = _dispatch_times(evidence, wave.wave_number)
        if is_guess:
            guessed.append(wave.wave_number)
        alerts += fired_alerts(
            wave, _history(evidence, wave, dispatched), calls, settings
        )
    told = "nothing says when batches were sent: when they were created"
    return alerts, [f"{spans(guessed)}: {told}"] if guessed else []


def _dispatch_times(
    evidence: IncidentEvidence, wave_number: int
) -> tuple[dict[str, int], bool]:
    """Return when each sent batch was sent, and whether that had to be guessed."""
    sent = [
        one
        for one in evidence.of_wave(wave_number)
        if one.status is not BatchState.PENDING
    ]
    times = {
        one.batch_id: one.dispatched_at for one in sent if one.dispatched_at is not None
    }
    open_ones = deque(
        sorted(
            (one for one in sent if one.batch_id not in times),
            key=lambda one: (one.created_at, one.batch_id),
        )
    )
    for call in evidence.calls_of_wave(wave_number):
        for _ in range(min(call.batches_dispatched or 0, len(open_ones))):
            if open_ones[0].created_at <= call.called_at:
                times[open_ones.popleft().batch_id] = call.called_at
    times.update({one.batch_id: one.created_at for one in open_ones})
    return times, bool(open_ones)


def _history(
    evidence: IncidentEvidence, wave: Wave, dispatched: Mapping[str, int]
) -> WaveHistory:
    """Return how the batches of a wave stood over time, as far as it is known."""
    moves: list[tuple[int, BatchState | None, BatchState]] = []
    for one in evidence.of_wave(wave.wave_number):
        moves.append((one.created_at, None, BatchState.PENDING))
        moves += _moves_of(one, dispatched.get(one.batch_id))
    moves.sort(key=lambda move: move[0])
    deltas = np.zeros((len(moves), len(BATCH_STATES)), dtype=np.int32)
    for row, (_, before, after) in enumerate(moves):
        if before is not None:
            deltas[row, BATCH_STATES.index(before)] -= 1
        deltas[row, BATCH_STATES.index(after)] += 1
    statuses = [(0, WaveState.PENDING)]
    if wave.status is not WaveState.PENDING:
        began = min(dispatched.values(), default=0)
        statuses.append((began, WaveState.PROCESSING))
    if wave.status is WaveState.COMPLETED:
        statuses.append((wave.updated_at, WaveState.COMPLETED))
    return WaveHistory(
        times=np.array([time for time, _, _ in moves], dtype=np.int64),
        counts=deltas.cumsum(axis=0, dtype=np.int32),
        statuses=tuple(statuses),
    )


def _moves_of(one: Batch, dispatched_at: int | None) -> list[Any]:
    if dispatched_at is None:
        return []
    moves: list[Any] = [(dispatched_at, BatchState.PENDING, BatchState.DISPATCHED)]
    if one.completed_at is not None:
        moves.append((one.completed_at, BatchState.DISPATCHED, BatchState.COMPLETED))
    return moves

"""The report's three monitoring recommendations, as monitors in virtual time.

A monitor sees only what a production monitor would see: the waves' statuses, the
counts of their batches, the dispatch calls. Whether it was right is judged against how
the run ended. After quiescence nothing changes any more, so a condition that still
holds then holds for ever, and a monitor that needs minutes to fire does fire.

Source: published report, "Monitoring Recommendations".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wavecheck.coordinator import BatchState, Wave, WaveKind, WaveState
from wavecheck.scenarios.pipeline.observation import BATCH_STATES, WaveHistory
from wavecheck.scenarios.pipeline.settings import TimingSettings
from wavecheck.sim.kernel import TICKS_PER_SECOND

ALERTS: Final = ("pending_too_long", "pending_not_decreasing", "many_dispatch_calls")
_PENDING: Final = BATCH_STATES.index(BatchState.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of one wave, at the first moment at which it fires.

    Attributes:
        name: one of `ALERTS`.
        job_id: the job.
        wave_number: the wave.
        fired_at: ticks.
        is_right: batches of the wave really stay pending for ever.
    """

    name: str
    job_id: str
    wave_number: int
    fired_at: int
    is_right: bool


def fired_alerts(
    wave: Wave,
    history: WaveHistory,
    call_times: Sequence[int],
    settings: TimingSettings,
) -> list[Alert]:
    """Return the alerts that fire for one wave, in the order of `ALERTS`.

    Args:
        wave: which.
        history: how its batches stood over time.
        call_times: ticks at which the wave's dispatch calls began, in any order.
        settings: the limits.
    """
    limit = round(settings.pending_limit_seconds * TICKS_PER_SECOND)
    patience = round(settings.not_decreasing_seconds * TICKS_PER_SECOND)
    moments = (
        _pending_too_long(history, limit),
        _not_decreasing(history, patience) if wave.kind is WaveKind.DERIVED else None,
        _many_calls(call_times, settings.calls_max),
    )
    is_stranded = len(history.counts) > 0 and int(history.counts[-1][_PENDING]) > 0
    return [
        Alert(
            name=name,
            job_id=wave.job_id,
            wave_number=wave.wave_number,
            fired_at=moment,
            is_right=is_stranded,
        )
        for name, moment in zip(ALERTS, moments, strict=True)
        if moment is not None
    ]


def _states(history: WaveHistory) -> Iterator[tuple[int, int, bool]]:
    """Yield (ticks, pending count, wave is processing) after each change of either."""
    pending = history.counts[:, _PENDING].tolist()
    moments: list[tuple[int, int | None, WaveState | None]] = [
        (time, count, None)
        for time, count in zip(history.times.tolist(), pending, strict=True)
    ]
    moments += [(time, None, status) for time, status in history.statuses]
    moments.sort(key=lambda moment: moment[0])
    count, is_processing = 0, False
    for time, new_count, status in moments:
        if new_count is not None:
            count = new_count
        if status is not None:
            is_processing = status is WaveState.PROCESSING
        yield time, count, is_processing


def _pending_too_long(history: WaveHistory, limit: int) -> int | None:
    """Fire when a processing wave has had pending batches for longer than the limit."""
    since: int | None = None
    for time, count, is_processing in _states(history):
        if since is not None and time > since + limit:
            break
        if count == 0 or not is_processing:
            since = None
        elif since is None:
            since = time
    return None if since is None else since + limit


def _not_decreasing(history: WaveHistory, patience: int) -> int | None:
    """Fire when a pending count above zero has not fallen for the patience."""
    since: int | None = None
    previous = 0
    for time, count, _ in _states(history):
        if since is not None and time > since + patience:
            break
        if count == 0:
            since = None
        elif since is None or count < previous:
            since = time
        previous = count
    return None if since is None else since + patience


def _many_calls(call_times: Sequence[int], calls_max: int) -> int | None:
    """Fire at the first call beyond the limit."""
    if len(call_times) <= calls_max:
        return None
    return sorted(call_times)[calls_max]

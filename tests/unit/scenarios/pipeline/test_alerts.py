"""The three alerts: at the exact tick, not one tick short, right or a false alarm."""

import numpy as np
import pytest

from wavecheck.coordinator import Wave, WaveKind, WaveState
from wavecheck.scenarios.pipeline.alerts import ALERTS, Alert, fired_alerts
from wavecheck.scenarios.pipeline.observation import WaveHistory
from wavecheck.scenarios.pipeline.settings import TimingSettings

SECOND = 1_000_000
SETTINGS = TimingSettings(
    pending_limit_seconds=10, not_decreasing_seconds=4, calls_max=3
)
FAR = TimingSettings(
    pending_limit_seconds=1e6, not_decreasing_seconds=1e6, calls_max=1000
)
PROCESSING = ((0, WaveState.PENDING), (0, WaveState.PROCESSING))


def wave(kind=WaveKind.DERIVED):
    return Wave("job", 7, kind, "TransactionLine", WaveState.PROCESSING, False, 0)


def history(*pending, statuses=PROCESSING):
    """A history from (ticks, pending count) pairs."""
    counts = np.zeros((len(pending), 4), dtype=np.int64)
    counts[:, 0] = [count for _, count in pending]
    return WaveHistory(
        times=np.array([time for time, _ in pending], dtype=np.int64),
        counts=counts,
        statuses=statuses,
    )


def fired(name, *pending, kind=WaveKind.DERIVED, statuses=PROCESSING, made=()):
    """(ticks, is right) of one alert, or None if it does not fire."""
    one_alert = {
        "pending_too_long": {"pending_limit_seconds": 10},
        "pending_not_decreasing": {"not_decreasing_seconds": 4},
        "many_dispatch_calls": {"calls_max": 3},
    }
    far = {"pending_limit_seconds": 1e6, "not_decreasing_seconds": 1e6}
    settings = TimingSettings(**(far | {"calls_max": 1000} | one_alert[name]))
    alerts = fired_alerts(
        wave(kind), history(*pending, statuses=statuses), made, settings
    )
    found = [(one.fired_at, one.is_right) for one in alerts if one.name == name]
    assert len(found) < 2
    return found[0] if found else None


# Pending too long -------------------------------------------------------------


def test_pending_too_long_fires_when_the_limit_is_over():
    """Pending from tick 5 and for ever: fires at 5 plus ten seconds, and is right."""
    assert fired("pending_too_long", (5, 3)) == (5 + 10 * SECOND, True)


@pytest.mark.parametrize(("end", "fires"), [(-1, False), (0, False), (1, True)])
def test_pending_too_long_is_exact_to_the_tick(end, fires):
    """Gone at the limit is in time; gone one tick later has fired, a false alarm."""
    result = fired("pending_too_long", (5, 1), (5 + 10 * SECOND + end, 0))
    assert result == ((5 + 10 * SECOND, False) if fires else None)


def test_pending_too_long_starts_again_after_zero():
    """A count that touches zero starts the limit anew."""
    result = fired("pending_too_long", (0, 1), (9 * SECOND, 0), (9 * SECOND + 1, 1))
    assert result == (19 * SECOND + 1, True)


def test_pending_too_long_does_not_mind_other_counts():
    """More or fewer pending batches, but never none: the limit runs on."""
    result = fired("pending_too_long", (0, 1), (6 * SECOND, 9), (8 * SECOND, 2))
    assert result == (10 * SECOND, True)


def test_pending_too_long_counts_while_the_wave_is_processing_only():
    """Pending batches in a pending wave are no trouble; the limit starts with it."""
    statuses = ((0, WaveState.PENDING), (30 * SECOND, WaveState.PROCESSING))
    result = fired("pending_too_long", (0, 5), statuses=statuses)
    assert result == (40 * SECOND, True)
    assert fired("pending_too_long", (0, 5), statuses=statuses[:1]) is None


def test_pending_too_long_is_reset_by_a_demotion():
    """A wave that is demoted and retaken starts anew."""
    statuses = (
        *PROCESSING,
        (9 * SECOND, WaveState.PENDING),
        (12 * SECOND, WaveState.PROCESSING),
    )
    result = fired("pending_too_long", (0, 5), statuses=statuses)
    assert result == (22 * SECOND, True)


def test_pending_too_long_watches_main_waves_too():
    """The report asks it of every wave."""
    assert fired("pending_too_long", (0, 1), kind=WaveKind.MAIN) is not None


# Pending not decreasing -------------------------------------------------------


def test_not_decreasing_fires_after_its_patience():
    """A count that stands still from tick 7: fires four seconds later, and is right."""
    assert fired("pending_not_decreasing", (7, 3)) == (7 + 4 * SECOND, True)


@pytest.mark.parametrize(("end", "fires"), [(-1, False), (0, False), (1, True)])
def test_not_decreasing_is_exact_to_the_tick(end, fires):
    """A fall at the last tick of the patience is in time, one tick later is not."""
    moment = 4 * SECOND + end
    result = fired("pending_not_decreasing", (0, 2), (moment, 1), (moment + 1, 0))
    assert result == ((4 * SECOND, False) if fires else None)


def test_not_decreasing_is_not_reset_by_a_rise():
    """More pending batches are no progress."""
    result = fired("pending_not_decreasing", (0, 2), (3 * SECOND, 5))
    assert result == (4 * SECOND, True)


def test_not_decreasing_is_reset_by_each_fall():
    """Each fall starts the patience anew."""
    falls = [(3 * SECOND * n, 9 - n) for n in range(9)]
    result = fired("pending_not_decreasing", *falls)
    assert result == (3 * SECOND * 8 + 4 * SECOND, True)


def test_not_decreasing_watches_derived_waves_only():
    """A main wave's batches wait for their turn, which is no trouble."""
    assert fired("pending_not_decreasing", (0, 3), kind=WaveKind.MAIN) is None


def test_not_decreasing_does_not_fire_without_pending_batches():
    """Nothing pending, nothing to decrease."""
    assert fired("pending_not_decreasing", (0, 1), (1, 0)) is None


def test_not_decreasing_is_not_reset_by_a_change_of_the_wave():
    """Only the count matters, not the wave's own status."""
    statuses = (*PROCESSING, (2 * SECOND, WaveState.PENDING))
    result = fired("pending_not_decreasing", (0, 3), statuses=statuses)
    assert result == (4 * SECOND, True)


# Many dispatch calls ----------------------------------------------------------


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ((1, 2, 3), None),
        ((1, 2, 3, 4), 4),
        ((9, 4, 2, 3, 1), 4),
        ((1, 1, 1, 1), 1),
    ],
)
def test_many_calls_fires_at_the_first_call_beyond_the_limit(moments, expected):
    """Three calls are allowed: the fourth, by its start, fires."""
    result = fired("many_dispatch_calls", (0, 1), made=moments)
    assert result == (None if expected is None else (expected, True))


def test_many_calls_is_a_false_alarm_on_a_healthy_wave():
    """Many calls and nothing pending in the end: not right."""
    assert fired("many_dispatch_calls", (0, 1), (2, 0), made=range(9)) == (3, False)


# All three --------------------------------------------------------------------


def test_alerts_come_in_the_order_of_their_names():
    """One object for each alert that fires, with job and wave."""
    alerts = fired_alerts(wave(), history((0, 5)), [1, 2, 3, 4], SETTINGS)
    assert alerts == [
        Alert(name=name, job_id="job", wave_number=7, fired_at=fired_at, is_right=True)
        for name, fired_at in zip(ALERTS, (10 * SECOND, 4 * SECOND, 4), strict=True)
    ]


def test_a_wave_without_batches_has_no_alert():
    """An empty history fires nothing, whatever the wave does."""
    assert fired_alerts(wave(), history(), [], SETTINGS) == []


def test_far_limits_fire_on_nothing_that_ends():
    """A batch that was sent in the end disturbs no far limit."""
    assert fired_alerts(wave(), history((0, 5), (9, 0)), [1], FAR) == []


def test_alerts_fire_after_quiescence(small_job):
    """A stalled job ends long before the limit; the alert fires all the same."""
    run = small_job("stalling")
    alert = next(one for one in run.alerts if one.name == "pending_too_long")
    assert alert.fired_at > run.makespan
    assert alert.is_right
    first = next(one for one in run.batches if one.dispatched_at is None)
    assert alert.fired_at == first.created_at + 300 * SECOND


def test_the_calls_of_one_wave_do_not_count_for_another(small_job):
    """Each wave has its own number of calls."""
    run = small_job("claiming", calls_max=5)
    by_wave = {
        number: sum(call.wave_number == number for call in run.calls)
        for number in run.histories
    }
    fired = {one.wave_number for one in run.alerts if one.name == "many_dispatch_calls"}
    assert fired == {number for number, count in by_wave.items() if count > 5}
    assert 0 < len(fired) < len(by_wave)

"""The walk over the waves: which are dispatched, completed, and when the job is."""

import pytest

from wavecheck.coordinator import VARIANTS, Wave, WaveKind, WaveState
from wavecheck.coordinator.trigger import trigger_next_wave


def wave(number, kind=WaveKind.MAIN, status=WaveState.PROCESSING):
    """A wave row; what the walk does not read is arbitrary."""
    return Wave("job", number, kind, "SalesOrder", status, True, 0)


@pytest.fixture
def walk(scripted):
    """Run `trigger_next_wave` on a script; return the waves that were dispatched."""
    database_type, finish = scripted

    def run(script, *, waits=True):
        dispatched = []

        async def dispatch(job_id, wave_number):
            assert job_id == "job"
            db.made.append(f"dispatch({wave_number})")
            dispatched.append(wave_number)
            return 0

        db = database_type(script)
        finish(trigger_next_wave(db, "job", dispatch, waits_for_derived_waves=waits))
        assert db.script == [], "these statements were not made"
        return db.made

    return run


def test_main_waves_run_one_after_another(walk):
    """An unfinished main wave blocks every later main wave."""
    made = walk(
        [
            ("open_waves()", (wave(1), wave(2), wave(3))),
            ("finish_wave(1)", False),
        ]
    )
    assert made == ["open_waves()", "dispatch(1)", "finish_wave(1)"]


def test_a_finished_main_wave_lets_the_next_one_run(walk):
    """The next main wave is dispatched in the same call, and the job is tried."""
    made = walk(
        [
            ("open_waves()", (wave(1), wave(2))),
            ("finish_wave(1)", True),
            ("finish_wave(2)", False),
            ("finish_job(waits_for_derived_waves=True)", False),
        ]
    )
    assert made == [
        "open_waves()",
        "dispatch(1)",
        "finish_wave(1)",
        "dispatch(2)",
        "finish_wave(2)",
        "finish_job(waits_for_derived_waves=True)",
    ]


def test_derived_waves_run_beside_a_blocked_main_wave(walk):
    """A derived wave is dispatched although its parents' wave is unfinished."""
    made = walk(
        [
            ("open_waves()", (wave(1), wave(2), wave(3, WaveKind.DERIVED))),
            ("finish_wave(1)", False),
            ("finish_wave(3)", False),
        ]
    )
    assert [call for call in made if "dispatch" in call] == [
        "dispatch(1)",
        "dispatch(3)",
    ]


def test_a_derived_wave_blocks_no_main_wave(walk):
    """An unfinished derived wave does not hold a later main wave back."""
    made = walk(
        [
            ("open_waves()", (wave(1, WaveKind.DERIVED), wave(2))),
            ("finish_wave(1)", False),
            ("finish_wave(2)", False),
        ]
    )
    assert [call for call in made if "dispatch" in call] == [
        "dispatch(1)",
        "dispatch(2)",
    ]


@pytest.mark.parametrize("waits", [True, False])
def test_the_job_is_tried_when_no_wave_is_open(walk, waits):
    """No open wave: only the job can still be completed."""
    made = walk(
        [
            ("open_waves()", ()),
            (f"finish_job(waits_for_derived_waves={waits})", True),
        ],
        waits=waits,
    )
    assert len(made) == 2


@pytest.mark.parametrize("name", VARIANTS)
def test_only_the_rules_without_the_first_fix_ignore_derived_waves(follow, name):
    """`original` and `premature` complete the job with the main waves."""
    waits = name not in ("original", "premature")
    follow(
        [
            ("open_waves()", ()),
            (f"finish_job(waits_for_derived_waves={waits})", True),
        ],
        VARIANTS[name],
        lambda rule: rule.check_and_trigger_next_wave("job"),
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_a_wave_is_completed_after_its_dispatch_call(follow, name):
    """The call that dispatches a wave also tries to complete it, in this order."""
    follow(
        [
            ("open_waves()", (wave(1, status=WaveState.PENDING),)),
            ("wave_status(1)", WaveState.PENDING),
            ("compare_and_set_wave(1, pending, processing)", False),
            ("finish_wave(1)", False),
        ],
        VARIANTS[name],
        lambda rule: rule.check_and_trigger_next_wave("job"),
    )

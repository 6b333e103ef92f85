"""Each dispatch rule on the published cases, statement by statement."""

import pytest

from wavecheck.coordinator import VARIANTS, StatementFailed, WaveState

ACTIVE = "count_batches(7, dispatched, processing)"
PENDING = "count_batches(7, pending)"
RETAKE = "compare_and_set_wave(7, pending, processing)"
DEMOTE_IF = "compare_and_set_wave(7, processing, pending)"
IS_PROCESSING = ("wave_status(7)", WaveState.PROCESSING)
SELECT_TWO = ("pending_batches(7)", ("b1", "b2"))
SEND_TWO = [
    ("mark_dispatched(b1)", None),
    ("enqueue(b1)", None),
    ("mark_dispatched(b2)", None),
    ("enqueue(b2)", None),
]
CLAIM_TWO = [
    ("claim_batch(b1)", True),
    ("enqueue(b1)", None),
    ("claim_batch(b2)", True),
    ("enqueue(b2)", None),
]

LEAVING = ("original", "stalling")
LOOKING = ("premature", "progressive")
CLAIMING = ("claiming", "upfront")
PUBLISHED = LEAVING + LOOKING + CLAIMING


@pytest.fixture
def dispatch(follow):
    """Run `dispatch_wave` of wave 7 of one coordinator on a script."""

    def run(name, script):
        return follow(script, VARIANTS[name], lambda rule: rule.dispatch_wave("job", 7))

    return run


@pytest.mark.parametrize("name", LEAVING + LOOKING)
def test_the_first_call_takes_the_wave_and_sends_what_exists(dispatch, name):
    """A pending wave: compare-and-set, select, then mark and enqueue each batch."""
    script = [("wave_status(7)", WaveState.PENDING), (RETAKE, True), SELECT_TWO]
    assert dispatch(name, script + SEND_TWO) == 2


@pytest.mark.parametrize("name", CLAIMING)
def test_the_first_call_of_claiming_claims_each_batch(dispatch, name):
    """A pending wave: compare-and-set, select, then claim and enqueue each batch."""
    script = [("wave_status(7)", WaveState.PENDING), (RETAKE, True), SELECT_TWO]
    assert dispatch(name, script + CLAIM_TWO) == 2


@pytest.mark.parametrize("name", VARIANTS)
def test_a_call_that_loses_the_race_for_the_wave_sends_nothing(dispatch, name):
    """The compare-and-set failed: another call has the wave, and this one returns."""
    script = [("wave_status(7)", WaveState.PENDING), (RETAKE, False)]
    assert dispatch(name, script) == 0


@pytest.mark.parametrize("name", VARIANTS)
def test_a_completed_wave_is_left_alone(dispatch, name):
    """A completed wave cannot be taken, so nothing is selected."""
    script = [("wave_status(7)", WaveState.COMPLETED), (RETAKE, False)]
    assert dispatch(name, script) == 0


@pytest.mark.parametrize("name", LEAVING)
def test_an_idle_call_of_stalling_makes_two_statements(dispatch, name):
    """The published fault: active batches are seen, pending ones not looked for."""
    assert dispatch(name, [IS_PROCESSING, (ACTIVE, 10)]) == 0


@pytest.mark.parametrize("name", LOOKING + CLAIMING)
def test_an_idle_call_of_progressive_makes_three_statements(dispatch, name):
    """One statement more: pending batches are looked for before active ones."""
    assert dispatch(name, [IS_PROCESSING, (PENDING, 0), (ACTIVE, 10)]) == 0


@pytest.mark.parametrize("name", LOOKING)
def test_progressive_sends_what_appeared_in_a_wave_under_way(dispatch, name):
    """The published fix: pending batches are sent without a compare-and-set."""
    script = [IS_PROCESSING, (PENDING, 2), SELECT_TWO, *SEND_TWO]
    assert dispatch(name, script) == 2


@pytest.mark.parametrize("name", CLAIMING)
def test_claiming_sends_only_what_it_claimed(dispatch, name):
    """A batch that another call claimed first is neither sent nor counted."""
    script = [
        IS_PROCESSING,
        (PENDING, 2),
        SELECT_TWO,
        ("claim_batch(b1)", False),
        ("claim_batch(b2)", True),
        ("enqueue(b2)", None),
    ]
    assert dispatch(name, script) == 1


@pytest.mark.parametrize(
    "name", [pytest.param(name, id=name) for name in LEAVING + LOOKING]
)
def test_a_stale_wave_is_demoted_without_a_guard_and_retaken(dispatch, name):
    """The published demotion: no active batch, stale, set to pending, taken again."""
    script = [
        IS_PROCESSING,
        *([(PENDING, 0)] if name in LOOKING else []),
        (ACTIVE, 0),
        ("is_stale(7)", True),
        ("set_wave_status(7, pending)", None),
        (RETAKE, True),
        SELECT_TWO,
        *SEND_TWO,
    ]
    assert dispatch(name, script) == 2


@pytest.mark.parametrize("name", VARIANTS)
def test_a_wave_that_is_not_stale_keeps_its_status(dispatch, name):
    """No active batch but not stale: no demotion; the compare-and-set then fails."""
    script = [
        IS_PROCESSING,
        *([] if name in LEAVING else [(PENDING, 0)]),
        (ACTIVE, 0),
        ("is_stale(7)", False),
        (RETAKE, False),
    ]
    assert dispatch(name, script) == 0


@pytest.mark.parametrize("name", CLAIMING)
@pytest.mark.parametrize("is_demoted", [True, False])
def test_claiming_demotes_only_a_wave_that_still_runs(
    dispatch, published_lines, name, is_demoted
):
    """Its demotion is guarded: a wave completed in between is not reopened."""
    script = [
        IS_PROCESSING,
        (PENDING, 0),
        (ACTIVE, 0),
        ("is_stale(7)", True),
        (DEMOTE_IF, is_demoted),
        (RETAKE, is_demoted),
        *([SELECT_TWO, *CLAIM_TWO] if is_demoted else []),
    ]
    assert dispatch(name, script) == (2 if is_demoted else 0)
    demoted = ("WARNING", "Stale wave demoted to pending")
    logged = [line[:2] for line in published_lines()]
    assert (demoted in logged) is is_demoted


@pytest.mark.parametrize("name", VARIANTS)
def test_a_failed_statement_reaches_the_caller(dispatch, name):
    """A statement that failed ends the call; nothing is tried behind its back."""
    with pytest.raises(StatementFailed, match="deadlock"):
        dispatch(name, [("wave_status(7)", StatementFailed("deadlock"))])


def test_leased_sends_each_attempt_that_it_leased(dispatch):
    """A lease that was refused (attempt 0) sends nothing; the message says which."""
    script = [
        ("wave_status(7)", WaveState.PENDING),
        (RETAKE, True),
        SELECT_TWO,
        ("lease_batch(b1)", 0),
        ("lease_batch(b2)", 3),
        ("enqueue(b2, 3)", None),
    ]
    assert dispatch("leased", script) == 1


# Log lines --------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_dispatched_wave_is_logged_as_published(dispatch, published_lines, name):
    """DEBUG "Wave dispatched successfully" with job, wave and number of batches."""
    sending = CLAIM_TWO if name in CLAIMING else SEND_TWO
    script = [("wave_status(7)", WaveState.PENDING), (RETAKE, True), SELECT_TWO]
    dispatch(name, script + sending)
    assert published_lines() == [
        (
            "DEBUG",
            "Wave dispatched successfully",
            {"job_id": "job", "wave_number": 7, "batches_dispatched": 2},
        )
    ]


@pytest.mark.parametrize("name", LOOKING + CLAIMING)
def test_progressive_batches_are_logged_as_published(dispatch, published_lines, name):
    """INFO before DEBUG, each with the published message and fields."""
    sending = CLAIM_TWO if name in CLAIMING else SEND_TWO
    dispatch(name, [IS_PROCESSING, (PENDING, 35), SELECT_TWO, *sending])
    assert published_lines() == [
        (
            "INFO",
            "Wave processing but has pending batches; dispatching progressive batches",
            {"job_id": "job", "wave_number": 7, "pending_batches": 35},
        ),
        (
            "DEBUG",
            "Wave dispatched successfully",
            {"job_id": "job", "wave_number": 7, "batches_dispatched": 2},
        ),
    ]


@pytest.mark.parametrize("name", LEAVING + LOOKING)
def test_a_demotion_is_logged(dispatch, published_lines, name):
    """WARNING with job and wave, then the line about the (empty) dispatch."""
    script = [
        IS_PROCESSING,
        *([(PENDING, 0)] if name in LOOKING else []),
        (ACTIVE, 0),
        ("is_stale(7)", True),
        ("set_wave_status(7, pending)", None),
        (RETAKE, True),
        ("pending_batches(7)", ()),
    ]
    dispatch(name, script)
    assert published_lines() == [
        (
            "WARNING",
            "Stale wave demoted to pending",
            {"job_id": "job", "wave_number": 7},
        ),
        (
            "DEBUG",
            "Wave dispatched successfully",
            {"job_id": "job", "wave_number": 7, "batches_dispatched": 0},
        ),
    ]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_call_that_does_nothing_logs_nothing(dispatch, published_lines, name):
    """348 idle calls must not fill a log."""
    dispatch(name, [("wave_status(7)", WaveState.PENDING), (RETAKE, False)])
    assert published_lines() == []


# What the variants are --------------------------------------------------------


def test_the_variants_start_with_the_six_of_the_design():
    """Names and order are what reports show."""
    assert list(VARIANTS)[:6] == [
        "original",
        "stalling",
        "premature",
        "progressive",
        "claiming",
        "upfront",
    ]


@pytest.mark.parametrize("name", PUBLISHED)
def test_only_upfront_asks_for_the_upfront_listener(name):
    """Of the six, the others have their derived batches created progressively."""
    expected = "upfront" if name == "upfront" else "progressive"
    assert VARIANTS[name].listener_policy == expected

"""What is gathered of a counterexample: tracks, frames, order, code, words."""

from pathlib import Path

import pytest

from wavecheck import read_schedule
from wavecheck.reports.explanation.playback import playback_of
from wavecheck.scenarios.evidence import Evidence

KEPT = Path(__file__).parents[3] / "replay" / "data"


@pytest.fixture(scope="module")
def stalling():
    """The evidence of the kept schedule that strands a batch."""
    return playback_of(
        Evidence.of(read_schedule(KEPT / "v1-wd-stalling-no_stranded_batch.json"))
    )


def part(frame, name):
    """The state of one part at one moment."""
    return next(one for one in frame if one.name == name)


def test_there_is_a_frame_before_and_after_each_step(stalling):
    """One more frame than steps; each differs from the last where the step changed."""
    for track in (stalling.failing, stalling.passing):
        assert len(track.frames) == len(track.steps) + 1
        for step, before, after in zip(
            track.steps, track.frames, track.frames[1:], strict=False
        ):
            changed = {change.part for change in step.changes}
            differing = {
                one.name
                for one, other in zip(before, after, strict=True)
                if one != other
            }
            assert differing == changed


def test_the_frames_hold_the_tables(stalling):
    """First every batch is absent; at the end batch 0 is pending, for ever."""
    first = part(stalling.failing.frames[0], "batches")
    last = part(stalling.failing.frames[-1], "batches")
    assert first.rows == ((0, "absent", 0), (1, "absent", 0))
    assert last.rows == ((0, "pending", 0), (1, "done", 1))
    assert (last.columns, last.keys) == (("number", "status", "sent"), 1)


def test_the_passing_schedule_ends_well(stalling):
    """In the nearest schedule that passes no batch is left pending."""
    last = part(stalling.passing.frames[-1], "batches")
    assert [row[1] for row in last.rows] == ["done", "done"]


def test_the_order_is_that_of_happens_before(stalling):
    """The read of step 8 comes before the change of step 9 that it did not see."""
    assert (8, 9, "batches 1") in stalling.failing.order


def test_each_step_knows_its_place_in_the_code(stalling):
    """The functions that a task is in, and the line that waits; no path, no number."""
    place = stalling.failing.places[7]
    assert place.functions == ("_listener", "dispatch")
    assert place.lines[place.at].strip() == "if await store.has_batches(DISPATCHED):"
    assert not any("/" in text for text in (*place.functions, *place.lines))


def test_statements_are_told_in_words(stalling):
    """What a statement does, and the names of its arguments."""
    told = stalling.statements["has_batches"]
    assert told.meaning == "Read whether any batch has this status."
    assert told.parameters == ("status",)
    assert stalling.rule == "Leaves a wave alone that is under way."
    assert stalling.is_judged_at_end


def test_tasks_that_have_ended_are_named(stalling):
    """Both listeners are over, and so is the completion of the batch that was sent."""
    assert stalling.failing.ended == ("listener-0", "listener-1", "completion-1")

"""Deadlines end what does not look at them; memory ends work as time does."""

import sys
import time

import pytest

from wavecheck.sim import deadline as deadlines
from wavecheck.sim.deadline import INTERRUPTED_SECONDS, Deadline
from wavecheck.sim.errors import OutOfTime, Overdue
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.memory import LOOKS_EVERY, WORKING_BYTES, Room, held_bytes, size_text

MEGABYTE = 1 << 20


def spin():
    """Ask nobody, and never end."""
    while True:
        pass


@pytest.fixture
def soon(monkeypatch):
    """Whatever is late is ended at the next tick."""
    monkeypatch.setattr(deadlines, "LATE_SECONDS", 0.0)


@pytest.fixture
def full():
    """A room of a megabyte that is full."""
    room = Room(MEGABYTE)
    held = bytearray(WORKING_BYTES + 8 * MEGABYTE)
    for _ in range(LOOKS_EVERY):
        room.look()
    del held
    return room


@pytest.mark.usefixtures("soon")
def test_what_does_not_look_is_ended():
    """A loop that asks nobody ends a moment after the deadline, by what is over."""
    with (
        pytest.raises(Overdue, match=r"the budget of 0\.1 s"),
        Deadline(0.1, time.monotonic).enforced(),
    ):
        spin()


@pytest.mark.usefixtures("soon")
def test_the_outer_deadline_holds_within_the_inner_one():
    """A phase with more time does not take the time of the command away."""
    with (
        pytest.raises(Overdue, match=r"0\.1 s"),
        Deadline(0.1, time.monotonic).enforced(),
        Deadline(60.0, time.monotonic).enforced(),
    ):
        spin()


def test_nothing_is_ended_after_the_block():
    """Work that is done in time is left alone, and so is what follows."""
    with Deadline(0.1, time.monotonic).enforced():
        pass
    ends_at = time.monotonic() + 1.5
    while time.monotonic() < ends_at:
        pass


def test_a_full_room_is_the_end(full):
    """The deadline has come, every share of it has, and an execution ends."""
    deadline = Deadline(60.0, time.monotonic, full)
    assert deadline.is_over()
    assert deadline.seconds_left() == 0.0
    assert deadline.reason() == "the memory limit of 1 MB"
    assert deadline.share(0.5).is_over()
    kernel = Kernel(timed=False)
    with pytest.raises(OutOfTime), Deadline(room=full).watching(kernel):
        kernel.progress(64)


def test_a_room_that_is_large_enough_is_no_end():
    """What is held already does not count, nor what the limit allows."""
    room = Room(64 * MEGABYTE)
    held = bytearray(32 * MEGABYTE)
    assert not any(room.look() for _ in range(4 * LOOKS_EVERY))
    assert not room.is_overfull()
    assert len(held) < held_bytes()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_DATA")
def test_one_huge_allocation_fails_within_the_walls():
    """Where no tick comes in between, the system refuses; later it does not."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with Room(MEGABYTE).walled(), pytest.raises(MemoryError):
        bytearray(2 << 30)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_sizes_are_written_as_people_do():
    """The unit that leaves a short number."""
    sizes = (512, 3 << 10, 1536 << 20, 8 << 30)
    assert [*map(size_text, sizes)] == ["512 bytes", "3 KB", "1.5 GB", "8 GB"]


def test_an_interruption_brings_the_end_near():
    """Whoever has pressed Ctrl-C waits two seconds, not for what was planned."""
    for seconds in (None, 600.0):
        now = [10.0]
        deadline = Deadline(seconds, lambda now=now: now[0])
        deadline.cut_short()
        assert not deadline.is_over()
        now[0] += INTERRUPTED_SECONDS
        assert deadline.is_over()
        assert deadline.reason() == "the interruption"
    late = Deadline(1.0, lambda: 0.0)
    late.cut_short()
    assert late.seconds_left() == 1.0

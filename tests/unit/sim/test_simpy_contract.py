"""What the kernel takes for granted of SimPy 4.1, private names included.

`wavecheck.sim.kernel` puts tasks into `Environment._queue` beside SimPy's events and
draws the numbers that break ties from `Environment._eid`. If one of these tests
fails after an upgrade, the kernel must change with it.
"""

from importlib.metadata import version
from itertools import count

import simpy
from simpy.events import NORMAL, URGENT

from wavecheck.sim.kernel import Kernel


def test_simpy_is_the_version_that_was_read():
    """The private layout below was read in SimPy 4.1."""
    assert version("simpy").split(".")[:2] == ["4", "1"]


def test_the_queue_is_a_heap_of_time_priority_number_event():
    """`_queue` is a plain list of (time, priority, number, event)."""
    environment = simpy.Environment()
    assert environment._queue == []
    assert type(environment._queue) is list
    late, early = environment.timeout(5), environment.timeout(2)
    assert environment._queue == [(2, NORMAL, 1, early), (5, NORMAL, 0, late)]


def test_the_event_numbers_come_from_one_counter():
    """`_eid` is an itertools.count that both SimPy and the kernel draw from."""
    environment = simpy.Environment()
    assert type(environment._eid) is type(count())
    environment.timeout(1)
    assert next(environment._eid) == 1
    environment.timeout(1)
    assert environment._queue[-1][2] == 2


def test_the_priorities_are_the_ones_the_kernel_uses():
    """Ordinary events have priority 1, urgent ones 0."""
    assert (NORMAL, URGENT) == (1, 0)


def test_the_clock_is_now_and_settable_inside():
    """`now` reads `_now`, which `step` sets from the queue's entry."""
    environment = simpy.Environment()
    environment.timeout(3)
    environment.step()
    assert environment.now == environment._now == 3


def test_the_kernel_schedules_into_simpys_own_queue():
    """A task's entry lies in `_queue` with SimPy's layout."""
    kernel = Kernel(latency=lambda operation: 4)
    kernel.timeout(9)

    async def sleeping():
        await kernel.sleep(4)

    task = kernel.spawn(sleeping(), "task")
    assert kernel._queue[0] == (4, NORMAL, 1, task)
    assert kernel._queue[1][:3] == (9, NORMAL, 0)

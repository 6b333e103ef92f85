"""The general parts that shared state is made of, one kind a file.

A part knows nothing of a domain and nothing of tasks. Every mutation writes one change
(part, key, before, after) to the kernel's journal; whatever must react to a change (a
waiting task, a property, a monitor, the trace) reads it there after the step. Parts are
touched inside statements only, so their methods are plain and not atomic by themselves.
"""

from wavecheck.sim.parts.cache import Cache
from wavecheck.sim.parts.counter import Counter
from wavecheck.sim.parts.flag import Flag
from wavecheck.sim.parts.leases import Lease, Leases
from wavecheck.sim.parts.lock import Lock
from wavecheck.sim.parts.part import Change, Part, Watcher
from wavecheck.sim.parts.queue import Queue
from wavecheck.sim.parts.table import Table, UniqueViolation
from wavecheck.sim.parts.timers import Timer, Timers

__all__ = [
    "Cache",
    "Change",
    "Counter",
    "Flag",
    "Lease",
    "Leases",
    "Lock",
    "Part",
    "Queue",
    "Table",
    "Timer",
    "Timers",
    "UniqueViolation",
    "Watcher",
]

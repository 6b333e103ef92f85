"""What code in a world holds of its parts: every method is a step.

So that ordinary statements need not be written down; parts themselves stay plain.
"""

from wavecheck.sim.handles.databases import (
    BusyError,
    DatabaseHandle,
    DeadlockError,
    DuplicateError,
    SerializationError,
    TransactionError,
)
from wavecheck.sim.handles.handle import Handle
from wavecheck.sim.handles.parts import (
    CacheHandle,
    CallsHandle,
    CounterHandle,
    FlagHandle,
    LeaseHandle,
    LockHandle,
    QueueHandle,
    TimerHandle,
)
from wavecheck.sim.handles.tables import (
    TableHandle,
    above,
    at_least,
    at_most,
    below,
    differs,
    one_of,
    plus,
    row_type_of,
)

__all__ = [
    "BusyError",
    "CacheHandle",
    "CallsHandle",
    "CounterHandle",
    "DatabaseHandle",
    "DeadlockError",
    "DuplicateError",
    "FlagHandle",
    "Handle",
    "LeaseHandle",
    "LockHandle",
    "QueueHandle",
    "SerializationError",
    "TableHandle",
    "TimerHandle",
    "TransactionError",
    "above",
    "at_least",
    "at_most",
    "below",
    "differs",
    "one_of",
    "plus",
    "row_type_of",
]

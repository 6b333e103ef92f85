"""What is verified: the protocol of statements, the dispatch rules, the listeners.

Nothing here knows which world it runs in: no simulator, no search, no database driver.
"""

import logging

from wavecheck.coordinator.claiming import Claiming
from wavecheck.coordinator.leased import Leased
from wavecheck.coordinator.listener import (
    DurableListener,
    Listener,
    ProgressiveListener,
    UpfrontListener,
)
from wavecheck.coordinator.original import Original
from wavecheck.coordinator.premature import Premature
from wavecheck.coordinator.progressive import Progressive
from wavecheck.coordinator.protocol import (
    Coordinator,
    Database,
    Deadlock,
    ImportPlan,
    Isolation,
    ListenerDatabase,
    SerializationFailure,
    StatementFailed,
    Statements,
    Transaction,
    WorkerDatabase,
)
from wavecheck.coordinator.stalling import Stalling
from wavecheck.coordinator.states import (
    Batch,
    BatchState,
    Delivery,
    Job,
    JobState,
    Wave,
    WaveKind,
    WaveState,
)
from wavecheck.coordinator.upfront import Upfront

__all__ = [
    "VARIANTS",
    "Batch",
    "BatchState",
    "Claiming",
    "Coordinator",
    "Database",
    "Deadlock",
    "Delivery",
    "DurableListener",
    "ImportPlan",
    "Isolation",
    "Job",
    "JobState",
    "Leased",
    "Listener",
    "ListenerDatabase",
    "Original",
    "Premature",
    "Progressive",
    "ProgressiveListener",
    "SerializationFailure",
    "Stalling",
    "StatementFailed",
    "Statements",
    "Transaction",
    "Upfront",
    "UpfrontListener",
    "Wave",
    "WaveKind",
    "WaveState",
    "WorkerDatabase",
]

# A library stays silent until its user asks for its log.
logging.getLogger(__name__).addHandler(logging.NullHandler())

VARIANTS: dict[str, type[Coordinator]] = {
    "original": Original,
    "stalling": Stalling,
    "premature": Premature,
    "progressive": Progressive,
    "claiming": Claiming,
    "upfront": Upfront,
    "leased": Leased,
}
"""The built-in coordinators by name, in the order in which reports show them."""

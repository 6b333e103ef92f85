"""Does the model tell the truth? Small worlds on the model and on a real database.

`conform` draws worlds and runs each on both, statement by statement, until they
disagree. Here, and nowhere else below the command line, databases are talked to.
"""

from wavecheck.scenarios.conformity.compare import Agreement, Mismatch, run_both
from wavecheck.scenarios.conformity.conforming import (
    ConformResult,
    LevelResult,
    conform,
    open_sessions,
)
from wavecheck.scenarios.conformity.database import (
    DatabaseSessions,
    DatabaseTrouble,
    PatienceLost,
)
from wavecheck.scenarios.conformity.regressions import read_worlds, world_file
from wavecheck.scenarios.conformity.world import SessionStep, TableWorld

__all__ = [
    "Agreement",
    "ConformResult",
    "DatabaseSessions",
    "DatabaseTrouble",
    "LevelResult",
    "Mismatch",
    "PatienceLost",
    "SessionStep",
    "TableWorld",
    "conform",
    "open_sessions",
    "read_worlds",
    "run_both",
    "world_file",
]

"""The exhaustive engine: learn each step once, explore all states as arrays.

Knows kernel, parts, properties and worlds; knows no domain.
"""

from wavecheck.sim.exhaustive.exploration import (
    Counterexample,
    Exploration,
    Progress,
    PropertyResult,
)
from wavecheck.sim.exhaustive.explore import Limits
from wavecheck.sim.exhaustive.prove import explore
from wavecheck.sim.exhaustive.refusal import CannotLearn

__all__ = [
    "CannotLearn",
    "Counterexample",
    "Exploration",
    "Limits",
    "Progress",
    "PropertyResult",
    "explore",
]

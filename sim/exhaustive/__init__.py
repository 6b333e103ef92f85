"""The exhaustive engine: learn each step once, explore all states as arrays.

Knows kernel, parts, properties and worlds; knows no domain.
"""

from sim.exhaustive.exploration import (
    Counterexample,
    Exploration,
    Progress,
    PropertyResult,
)
from sim.exhaustive.explore import Limits
from sim.exhaustive.prove import explore
from sim.exhaustive.refusal import CannotLearn

__all__ = [
    "CannotLearn",
    "Counterexample",
    "Exploration",
    "Limits",
    "Progress",
    "PropertyResult",
    "explore",
]

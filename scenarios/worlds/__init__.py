"""Declaring a world: one plain function that builds parts, tasks and properties."""

from wavecheck.scenarios.worlds.builder import WorldBuilder
from wavecheck.scenarios.worlds.declaration import world

__all__ = ["WorldBuilder", "world"]

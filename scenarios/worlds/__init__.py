"""Declaring a world: one plain function that builds parts, tasks and properties."""

from wavecheck.scenarios.worlds.declaration import declare, world
from wavecheck.sim.worlds import WorldBuilder

__all__ = ["WorldBuilder", "declare", "world"]

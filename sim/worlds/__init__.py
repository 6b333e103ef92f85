"""Building worlds of the engine's general parts, by one plain function."""

from wavecheck.sim.worlds.builder import WorldBuilder

__all__ = ["WorldBuilder"]

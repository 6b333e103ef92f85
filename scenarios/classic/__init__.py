"""The classic ones: small programs that the literature on testing measures with."""

from typing import Final

from scenarios.exhibit import Exhibit

CLASSIC: Final[tuple[Exhibit, ...]] = ()
"""Every classic program, in the order in which reports show them."""

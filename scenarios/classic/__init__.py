"""The classic ones: small programs that the literature on testing measures with."""

from typing import Final

from wavecheck.scenarios.classic import (
    account,
    bluetooth,
    deadlock,
    lazy,
    reorder,
    stack,
    token_ring,
    twostage,
    wronglock,
)
from wavecheck.scenarios.exhibit import Exhibit

CLASSIC: Final[tuple[Exhibit, ...]] = (
    account.EXHIBIT,
    bluetooth.EXHIBIT,
    deadlock.EXHIBIT,
    lazy.EXHIBIT,
    reorder.EXHIBIT,
    stack.EXHIBIT,
    token_ring.EXHIBIT,
    twostage.EXHIBIT,
    wronglock.EXHIBIT,
)
"""Every classic program, in the order in which reports show them."""

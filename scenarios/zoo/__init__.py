"""The zoo: public dispatch faults of other systems, each with its mend, one a file."""

from typing import Final

from scenarios.exhibit import Exhibit
from scenarios.zoo import solid_queue_689

ZOO: Final[tuple[Exhibit, ...]] = (solid_queue_689.EXHIBIT,)
"""Every public fault, in the order in which reports show them."""

"""The zoo: public dispatch faults of other systems, each with its mend, one a file."""

from typing import Final

from scenarios.exhibit import Exhibit, Pattern
from scenarios.zoo import (
    celery_10387,
    cloudtasker_175,
    laravel_ideas_2664,
    plines_44,
    sidekiq_batch_69,
    solid_queue_689,
)

_ROOTS: Final = list(Pattern)


def _order(one: Exhibit) -> int:
    assert one.pattern is not None
    return _ROOTS.index(one.pattern)


ZOO: Final[tuple[Exhibit, ...]] = tuple(
    sorted(
        (
            celery_10387.EXHIBIT,
            cloudtasker_175.EXHIBIT,
            laravel_ideas_2664.EXHIBIT,
            plines_44.EXHIBIT,
            sidekiq_batch_69.EXHIBIT,
            solid_queue_689.EXHIBIT,
        ),
        key=_order,
    )
)
"""Every public fault, by the root of it, then by name."""

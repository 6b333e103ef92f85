"""The zoo: public dispatch faults of other systems, each with its mend, one a file."""

from typing import Final

from scenarios.exhibit import Exhibit, Pattern
from scenarios.zoo import (
    airflow_59378,
    celery_10387,
    cloudtasker_175,
    data_machine_2181,
    data_machine_3519,
    durable_workflow_173,
    good_job_832,
    laravel_48000,
    laravel_ideas_2664,
    plines_44,
    procrastinate_103,
    rq_739,
    sidekiq_batch_29,
    sidekiq_batch_69,
    solid_queue_689,
    trigger_dev_4397,
)

_ROOTS: Final = list(Pattern)


def _order(one: Exhibit) -> int:
    assert one.pattern is not None
    return _ROOTS.index(one.pattern)


ZOO: Final[tuple[Exhibit, ...]] = tuple(
    sorted(
        (
            airflow_59378.EXHIBIT,
            celery_10387.EXHIBIT,
            cloudtasker_175.EXHIBIT,
            data_machine_2181.EXHIBIT,
            data_machine_3519.EXHIBIT,
            durable_workflow_173.EXHIBIT,
            good_job_832.EXHIBIT,
            laravel_48000.EXHIBIT,
            laravel_ideas_2664.EXHIBIT,
            plines_44.EXHIBIT,
            procrastinate_103.EXHIBIT,
            rq_739.EXHIBIT,
            sidekiq_batch_29.EXHIBIT,
            sidekiq_batch_69.EXHIBIT,
            solid_queue_689.EXHIBIT,
            trigger_dev_4397.EXHIBIT,
        ),
        key=_order,
    )
)
"""Every public fault, by the root of it, then by name."""

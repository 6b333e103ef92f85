"""The zoo: public dispatch faults of other systems, each with its fix, one a file."""

from typing import Final

from wavecheck.scenarios.exhibit import Exhibit, Pattern
from wavecheck.scenarios.zoo import (
    airflow_13542,
    airflow_59378,
    awa_unique_rescue,
    bullmq_2554,
    celery_10387,
    celery_results_397,
    cloudtasker_175,
    dagster_28456,
    data_machine_2181,
    data_machine_3519,
    durable_workflow_173,
    good_job_832,
    horizon_1512,
    laravel_37948,
    laravel_38804,
    laravel_48000,
    laravel_ideas_2664,
    oban_1141,
    pg_boss_535,
    plines_44,
    prefect_15952,
    procrastinate_103,
    river_1302,
    rq_739,
    sidekiq_3432,
    sidekiq_batch_29,
    sidekiq_batch_69,
    solid_queue_689,
    solid_queue_761,
    temporal_10321,
    trigger_dev_4397,
)

_ROOTS: Final = list(Pattern)


def _order(one: Exhibit) -> int:
    assert one.pattern is not None
    return _ROOTS.index(one.pattern)


ZOO: Final[tuple[Exhibit, ...]] = tuple(
    sorted(
        (
            airflow_13542.EXHIBIT,
            airflow_59378.EXHIBIT,
            awa_unique_rescue.EXHIBIT,
            bullmq_2554.EXHIBIT,
            celery_10387.EXHIBIT,
            celery_results_397.EXHIBIT,
            cloudtasker_175.EXHIBIT,
            dagster_28456.EXHIBIT,
            data_machine_2181.EXHIBIT,
            data_machine_3519.EXHIBIT,
            durable_workflow_173.EXHIBIT,
            good_job_832.EXHIBIT,
            horizon_1512.EXHIBIT,
            laravel_37948.EXHIBIT,
            laravel_38804.EXHIBIT,
            laravel_48000.EXHIBIT,
            laravel_ideas_2664.EXHIBIT,
            oban_1141.EXHIBIT,
            pg_boss_535.EXHIBIT,
            plines_44.EXHIBIT,
            prefect_15952.EXHIBIT,
            procrastinate_103.EXHIBIT,
            river_1302.EXHIBIT,
            rq_739.EXHIBIT,
            sidekiq_3432.EXHIBIT,
            sidekiq_batch_29.EXHIBIT,
            sidekiq_batch_69.EXHIBIT,
            solid_queue_689.EXHIBIT,
            solid_queue_761.EXHIBIT,
            temporal_10321.EXHIBIT,
            trigger_dev_4397.EXHIBIT,
        ),
        key=_order,
    )
)
"""Every public fault, by the root of it, then by name."""

"""The monitors for production: Prometheus alert rules and SQL probes.

Generated from the thresholds that the simulated monitors have (`sim.pipeline.alerts`),
so that what was tried in virtual time is what runs. Nothing here connects anywhere.
"""

from reports.monitors.prometheus import prometheus_rules
from reports.monitors.sql import DIALECTS, metric_queries, probes, sql_script
from reports.monitors.thresholds import Thresholds

__all__ = [
    "DIALECTS",
    "Thresholds",
    "metric_queries",
    "probes",
    "prometheus_rules",
    "sql_script",
]

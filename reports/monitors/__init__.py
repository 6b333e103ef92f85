"""The monitors for production: Prometheus alert rules and SQL probes.

Generated from the thresholds that the simulated monitors have
(`wavecheck.scenarios.pipeline.alerts`), so that what was tried in virtual time is what
runs. Nothing here connects anywhere.
"""

from wavecheck.reports.monitors.prometheus import prometheus_rules
from wavecheck.reports.monitors.sql import DIALECTS, metric_queries, probes, sql_script
from wavecheck.reports.monitors.thresholds import Thresholds

__all__ = [
    "DIALECTS",
    "Thresholds",
    "metric_queries",
    "probes",
    "prometheus_rules",
    "sql_script",
]

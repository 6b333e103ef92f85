"""The monitors as SQL probes: each selects the waves for which its alert fires now.

The tables are those of the SQL stores: `jobs`, `waves`, `wave_batches`, moments as
timestamps in UTC. `dispatch_calls` is a log of calls, one row for each, in the form of
an incident's calls.csv; who keeps none leaves that probe out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wavecheck.reports.monitors.thresholds import Thresholds, milliseconds_of


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a dialect writes the few things that differ.

    Attributes:
        now: the present moment.
        age: seconds since a moment; `{now}` and `{moment}` are filled in.
        greatest: the later one of two moments of one row.
    """

    now: str
    age: str
    greatest: str


DIALECTS: Final[Mapping[str, _Dialect]] = {
    "postgresql": _Dialect(
        "CURRENT_TIMESTAMP", "EXTRACT(EPOCH FROM ({now} - {moment}))", "GREATEST"
    ),
    "sqlite": _Dialect(
        "'now'", "ROUND((julianday({now}) - julianday({moment})) * 86400, 3)", "MAX"
    ),
}


def probes(
    thresholds: Thresholds, dialect: str, *, now: str | None = None
) -> dict[str, str]:
    """Return one query for each monitor, by name.

    A row is a wave for which the alert fires: job_id, wave_number, value (the age in
    seconds, or the number of calls), batches (how many are pending).

    Args:
        thresholds: when they fire.
        dialect: one of `DIALECTS`.
        now: SQL of the present moment; the database's clock if not given.
    """
    one = DIALECTS[dialect]

    def age(moment: str) -> str:
        return one.age.format(now=now or one.now, moment=moment)

    limit = _number(thresholds.pending_limit_seconds)
    patience = _number(thresholds.not_decreasing_seconds)
    waits = age(f"{one.greatest}(p.oldest, w.updated_at)")
    stands = age(f"{one.greatest}(p.oldest, COALESCE(p.last_sent, p.oldest))")
    return {
        "pending_too_long": f"""\
SELECT w.job_id, w.wave_number, {waits} AS value, p.batches
FROM waves AS w
JOIN (
  SELECT job_id, wave_number, MIN(created_at) AS oldest, COUNT(*) AS batches
  FROM wave_batches
  WHERE status = 'pending'
  GROUP BY job_id, wave_number
) AS p ON p.job_id = w.job_id AND p.wave_number = w.wave_number
WHERE w.status = 'processing' AND {waits} >= {limit}
ORDER BY w.job_id, w.wave_number;
""",
        "pending_not_decreasing": f"""\
SELECT w.job_id, w.wave_number, {stands} AS value, p.batches
FROM waves AS w
JOIN (
  SELECT job_id, wave_number,
    MIN(CASE WHEN status = 'pending' THEN created_at END) AS oldest,
    MAX(dispatched_at) AS last_sent,
    SUM(CASE WHEN status = 'pending' THEN 1 ELSE 0 END) AS batches
  FROM wave_batches
  GROUP BY job_id, wave_number
) AS p ON p.job_id = w.job_id AND p.wave_number = w.wave_number
WHERE w.kind = 'derived' AND p.batches > 0 AND {stands} >= {patience}
ORDER BY w.job_id, w.wave_number;
""",
        "many_dispatch_calls": f"""\
SELECT job_id, wave_number, COUNT(*) AS value, 0 AS batches
FROM dispatch_calls
GROUP BY job_id, wave_number
HAVING COUNT(*) > {thresholds.calls_max}
ORDER BY job_id, wave_number;
""",
    }


def metric_queries() -> dict[str, str]:
    """Return the queries that give a SQL exporter the metrics of the alert rules."""
    return {
        "wave_batches": """\
SELECT b.job_id, b.wave_number, w.kind, b.status, COUNT(*) AS value
FROM wave_batches AS b
JOIN waves AS w ON w.job_id = b.job_id AND w.wave_number = b.wave_number
WHERE w.status <> 'completed'
GROUP BY b.job_id, b.wave_number, w.kind, b.status;
""",
        "wave_processing": """\
SELECT job_id, wave_number, CASE WHEN status = 'processing' THEN 1 ELSE 0 END AS value
FROM waves
WHERE status <> 'completed';
""",
        "wave_dispatch_calls_total": """\
SELECT job_id, wave_number, COUNT(*) AS value
FROM dispatch_calls
GROUP BY job_id, wave_number;
""",
    }


def sql_script(thresholds: Thresholds, dialect: str) -> str:
    """Return all probes and metric queries of one dialect, with comments."""
    what = {
        "pending_too_long": "batches pending in a processing wave for"
        f" {_number(thresholds.pending_limit_seconds)} s",
        "pending_not_decreasing": "pending count of a derived wave has not fallen for"
        f" {_number(thresholds.not_decreasing_seconds)} s",
        "many_dispatch_calls": f"more than {thresholds.calls_max} dispatch calls for"
        " one wave; needs a log of calls",
    }
    parts = [
        "-- Made by `wavecheck alerts`; the thresholds are those of the simulation.\n"
        "-- Each probe selects the waves for which its alert fires now.\n"
    ]
    for name, query in probes(thresholds, dialect).items():
        parts.append(f"-- probe {name}: {what[name]}\n{query}")
    for name, query in metric_queries().items():
        parts.append(f"-- metric {name}\n{query}")
    return "\n".join(parts)


def _number(seconds: float) -> str:
    whole, rest = divmod(milliseconds_of(seconds), 1_000)
    return f"{whole}.{rest:03d}" if rest else str(whole)

"""What a run or a replay on a real database showed, as text and as data."""

from typing import Any

from rich.console import Console

from wavecheck.reports import data
from wavecheck.scenarios.database.replay import DatabaseReplay
from wavecheck.sim.errors import HarnessBug
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.trace import plain

_QUERY = """\
SELECT batch_id, attempt, count(*) FROM dispatch_queue
WHERE sent_at IS NOT NULL GROUP BY batch_id, attempt HAVING count(*) > 1;"""


def print_database_replay(
    console: Console, schedule: Schedule, shown: DatabaseReplay
) -> None:
    """Tell what happened on the database, and what its rows say.

    Raises:
        HarnessBug: the database has answered otherwise than the model.
    """
    console.print(
        f"{shown.server}: {shown.statements_count} statements on"
        f" {shown.connections_count} connections, one for each task"
    )
    if shown.coordinator != schedule.coordinator:
        console.print(
            f"{shown.coordinator} in the order that was recorded with"
            f" {schedule.coordinator}, as far as it goes"
        )
    for one in shown.blocked:
        console.print(
            f"step {one.step}: {one.task}: {one.statement} waits for"
            f" {', '.join(one.waits_for)}"
        )
    if shown.disagreement is not None:
        raise HarnessBug(str(shown.disagreement))
    if shown.overtaken:
        console.print(
            f"followed up to step {len(shown.replayed.steps)}: {shown.overtaken}, which"
            " no client can make a server do"
        )
    console.print("every answer of the database is the model's")
    violations = shown.violations()
    for name, message in violations.items():
        console.print(f"VIOLATED {name} in the database: {message}")
    if shown.sent_twice:
        console.print(f"\n{_QUERY}")
        for batch_id, attempt, count in shown.sent_twice:
            console.print(f" {batch_id} | {attempt} | {count}")
    if not violations:
        console.print("nothing violated")


def database_replay_data(schedule: Schedule, shown: DatabaseReplay) -> dict[str, Any]:
    """Return a replay on a database as plain data."""
    disagreement = shown.disagreement
    return {
        **data.header("replay", schedule.scenario, schedule.settings),
        "coordinator": shown.coordinator,
        "recorded_coordinator": schedule.coordinator,
        "database": {
            "server": shown.server,
            "statements": shown.statements_count,
            "connections": shown.connections_count,
            "blocked": [
                {
                    "step": one.step,
                    "task": one.task,
                    "statement": one.statement,
                    "waits_for": list(one.waits_for),
                }
                for one in shown.blocked
            ],
            "overtaken": shown.overtaken or None,
            "disagreement": None
            if disagreement is None
            else {
                "step": disagreement.step,
                "task": disagreement.task,
                "statement": disagreement.statement,
                "model": plain(disagreement.model),
                "database": plain(disagreement.real),
            },
            "sent_more_than_once": [
                {"batch_id": batch_id, "attempt": attempt, "count": count}
                for batch_id, attempt, count in shown.sent_twice
            ],
        },
        "steps": len(shown.replayed.steps),
        "digest": shown.replayed.digest,
        "violations": shown.violations(),
    }

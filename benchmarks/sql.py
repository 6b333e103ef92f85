"""SQL worlds: executions a second and proofs of workers that claim jobs, on psycopg."""

import gc
from collections.abc import Callable, Iterator
from statistics import median
from time import process_time
from typing import Any, Final

import wavecheck as wc
from benchmarks.table import Bar, Table
from wavecheck.sim.verdict import Outcome

COMMAND: Final = "python -m benchmarks sql"
RATE_MIN: Final = 400
PROOF_SECONDS_MAX: Final = 2.0
SCHEMA: Final = """
CREATE TABLE jobs (
    id int PRIMARY KEY, state text NOT NULL DEFAULT 'queued',
    runs int NOT NULL DEFAULT 0)
"""


def _claim(lock: str) -> Callable[[Any], None]:
    """Return code that selects a job, locks it, updates it and commits."""

    def claim(conn: Any) -> None:
        with conn.transaction():
            found = conn.execute(
                f"SELECT id FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1 {lock}"
            ).fetchone()
            if found is not None:
                conn.execute(
                    "UPDATE jobs SET state = 'done', runs = runs + 1 WHERE id = %s",
                    found,
                )

    return claim


def _at_once(conn: Any) -> None:
    """Claim a job in one statement."""
    with conn.transaction():
        conn.execute(
            "UPDATE jobs SET state = 'done', runs = runs + 1 WHERE id ="
            " (SELECT id FROM jobs WHERE state = 'queued'"
            " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"
        )


@wc.world(
    sizes={"workers": 2, "jobs": 2},
    code={
        "waits": _claim("FOR UPDATE"),
        "skips": _claim("FOR UPDATE SKIP LOCKED"),
        "at-once": _at_once,
    },
)
def claims(w: wc.WorldBuilder) -> None:
    """Workers that each claim one job."""
    db = w.postgresql(SCHEMA, rows={"jobs": [{"id": n} for n in range(w.jobs)]})
    for n in range(w.workers):
        w.task(f"worker-{n}", w.code, db.connect())
    w.never("run twice", "SELECT id FROM jobs WHERE runs > 1")


WORLD: Final = f"{__file__}:claims"


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield executions a second, and the time of proofs."""
    yield _searches(3 if is_quick else 7, executions=100 if is_quick else 400)
    yield _proofs(1 if is_quick else 3)


def _seconds(act: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    began = process_time()
    result = act()
    return process_time() - began, result


def _searches(rounds: int, *, executions: int) -> Table:
    rates: dict[str, list[float]] = {"waits": [], "skips": []}
    for number in range(rounds + 1):
        for code, found in rates.items():
            seconds, result = _seconds(
                lambda code=code, number=number: wc.check(
                    WORLD,
                    code,
                    executions=executions,
                    strategy="random",
                    seed=number,
                )
            )
            assert not result.has_violation()
            if number:  # the first round does not count
                found.append(executions / seconds)
    names = {"waits": "SELECT ... FOR UPDATE", "skips": "... SKIP LOCKED"}
    return Table(
        title="Executions of workers that claim jobs",
        command=COMMAND,
        note="Two workers on psycopg 3, two jobs: select and lock, update, commit."
        f" Seconds of processor time; medians of {rounds} rounds of {executions}"
        " executions in which the rows take turns.",
        columns=("claim", "executions a second"),
        rows=[(names[code], f"{median(found):,.0f}") for code, found in rates.items()],
        bars=[
            Bar(
                text=f"{names[code]}: {median(found):,.0f} executions a second, at"
                f" least {RATE_MIN}",
                is_reached=median(found) >= RATE_MIN,
            )
            for code, found in rates.items()
        ],
    )


def _proofs(rounds: int) -> Table:
    worlds = {
        "select, update; 2 workers": ("skips", 2),
        "one statement; 3 workers": ("at-once", 3),
        "select, update; 3 workers": ("skips", 3),
    }
    times: dict[str, list[float]] = {name: [] for name in worlds}
    states: dict[str, int] = {}
    for number in range(rounds + 1):
        for name, (code, workers) in worlds.items():
            seconds, result = _seconds(
                lambda code=code, workers=workers: wc.prove(
                    WORLD, code, settings={"workers": workers}
                )
            )
            (verdict,) = [v for v in result.verdicts if v.property_name == "run twice"]
            assert verdict.outcome is Outcome.PROVED
            assert result.explored is not None
            states[name] = result.explored.exploration.states
            if number:
                times[name].append(seconds)
    return Table(
        title="Proofs of workers that claim jobs",
        command=COMMAND,
        note="Workers on psycopg 3 with FOR UPDATE SKIP LOCKED, two jobs; no alike"
        " workers merged. Seconds of processor time, the accompanying executions"
        f" included; medians of {rounds} rounds after one that does not count.",
        columns=("claim", "states", "seconds"),
        rows=[
            (name, f"{states[name]:,}", f"{median(found):.2f}")
            for name, found in times.items()
        ],
        bars=[
            Bar(
                text=f"{name}: proved in {median(found):.2f} s, at most"
                f" {PROOF_SECONDS_MAX:g}",
                is_reached=median(found) <= PROOF_SECONDS_MAX,
            )
            for name, found in times.items()
            if worlds[name][1] == 3
        ],
    )

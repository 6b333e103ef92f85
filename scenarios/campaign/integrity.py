"""Whether a results file still holds what was put into it.

Knows the tables of a results file and no campaign. Beside the runs the file keeps, for
each point, how many there are and the sum of their checksums; both grow in the
transaction that adds runs. Reading verifies the structure, the identity and each run.

Complexity: opening a file reads it once, about a second for 200,000 runs.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from wavecheck.sim.errors import InvalidScenario

_TEXT_COLUMNS: Final = ("digest",)
_MASK: Final = (1 << 62) - 1  # the sum of two of them fits into SQLite's integers


def tables_for(columns: Iterable[str]) -> dict[str, str]:
    """Return the statements that make the tables, by name.

    Args:
        columns: what each run measures.
    """
    measured = ", ".join(
        f'"{name}" {"TEXT" if name in _TEXT_COLUMNS else "NUMERIC"}' for name in columns
    )
    refused = "BEGIN SELECT RAISE(ABORT, 'runs are added, never changed'); END"
    return {
        "campaign": "CREATE TABLE campaign (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
        "runs": (
            "CREATE TABLE runs (point INTEGER NOT NULL, seed INTEGER NOT NULL,"
            f" {measured}, PRIMARY KEY (point, seed)) WITHOUT ROWID"
        ),
        "sums": (
            "CREATE TABLE sums (point INTEGER PRIMARY KEY, runs INTEGER NOT NULL,"
            " checksum INTEGER NOT NULL)"
        ),
        "no_update": f"CREATE TRIGGER no_update BEFORE UPDATE ON runs {refused}",
        "no_delete": f"CREATE TRIGGER no_delete BEFORE DELETE ON runs {refused}",
    }


def text_checksum(text: str) -> str:
    """Return a checksum of the identity."""
    return blake2b(text.encode(), digest_size=16).hexdigest()


def run_checksum(point: int, seed: int, row: Sequence[Any]) -> int:
    """Return a checksum of one run, the same before it is stored and after."""
    text = repr((point, seed, *map(_stored, row)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) & _MASK


def _stored(value: Any) -> Any:
    """Return a value as SQLite gives it back: whole numbers as integers, no NaN."""
    if isinstance(value, float):
        if value != value:
            return None
        return int(value) if value.is_integer() else value
    return int(value) if isinstance(value, bool) else value


def note_runs(database: sqlite3.Connection, point: int, checksums: list[int]) -> None:
    """Let the sums of a point grow with the runs that were added to it."""
    if checksums:
        database.execute(
            "INSERT INTO sums VALUES (?, ?, ?) ON CONFLICT (point) DO UPDATE SET"
            " runs = runs + excluded.runs,"
            f" checksum = (checksum + excluded.checksum) & {_MASK}",
            (point, len(checksums), sum(checksums) & _MASK),
        )


def verify_structure(
    database: sqlite3.Connection, path: Path | None, columns: Iterable[str]
) -> None:
    """Refuse a file with other tables or triggers, or with damaged pages.

    Raises:
        InvalidScenario: it is damaged.
    """
    found = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    ).fetchall()
    if dict(found) != tables_for(columns):
        raise damaged(path, "its tables are not as they were made")
    (told,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if told != "ok":
        raise damaged(path, str(told).splitlines()[0])


def verify_runs(database: sqlite3.Connection, path: Path | None, points: int) -> None:
    """Refuse a file whose runs are not those that were added.

    Raises:
        InvalidScenario: it is damaged.
    """
    counted: dict[int, tuple[int, int]] = {}
    for point, seed, *row in database.execute("SELECT * FROM runs"):
        count, total = counted.get(point, (0, 0))
        counted[point] = count + 1, (total + run_checksum(point, seed, row)) & _MASK
    noted = {
        point: (count, total)
        for point, count, total in database.execute("SELECT * FROM sums")
    }
    for point in sorted({*counted, *noted}, key=str):
        if counted.get(point) != noted.get(point) or point not in range(points):
            raise damaged(path, f"the runs of point {point} are not as they were added")


def damaged(path: Path | None, fact: str) -> InvalidScenario:
    """Say that a results file cannot be believed."""
    return InvalidScenario(
        f"{path}: damaged: {fact}\n"
        "likely: a copy that was cut off, a failing disk, or another program's change\n"
        "next: take a copy from before, or run the campaign again into a new file"
    )

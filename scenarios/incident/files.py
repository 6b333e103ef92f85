"""Evidence from files: a table each, as CSV with a header or as JSON lines.

Files are data that people share: what cannot be read is refused with file and line.
Columns go by the mapping's names, as in a database.
"""

import csv
import json
from collections.abc import Mapping as Named
from io import StringIO
from pathlib import Path
from typing import Any, Final

from wavecheck.coordinator.sql import Rows
from wavecheck.scenarios.incident.mapping import Mapping
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import read_text

JSON_LINES: Final = (".jsonl", ".ndjson", ".json")


def read_files(
    files: Named[str, Path | None], job_id: str | None, mapping: Mapping
) -> tuple[str, dict[str, Rows | None]]:
    """Read the rows of one job.

    Args:
        files: by our name of the table; `wave_batches` must be among them.
        job_id: which; None: the only one in the file of batches.
        mapping: how its owner calls the columns.

    Returns:
        The job, and its rows by our names of tables and columns.

    Raises:
        InvalidScenario: a file is missing or malformed, or it has no such job.
    """
    found: dict[str, Rows | None] = {
        name: None if path is None else _rows(name, path, mapping)
        for name, path in files.items()
    }
    batches = found["wave_batches"] or []
    jobs = list(dict.fromkeys(str(row.get("job_id")) for row in batches))
    if job_id is None and len(jobs) == 1:
        job_id = jobs[0]
    if job_id not in jobs:
        raise InvalidScenario(
            f"{files['wave_batches']}: "
            + ("several jobs" if job_id is None else f"there is no job {job_id!r}")
            + f"\n  it has  {', '.join(map(repr, jobs[:5])) or 'none at all'}\n"
            "next: give --job one that is there"
        )
    for rows in found.values():
        if rows is not None:
            rows[:] = [row for row in rows if str(row.get("job_id", job_id)) == job_id]
    return job_id, found


def read_calls(path: Path, job_id: str, mapping: Mapping) -> Rows:
    """Read a call log that belongs to rows from elsewhere.

    Raises:
        InvalidScenario: it is missing or malformed.
    """
    rows = _rows("calls", path, mapping)
    return [row for row in rows if str(row.get("job_id")) == job_id]


def _rows(table: str, path: Path, mapping: Mapping) -> Rows:
    text = read_text(path)
    if path.suffix in JSON_LINES:
        lines = _json_lines(path, text)
    else:
        lines = _csv_lines(path, text)
    names = mapping.names[table]
    rows = []
    for number, line in lines:
        row = {}
        for ours, theirs in names.columns.items():
            if theirs in line:
                row[ours] = line[theirs]
            elif ours in names.required or ours in names.named:
                raise InvalidScenario(
                    f"{path}, line {number}: no {theirs!r} for our {ours!r}\n"
                    f"  it has  {', '.join(map(repr, line))}\n"
                    f"next: name the column under [{table}.columns] in the mapping"
                )
        rows.append(row)
    if not rows and table == "wave_batches":
        raise InvalidScenario(f"{path}: no records, expected at least one")
    return rows


def _csv_lines(path: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(StringIO(text, newline=""), strict=True)
    lines = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise InvalidScenario(
                    f"{path}, line {reader.line_num}: expected"
                    f" {len(reader.fieldnames or [])} cells, as in the first line"
                )
            # An empty cell is how CSV says that there is no value.
            filled = {name: cell if cell != "" else None for name, cell in row.items()}
            lines.append((reader.line_num, filled))
    except csv.Error as error:
        raise InvalidScenario(
            f"{path}, line {reader.line_num}: not CSV: {error}"
        ) from error
    return lines


def _json_lines(path: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    lines = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidScenario(
                f"{path}, line {number}: not JSON: {error}"
            ) from error
        if not isinstance(row, dict):
            raise InvalidScenario(f"{path}, line {number}: expected an object a line")
        lines.append((number, row))
    return lines

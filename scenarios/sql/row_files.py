"""Rows of a table from a CSV file, as PostgreSQL's COPY writes it.

Knows text only: what a value means is for the column to say. A field without quotes
that is empty is NULL; an empty field in quotes is an empty text.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from wavecheck.sim.errors import InvalidScenario

GivenRows = Mapping[str, Iterable[Mapping[str, Any]]]
"""By table: rows, each by column."""

Rows = Mapping[str, Iterable[Mapping[str, Any]] | os.PathLike[str]]
"""The same; or the file that has them."""

_FIELD: Final = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|\Z)')


def read_rows(rows: Rows | None) -> GivenRows:
    """Return rows by table; those of files are read.

    Raises:
        InvalidScenario: a file cannot be read, or is no CSV.
    """
    return {
        table: _file_rows(Path(given)) if isinstance(given, os.PathLike) else given
        for table, given in (rows or {}).items()
    }


def _file_rows(path: Path) -> list[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidScenario(
            f"rows from {path}: {error}\n  expected  a CSV file in UTF-8, its first"
            " line the columns\n"
            r"next: psql -c '\copy (SELECT ... LIMIT 5) TO rows.csv CSV HEADER'"
        ) from error
    records = _records(text, path)
    _, names = next(records, (1, []))
    if not names or not all(names) or len(set(names)) != len(names):
        raise InvalidScenario(
            f"rows from {path}: its first line is not the names of columns\n"
            f"  got       {', '.join(map(str, names)) or 'nothing'}"
        )
    rows: list[Mapping[str, Any]] = []
    for line, values in records:
        if len(values) != len(names):
            raise InvalidScenario(
                f"{path}:{line}: a row that does not fit its header\n"
                f"  expected  {len(names)} values, for {', '.join(map(str, names))}\n"
                f"  got       {len(values)}"
            )
        rows.append(dict(zip(map(str, names), values, strict=True)))
    return rows


def _records(text: str, path: Path) -> Iterator[tuple[int, list[str | None]]]:
    """Yield the line on which each record begins, and its fields."""
    at, line = 0, 1
    while at < len(text):
        began, values, end = line, list[str | None](), ","
        while end == ",":
            found = _FIELD.match(text, at)
            if found is None:
                raise InvalidScenario(
                    f"{path}:{line}: a quote that does not fit\n  expected  a field in"
                    ' quotes whole, with "" for a quote within'
                )
            quoted, bare, end = found.groups()
            values.append(bare or None if quoted is None else quoted.replace('""', '"'))
            line += found[0].count("\n")
            at = found.end()
        yield began, values

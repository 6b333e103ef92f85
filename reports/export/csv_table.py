"""Rows as CSV (RFC 4180), for spreadsheets and everything else."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from wavecheck.scenarios.campaign.store import no_formula


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    r"""Return rows as CSV with a first line of names; lines end in \r\n.

    Args:
        records: of one table, as `to_records()` gives them. None becomes an empty
            cell, a truth value true or false.
    """
    buffer = StringIO(newline="")
    if records:
        writer = csv.DictWriter(buffer, list(records[0]))
        writer.writeheader()
        for record in records:
            writer.writerow({name: _cell(value) for name, value in record.items()})
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return no_formula(value)
    return str(value).lower() if isinstance(value, bool) else value

"""The types of the rows of tables: named tuples, with what is hidden at their end."""

import re
from collections import namedtuple
from functools import lru_cache
from typing import Any, Final

from wavecheck.scenarios.sql.schema import TableSchema


@lru_cache(maxsize=1024)
def row_type_of(table: TableSchema) -> Any:
    """Return the type of a table's rows, with what is hidden at their end."""
    columns = [one.name for one in table.columns]
    return named_rows(table.name, (*columns, "row key", "row position", "row maker"))


@lru_cache(maxsize=1024)
def named_rows(table: str, columns: tuple[str, ...]) -> Any:
    """Return a type of rows; a column with a bad name gets a `_` after it."""
    names: list[str] = []
    for column in columns:
        name = re.sub(r"\W", "_", column).lstrip("_") or "column"
        if not name.isidentifier():
            name = f"column_{name}"
        while name in names or name in _RESERVED:
            name += "_"
        names.append(name)
    return namedtuple(re.sub(r"\W", "_", f"{table}_row"), names)


_RESERVED: Final = frozenset(
    {
        *("count", "index", "False", "None", "True", "and", "as", "assert", "async"),
        *("await", "break", "class", "continue", "def", "del", "elif", "else"),
        *("except", "finally", "for", "from", "global", "if", "import", "in", "is"),
        *("lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try"),
        *("while", "with", "yield"),
    }
)

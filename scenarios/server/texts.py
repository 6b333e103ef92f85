"""What can be said of a statement by its text alone; where in doubt, the worse.

A function may do anything: only those that are known to read are taken for harmless.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_READS: Final = re.compile(r"\s*(select|show|values)\b", re.IGNORECASE)
_KNOWN: Final = re.compile(
    r"\s*(select|insert|update|delete|values|commit|rollback|savepoint|release)\b",
    re.IGNORECASE,
)
_LOCKS: Final = re.compile(
    r"\bfor\s+(no\s+key\s+update|update|key\s+share|share)\b|\binto\b", re.IGNORECASE
)
_CALLED: Final = re.compile(r"([\w.]+)\s*\(")
_PASSES_OVER: Final = re.compile(r"\bskip\s+locked\b|\bpg_\w", re.IGNORECASE)
_LISTED: Final = re.compile(
    r"\s*select\s+(?P<columns>[\w.\s\",*]+?)\s+from\s+\"?(?P<table>\w+)\"?"
    r"(?:\s+(?:as\s+)?(?!where|order|limit|for)\w+)?\s+(?:where|order|limit|for)\b"
    r"(?!.*\bselect\b)",
    re.IGNORECASE | re.DOTALL,
)
_HARMLESS: Final = frozenset(
    {
        *("count", "min", "max", "sum", "avg", "coalesce", "nullif", "lower", "upper"),
        *("length", "exists", "in", "any", "all", "not", "and", "or", "values", "as"),
        *("now", "greatest", "least", "cast", "array", "over", "on", "from", "where"),
        *("select", "abs", "round", "concat", "bool_and", "bool_or", "row", "using"),
        *("having", "union", "join", "lateral", "varchar", "numeric", "char", "by"),
    }
)
"""What may stand before a bracket in a query that does nothing but read."""


@lru_cache(maxsize=4096)
def calls_unknown(text: str) -> bool:
    """Return whether a statement calls a function that may do anything."""
    return not all(one.lower() in _HARMLESS for one in _CALLED.findall(text))


@lru_cache(maxsize=4096)
def reads_only(text: str) -> bool:
    """Return whether a statement only reads, and locks nothing."""
    if not _READS.match(text) or _LOCKS.search(text):
        return False
    return not calls_unknown(text)


@lru_cache(maxsize=4096)
def leaves_nothing(text: str) -> bool:
    """Return whether a session is as before when the transaction is over.

    It changes rows at most: no setting, no lock of the session, no temporary table.
    """
    if not _KNOWN.match(text):
        return False
    # INSERT INTO t (a, b) looks like a call of t
    rest = re.sub(r"(?i)^\s*insert\s+into\s+[\w.\"]+\s*\(", "(", text)
    is_into = _READS.match(text) is not None and re.search(r"(?i)\binto\b", text)
    return not is_into and not calls_unknown(rest)


@lru_cache(maxsize=4096)
def may_pass_over(text: str) -> bool:
    """Return whether what a statement does may depend on what others hold locked.

    Others only wait for them, and find then what is committed.
    """
    return _PASSES_OVER.search(text) is not None or calls_unknown(text)


def tells_rows(text: str, keys: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether the answer to a query says which rows of which table it locks.

    Args:
        text: of the query.
        keys: the columns of each table's primary key.
    """
    found = _LISTED.match(text)
    if found is None:
        return False
    names = [
        one.strip().rpartition(".")[2].strip(' "')
        for one in found["columns"].split(",")
    ]
    key = keys.get(found["table"], ())
    return bool(key) and ("*" in names or all(one in names for one in key))

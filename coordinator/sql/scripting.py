"""The stores' statements as text, with their values in place: for people and psql.

The text is what `SQLStore` sends to PostgreSQL, taken from it in the act, so it cannot
differ from what runs. Connects to nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

from sqlalchemy import JSON, Executable, String, bindparam, insert, literal
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.types import NullType

from wavecheck.coordinator.sql.schema import BATCHES, JOBS, METADATA, WAVES
from wavecheck.coordinator.sql.store import SQLTransaction
from wavecheck.coordinator.states import Batch, Job, Wave

_DIALECT: Final = postgresql.dialect(  # type: ignore[no-untyped-call]  # SQLAlchemy does not say
    paramstyle="named"
)


class _Caught(Exception):
    """Carries a statement out of the store that was about to execute it."""

    def __init__(self, statement: Any, values: Mapping[str, Any]) -> None:
        super().__init__("caught")
        self.statement = statement
        self.values = values


class _Source:
    """Stands for a PostgreSQL database that is never asked."""

    dialect = _DIALECT


class _Catching(SQLTransaction):
    async def _execute(
        self, statement: Executable, values: Mapping[str, Any]
    ) -> NoReturn:
        raise _Caught(statement, values)


async def _never() -> None:
    raise AssertionError("a statement that is only written down waits for nothing")


def statement_text(
    name: str, args: Sequence[Any], *, now: int, stale_after: int, lease: int
) -> str:
    """Return the SQL of one statement of the protocol; "": it sends none.

    Args:
        name: of the method.
        args: of the call.
        now: what the clock shows.
        stale_after: as of `SQLStore`.
        lease: as of `SQLStore`.
    """
    if not hasattr(_Catching, name):
        return ""  # of the queue, a cache, a fault
    source: Any = _Source()
    store = _Catching(
        source,
        clock=lambda: now,
        wait=_never,
        stale_after=stale_after,
        lease=lease,
    )
    try:
        getattr(store, name)(*args).send(None)
    except _Caught as caught:
        return _literal(caught.statement, caught.values)
    except StopIteration:
        return ""
    raise AssertionError(f"{name} waits for something else than a statement")


def tables_text() -> str:
    """Return the SQL that makes the tables."""
    parts: list[str] = []
    for table in METADATA.sorted_tables:
        parts.append(str(CreateTable(table).compile(dialect=_DIALECT)).strip())
        parts += [
            str(CreateIndex(index).compile(dialect=_DIALECT)).strip()
            for index in sorted(table.indexes, key=lambda one: str(one.name))
        ]
    return "".join(f"{_trimmed(part)};\n" for part in parts)


def removal_text() -> str:
    """Return the SQL that removes the tables."""
    names = ", ".join(table.name for table in reversed(METADATA.sorted_tables))
    return f"DROP TABLE {names};\n"


def rows_text(
    jobs: Iterable[Job], waves: Iterable[Wave], batches: Iterable[Batch]
) -> str:
    """Return the SQL that inserts rows."""
    lines = [
        _literal(insert(table).values(_with_text(row._asdict())), {})
        for table, rows in ((JOBS, jobs), (WAVES, waves), (BATCHES, batches))
        for row in rows
    ]
    return "".join(f"{line};\n" for line in lines)


def _with_text(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose list of ids is text, which the server reads as JSON."""
    if "parent_ids" not in row:
        return row
    return {**row, "parent_ids": literal(json.dumps(list(row["parent_ids"])), String())}


def _literal(statement: Any, values: Mapping[str, Any]) -> str:
    def fill(bind: Any) -> None:
        if bind.key in values:
            bind.value = values[bind.key]
            bind.required = False
            bind.callable = None
            if isinstance(bind.type, NullType):
                bind.type = bindparam(None, bind.value).type
        if isinstance(bind.type, JSON):
            bind.value, bind.type = json.dumps(list(bind.value)), String()

    filled: ClauseElement = visitors.cloned_traverse(statement, {}, {"bindparam": fill})
    compiled = filled.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
    return _trimmed(str(compiled))


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\t", "    ").splitlines())

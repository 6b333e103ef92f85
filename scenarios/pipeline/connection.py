"""A DB-API connection in the simulator: each `execute` is one step.

For a coordinator whose statements are its own SQL text. The SQL is run by SQLite, in
memory, on the rows that the simulated tables have at that moment; what it changes there
becomes the step's changes. So everything that watches the tables sees it like any other
step, and every statement is atomic, as in a database in autocommit mode.

Supported: SELECT, INSERT, UPDATE and DELETE on `jobs`, `waves` and `wave_batches`, with
`RETURNING`; INSERT into `dispatch_queue`, which sends a message; the placeholders `?`,
`%s`, `:name` and `%(name)s`; `FOR UPDATE` with `NOWAIT` or `SKIP LOCKED` behind it,
which mean nothing where each statement is alone; `now()`. Not supported, and refused by
name: transactions over several statements, DDL, and whatever SQLite does not know.

Units: moments are text, as SQLite keeps them, in virtual time from 1970 on. In an
untimed run no time passes: SQL that compares moments always sees the same.
"""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from wavecheck.coordinator import (
    Batch,
    BatchState,
    Job,
    JobState,
    Wave,
    WaveKind,
    WaveState,
)
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.blocking import wait_for
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Table

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOMENTS: Final = (
    "updated_at",
    "created_at",
    "dispatched_at",
    "completed_at",
    "lease_until",
)
_TYPES: Final[dict[tuple[str, str], type[Any]]] = {
    ("jobs", "status"): JobState,
    ("waves", "status"): WaveState,
    ("waves", "kind"): WaveKind,
    ("waves", "is_sealed"): bool,
    ("wave_batches", "status"): BatchState,
}
_ROWS: Final[dict[str, Any]] = {"jobs": Job, "waves": Wave, "wave_batches": Batch}
_KEYS: Final = {
    "jobs": "PRIMARY KEY (job_id)",
    "waves": "PRIMARY KEY (job_id, wave_number)",
    "wave_batches": "PRIMARY KEY (batch_id)",
}
_LOCKING: Final = re.compile(
    r"\s+FOR\s+(NO\s+KEY\s+)?UPDATE(\s+(NOWAIT|SKIP\s+LOCKED))?", re.IGNORECASE
)
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s|%s|%%|'(?:[^']|'')*'")
_REFUSED: Final = re.compile(
    r"^\s*(BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET|CREATE|DROP|ALTER|PRAGMA"
    r"|ATTACH|VACUUM|TRUNCATE)\b",
    re.IGNORECASE,
)
_CLOCKS: Final = re.compile(r"\bCURRENT_(TIMESTAMP|TIME|DATE)\b", re.IGNORECASE)


class DatabaseError(Exception):
    """As DB-API 2.0 calls it: SQL that the database refuses."""


def connect_to(store: PipelineStore) -> "Connection":
    """Return a connection to the simulated tables."""
    return Connection(_SQL(store))


class _SQL:
    """Runs SQL on the simulated tables, one statement a step."""

    def __init__(self, store: PipelineStore) -> None:
        self._store = store
        self._tables: dict[str, Table[Any]] = {
            "jobs": store.jobs,
            "waves": store.waves,
            "wave_batches": store.batches,
        }

    @statement
    def execute(self, sql: str, parameters: Any) -> tuple[Any, ...]:
        """Run one SQL statement.

        Returns:
            The names of the columns, the rows, and how many rows were changed.
        """
        memory = sqlite3.connect(":memory:", isolation_level=None)
        try:
            self._fill(memory)
            cursor = memory.execute(*_for_sqlite(sql, parameters))
            rows = tuple(map(tuple, cursor.fetchall()))
            names = tuple(one[0] for one in cursor.description or ())
            count = cursor.rowcount if cursor.rowcount >= 0 else len(rows)
            changed = self._read(memory)
        except sqlite3.Error as error:
            raise DatabaseError(f"{error}\n  in  {sql}") from error
        finally:
            memory.close()
        self._apply(*changed)
        return names, rows, count

    def _fill(self, memory: sqlite3.Connection) -> None:
        now = _moment(int(self._store._kernel.now))
        memory.create_function("now", 0, lambda: now)
        for name in ("random", "datetime", "date", "time", "julianday", "strftime"):
            memory.create_function(name, -1, _refuse_chance)
        for name, row_type in _ROWS.items():
            columns = ", ".join(row_type._fields)
            memory.execute(f"CREATE TABLE {name} ({columns}, {_KEYS[name]})")
            marks = ", ".join("?" * len(row_type._fields))
            memory.executemany(
                f"INSERT INTO {name} VALUES ({marks})",
                [_to_sqlite(row) for row in self._tables[name]],
            )
        memory.execute(
            "CREATE TABLE dispatch_queue (message_id INTEGER PRIMARY KEY, batch_id,"
            " attempt DEFAULT 0, sent_at, taken_at)"
        )

    def _read(self, memory: sqlite3.Connection) -> tuple[dict[str, Any], list[Any]]:
        rows = {
            name: [
                _from_sqlite(name, row_type, row)
                for row in memory.execute(f"SELECT * FROM {name}")
            ]
            for name, row_type in _ROWS.items()
        }
        sent = memory.execute(
            "SELECT batch_id, attempt FROM dispatch_queue ORDER BY message_id"
        )
        return rows, sent.fetchall()

    def _apply(self, rows: dict[str, list[Any]], sent: list[tuple[str, int]]) -> None:
        """Make the simulated tables equal to what SQLite has."""
        for name, table in self._tables.items():
            before = {table.key_of(row): row for row in table}
            after = {table.key_of(row): row for row in rows[name]}
            for key in before:
                if key not in after:
                    table.delete(key)
            for key, row in after.items():
                if key not in before:
                    table.insert(row)
                elif row != before[key]:
                    free = table.free_columns
                    table.update(key, **{one: getattr(row, one) for one in free})
        for batch_id, attempt in sent:
            self._store._send(batch_id, attempt)


class Connection:
    """A DB-API connection in autocommit mode: commit does nothing."""

    autocommit = True

    def __init__(self, sql: _SQL) -> None:
        self._sql = sql

    def cursor(self) -> "Cursor":
        """Return a cursor."""
        return Cursor(self._sql)

    def execute(self, sql: str, parameters: Any = ()) -> "Cursor":
        """Execute a statement on a cursor of its own, as sqlite3 and psycopg offer."""
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        """Do nothing: each statement is committed by itself."""

    def rollback(self) -> None:
        """Refuse: what was done is committed.

        Raises:
            CoordinatorError: always.
        """
        raise _unsupported("rollback", "a transaction over several statements")

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if error is not None and not isinstance(error, CoordinatorError):
            self.rollback()


class Cursor:
    """A DB-API cursor."""

    arraysize = 1

    def __init__(self, sql: _SQL) -> None:
        self._sql = sql
        self._rows: list[Any] = []
        self.rowcount = -1
        self.description: list[tuple[Any, ...]] | None = None

    def execute(self, sql: str, parameters: Any = ()) -> "Cursor":
        """Execute one statement: one step."""
        refused = _REFUSED.match(sql)
        if refused is not None:
            raise _unsupported(refused.group(1).upper(), sql)
        clock = _CLOCKS.search(sql)
        if clock is not None:
            raise _unsupported(clock.group(0).upper(), f"{sql}\n  use       now()")
        given = parameters
        if not isinstance(parameters, Mapping):
            given = tuple(parameters)
        names, rows, self.rowcount = wait_for(self._sql.execute(sql, _frozen(given)))
        self._rows = list(rows)
        self.description = [(name, *[None] * 6) for name in names] or None
        return self

    def executemany(self, sql: str, many: Sequence[Any]) -> None:
        """Execute a statement for each set of parameters: a step each."""
        for parameters in many:
            self.execute(sql, parameters)

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows."""
        count = self.arraysize if size is None else size
        taken, self._rows = self._rows[:count], self._rows[count:]
        return taken

    def fetchall(self) -> list[Any]:
        """Return the rest of the rows."""
        taken, self._rows = self._rows, []
        return taken

    def __iter__(self) -> Iterator[Any]:
        while self._rows:
            yield self._rows.pop(0)

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def _unsupported(what: str, sql: str) -> CoordinatorError:
    return CoordinatorError(
        f"the simulator's DB-API connection does not know {what}\n"
        f"  in        {sql.strip()}\n"
        "  expected  SELECT, INSERT, UPDATE or DELETE, each committed by itself\n"
        "next: docs/production.md says what it knows"
    )


def _frozen(parameters: Any) -> Any:
    """Return parameters as an immutable value, for schedules."""
    if isinstance(parameters, Mapping):
        return tuple(sorted(parameters.items()))
    return parameters


def _for_sqlite(sql: str, parameters: Any) -> tuple[str, Any]:
    """Return SQL and parameters as SQLite wants them."""
    sql = _LOCKING.sub("", sql)
    if "%" in sql:

        def mark(found: re.Match[str]) -> str:
            if found.group(0) == "%%":
                return "%"
            if found.group(1):
                return f":{found.group(1)}"
            return "?" if found.group(0) == "%s" else found.group(0)

        sql = _PLACEHOLDER.sub(mark, sql)
    is_named = bool(parameters) and all(
        isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str)
        for one in parameters
    )
    return sql, dict(parameters) if is_named else parameters


def _refuse_chance(*args: object) -> None:
    raise CoordinatorError("SQL that reads a clock or draws at random; use now()")


def _moment(ticks: int) -> str:
    moment = _EPOCH + timedelta(microseconds=ticks)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _to_sqlite(row: Any) -> list[Any]:
    values = []
    for name, value in row._asdict().items():
        if name in _MOMENTS and value is not None:
            value = _moment(value)
        elif isinstance(value, tuple):
            value = json.dumps(value)
        values.append(value if not isinstance(value, str) else str(value))
    return values


def _from_sqlite(table: str, row_type: Any, row: Sequence[Any]) -> Any:
    values = []
    for name, value in zip(row_type._fields, row, strict=True):
        if name in _MOMENTS and value is not None:
            moment = datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
            value = (moment - _EPOCH) // _MICROSECOND
        elif name == "parent_ids":
            value = tuple(json.loads(value or "[]"))
        elif name == "attempt" and value is None:
            value = 0
        elif (table, name) in _TYPES:
            value = _TYPES[table, name](value)
        values.append(value)
    return row_type(*values)

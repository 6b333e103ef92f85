"""SQLite itself as the evaluator of SQLite's SQL: rows in, a statement, rows out.

An engine is a database in memory, made by the user's own DDL; it keeps no state of a
world. A statement is performed on the rows that it is given, and undone; so types,
constraints and functions are SQLite's own. What depends on a clock asks the world's;
what draws or asks for the connection's past is refused.

A statement that fails may leave something: OR FAIL what it had changed before, OR
ROLLBACK ends the transaction, and what is undone was written nevertheless. So it is
performed once more with triggers that note each changed row.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from wavecheck.scenarios.sql.parsing import NotModelled, refusal
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.sim.errors import InvalidScenario

Rows = dict[int, tuple[Any, ...]]
"""The rows of a table by their rowid."""

_CLOCKS: Final = ("date", "time", "datetime", "julianday", "unixepoch", "strftime")
_REFUSED: Final = frozenset(
    {
        *("random", "randomblob", "changes", "total_changes", "load_extension"),
    }
)
_MOMENTS: Final = {
    "current_timestamp": "%Y-%m-%d %H:%M:%S",
    "current_date": "%Y-%m-%d",
    "current_time": "%H:%M:%S",
}
_SEQUENCE: Final = "sqlite_sequence"
_WRITES: Final = (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)
_FAMILIES: Final = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "23505",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "23505",
    sqlite3.SQLITE_CONSTRAINT_ROWID: "23505",
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "23502",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "23514",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "23503",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a statement reads and writes.

    Attributes:
        tables: whose rows it depends on, in alphabetical order.
        writes: those that it may change.
        moves: it sets rowids, or joins; then it writes a row even where that stays.
    """

    tables: tuple[str, ...]
    writes: tuple[str, ...]
    moves: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a statement gives.

    Attributes:
        columns: names; empty: it returns no rows.
        rows: that it returns.
        affected: how many it changed; -1: it does not say.
        after: the rows of each table that it may have changed; if it failed, that it
            has changed.
        last_rowid: of the row that was inserted last.
        error: why it failed.
        has_written: it had changed a row before it failed, which may be undone.
        ends_transaction: it has rolled its transaction back.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    affected: int = -1
    after: Mapping[str, Rows] = field(default_factory=dict)
    last_rowid: int = 0
    error: SQLError | None = None
    has_written: bool = False
    ends_transaction: bool = False


class SQLiteEngine:
    """A database in memory.

    Args:
        ddl: makes its tables.

    Attributes:
        columns: of each table, by name.

    Raises:
        InvalidScenario: SQLite refuses the DDL, or it makes what is not modelled.
    """

    def __init__(self, ddl: str) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._helper = sqlite3.connect(":memory:")
        self._now = datetime(2000, 1, 1)  # noqa: DTZ001 - SQLite's moments have no zone
        self._last_rowid = 0
        try:
            self._connection.executescript(ddl)
        except sqlite3.Error as error:
            raise InvalidScenario(f"schema: SQLite says: {error}") from error
        self.columns: dict[str, tuple[str, ...]] = {}
        self._rowids: set[tuple[str, str]] = set()
        for kind, name, sql in self._connection.execute(
            "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
        ).fetchall():
            self._declare(kind, name, sql or "")
        self._loaded: dict[str, Rows] = {name: {} for name in self.columns}
        for name in _CLOCKS:
            self._connection.create_function(name, -1, self._clock(name))
        for name, form in _MOMENTS.items():
            self._connection.create_function(name, 0, self._moment(form))
        self._connection.create_function(
            "last_insert_rowid", 0, lambda: self._last_rowid
        )
        self._touched: dict[tuple[str, int], Touched] = {}
        self._noted: list[int] = []
        self._connection.create_function("row_was_changed", 1, self._noted.append)

    def _declare(self, kind: str, name: str, sql: str) -> None:
        words = sql.upper()
        if kind in ("trigger", "view"):
            raise refusal(NotModelled(f"a {kind} in SQLite's schema"), sql)
        for word in ("WITHOUT ROWID", "DEFERRABLE", "VIRTUAL TABLE"):
            if word in words and kind == "table":
                raise refusal(NotModelled(word), sql)
        if kind == "table":
            found = self._connection.execute(
                "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden = 0",
                (name,),
            ).fetchall()
            self.columns[name] = tuple([one for one, _, _ in found])
            keys = [(one, of) for one, of, place in found if place]
            if len(keys) == 1 and keys[0][1].upper() == "INTEGER":
                self._rowids.add((name, keys[0][0]))

    def _clock(self, name: str) -> Any:
        def moment(*arguments: Any) -> Any:
            now = self._now.isoformat(sep=" ")
            given = [now if one == "now" else one for one in arguments]
            if not given or (name == "strftime" and len(given) == 1):
                given.append(now)
            marks = ", ".join("?" * len(given))
            return self._helper.execute(f"SELECT {name}({marks})", given).fetchone()[0]

        return moment

    def _moment(self, form: str) -> Any:
        return lambda: self._now.strftime(form)

    def touched(self, sql: str, params: Mapping[str, Any]) -> Touched:
        """Return what a statement reads and writes.

        Raises:
            InvalidScenario: it does what is not modelled.
            SQLError: SQLite refuses it.
        """
        known = self._touched.get((sql, len(params)))
        if known is not None:
            return known
        reads: set[str] = set()
        writes: set[str] = set()
        refused: list[str] = []
        moved: list[bool] = []

        def authorize(action: int, one: Any, two: Any, *rest: Any) -> int:
            if action in _WRITES:
                writes.add(one)
                moved.append((one, two) in self._rowids)
            elif action == sqlite3.SQLITE_READ:
                reads.add(one)
            elif action == sqlite3.SQLITE_FUNCTION:
                if two.lower() in _REFUSED:
                    refused.append(f"{two}()")
            elif action not in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
                refused.append(f"what SQLite calls action {action}")
            return sqlite3.SQLITE_OK

        self._connection.set_authorizer(authorize)
        try:
            self._connection.execute(f"EXPLAIN {sql}", params)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _failed(error) from None
        finally:
            self._connection.set_authorizer(None)
        if refused:
            raise refusal(NotModelled(refused[0]), sql)
        tables = set(self.columns)
        if writes & tables and _SEQUENCE in tables:
            writes.add(_SEQUENCE)
        needed = (reads | writes) & tables
        found = self._touched[sql, len(params)] = Touched(
            tables=tuple(sorted(needed)),
            writes=tuple(sorted(writes & tables)),
            moves=any(moved) or _is_joined(sql),
        )
        return found

    def perform(
        self,
        sql: str,
        params: Mapping[str, Any],
        given: Mapping[str, Rows],
        *,
        now: datetime,
        last_rowid: int,
    ) -> Done:
        """Perform a statement on some rows, and undo it.

        Args:
            sql: one statement, its parameters written `$1`, `$2`, ...
            params: their values by number.
            given: the rows of the tables that it depends on.
            now: for what asks for the time.
            last_rowid: for `last_insert_rowid()`.

        Returns:
            What it gives; if it fails, the error and what it leaves.
        """
        connection = self._connection
        writes = self.touched(sql, params).writes
        self._now, self._last_rowid = now.replace(tzinfo=None), last_rowid
        for name in sorted(given, key=lambda one: one == _SEQUENCE):
            self._load(name, given[name])
        connection.execute("SAVEPOINT performed")
        try:
            cursor = connection.execute(sql, params)
            rows_found = tuple(cursor.fetchall())
            described = cursor.description or ()
            after = {name: self._rows(name) for name in writes}
            return Done(
                columns=tuple([one[0] for one in described]),
                rows=rows_found,
                affected=cursor.rowcount if writes else -1,
                after=after,
                last_rowid=(
                    (cursor.lastrowid or 0)
                    if _has_inserted(sql, given, after)
                    else last_rowid
                ),
            )
        except (sqlite3.Error, sqlite3.Warning) as error:
            failed = _failed(error)
            if not writes:
                return Done(last_rowid=last_rowid, error=failed)
        finally:
            self._undo()
        left = self._left_by(sql, params, given)
        return replace(left, last_rowid=left.last_rowid or last_rowid, error=failed)

    def _left_by(
        self, sql: str, params: Mapping[str, Any], given: Mapping[str, Rows]
    ) -> Done:
        """Perform a statement that fails once more; return what it leaves."""
        connection, touched = self._connection, self.touched(sql, params)
        self._noted.clear()
        connection.execute("SAVEPOINT performed")
        try:
            for name in touched.writes:
                for trigger in self._noting(name, is_any=touched.moves):
                    connection.execute(trigger)
            with suppress(sqlite3.Error, sqlite3.Warning):
                connection.execute(sql, params).fetchall()
            after = {name: self._rows(name) for name in touched.writes}
            return Done(
                after={
                    name: rows for name, rows in after.items() if rows != given[name]
                },
                last_rowid=next(filter(None, reversed(self._noted)), 0),
                has_written=bool(self._noted),
                ends_transaction=not connection.in_transaction,
            )
        finally:
            self._undo()

    def _noting(self, table: str, *, is_any: bool) -> Iterator[str]:
        """Yield triggers that note the rows that a statement changes in a table.

        Args:
            table: which.
            is_any: also a row whose content stays is written.
        """
        if table == _SEQUENCE:
            return
        differ = " OR ".join(
            f'OLD."{one}" IS NOT NEW."{one}"' for one in self.columns[table]
        )
        whens = {"INSERT": "1", "DELETE": "1", "UPDATE": "1" if is_any else differ}
        for number, (event, when) in enumerate(whens.items()):
            rowid = "NEW.rowid" if event == "INSERT" else "0"
            yield (
                f'CREATE TEMP TRIGGER "noting {table} {number}" AFTER {event}'
                f' ON main."{table}" WHEN {when}'
                f" BEGIN SELECT row_was_changed({rowid}); END"
            )

    def _undo(self) -> None:
        """Undo what was performed, unless the statement has done so itself."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK TO performed")
            self._connection.execute("RELEASE performed")

    def _rows(self, table: str) -> Rows:
        found = self._connection.execute(f'SELECT rowid, * FROM "{table}"')
        return {row[0]: row[1:] for row in found}

    def _load(self, table: str, rows: Rows) -> None:
        """Put rows into a table, as far as they are not there."""
        # SQLite moves its sequences by itself while other tables are loaded.
        loaded = self._loaded[table] if table != _SEQUENCE else self._rows(table)
        if loaded == rows:
            return
        run = self._connection.execute
        gone = [key for key, row in loaded.items() if rows.get(key) != row]
        for key in gone:
            run(f'DELETE FROM "{table}" WHERE rowid = ?', (key,))
        names = ", ".join(f'"{one}"' for one in self.columns[table])
        marks = ", ".join("?" * len(self.columns[table]))
        for key, row in rows.items():
            if loaded.get(key) != row:
                run(
                    f'INSERT INTO "{table}" (rowid, {names}) VALUES (?, {marks})',
                    (key, *row),
                )
        self._loaded[table] = dict(rows)


def _is_joined(sql: str) -> bool:
    """Return whether a statement is UPDATE ... FROM, whatever is in parentheses."""
    before, text = "", sql.upper()
    while before != text:
        before, text = text, re.sub(r"\([^()]*\)", "", text)
    return bool(re.match(r"\s*UPDATE\b.*\bFROM\b", text, re.DOTALL))


def _has_inserted(
    sql: str, before: Mapping[str, Rows], after: Mapping[str, Rows]
) -> bool:
    """Return whether a statement has inserted a row; REPLACE may keep its number."""
    is_replaced = before != after and re.search(r"\bREPLACE\b", sql, re.IGNORECASE)
    return bool(is_replaced) or any(
        rows.keys() - before.get(name, {}).keys()
        for name, rows in after.items()
        if name != _SEQUENCE
    )


def _failed(error: Exception) -> SQLError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    is_constraint = code & 0xFF == sqlite3.SQLITE_CONSTRAINT
    return SQLError(
        _FAMILIES.get(code, "23000" if is_constraint else "42601"), str(error)
    )


@lru_cache(maxsize=32)
def engine_of(ddl: str) -> SQLiteEngine:
    """Return the engine for some DDL; the same text gives the same one."""
    return SQLiteEngine(ddl)

"""The database in which worlds are searched: made once, set back in a millisecond.

What an execution starts from is kept in a schema beside the tables; a function puts it
back: it empties the tables, fills them, and sets the sequences. TRUNCATE would cost
thirty times as much (4 to 10 ms against 0.15 ms), and a new database from a template a
thousand times; it is done now and then only, so that tables stay a page or two long.
Triggers and foreign keys do not act while rows are put back.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import psycopg
from psycopg import sql

from wavecheck.coordinator.sql import DatabaseUnusable
from wavecheck.scenarios.server.place import DATABASE, OwnPlace
from wavecheck.scenarios.server.watching import terminate
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.surroundings import RUNNING

KEPT: Final = "wavecheck_start"
"""The schema beside the tables; no statement of the code under test names it."""

TRUNCATE_EVERY: Final = 32
"""So many executions leave a few hundred dead rows."""

_PINS: Final = {
    "synchronous_commit": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # Who is the victim of a deadlock is for the search to say, not for time.
    "deadlock_timeout": "100s",
}
_TABLES: Final = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum),
       array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.oid, c.relname ORDER BY c.oid
"""
_KEYS: Final = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
WHERE n.nspname = 'public' AND i.indisprimary GROUP BY c.relname
"""
_SEQUENCES: Final = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'S' ORDER BY c.oid
"""
_SHAPE: Final = """
SELECT count(*), coalesce(max(oid::bigint), 0) FROM pg_class WHERE relnamespace =
(SELECT oid FROM pg_namespace WHERE nspname = 'public')
"""


Committed = tuple[dict[str, tuple[str, ...]], tuple[str, ...]]
"""The rows of each table as JSON, and the sequences, each as text."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """What executions of a world start from.

    Attributes:
        key: what it was made of.
        tables: their columns, by name.
        filled: of each table the columns that can be given.
        sequences: names.
        keys: the columns of each table's primary key.
        ddl: of the schema.
        rows: that were given.
        isolation: level of the sessions.
        committed: rows and sequences, as `WorldPlace.committed` reads them.
    """

    key: tuple[Any, ...]
    tables: Mapping[str, tuple[str, ...]]
    filled: Mapping[str, tuple[str, ...]]
    sequences: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]]
    ddl: str
    rows: Mapping[str, list[Mapping[str, Any]]]
    isolation: str
    committed: Committed = field(default=({}, ()))


class WorldPlace:
    """A database of our own for worlds, and the connections to it.

    Args:
        url: of the server.

    Attributes:
        control: a connection beside those of the tasks.
        is_exact: empty tables by TRUNCATE each time, so that rows lie as they did.

    Raises:
        DatabaseUnusable: the server cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._place = OwnPlace(url, DATABASE)
        self.is_exact = False
        self._starts: dict[tuple[Any, ...], Start] = {}
        self._current: tuple[Any, ...] | None = None
        self._resets_count = 0
        self._shape: Any = None
        self._spare: list[Any] = []
        self._opened: list[Any] = []
        self._state_text = ""
        self._user: Any = None
        try:
            self._pin()
            self.control = self._place.connect()
            self.control.prepare_threshold = None
            self.control.execute("SET lock_timeout TO '20s'")  # never wait for ever
        except BaseException:
            self._place.close()
            raise

    @property
    def name(self) -> str:
        """Name of the database."""
        return self._place.name

    def _pin(self) -> None:
        run = self._place.keeping.execute
        name = sql.Identifier(self._place.name)
        for setting, value in _PINS.items():
            self._set(name, setting, value)
        try:
            run("SET session_replication_role = replica")
            run("RESET session_replication_role")
        except psycopg.errors.InsufficientPrivilege as error:
            raise _no_right("session_replication_role") from error

    def _set(self, name: sql.Identifier, setting: str, value: str) -> None:
        text = sql.SQL("ALTER DATABASE {} SET {} TO {}")
        try:
            self._place.keeping.execute(
                text.format(name, sql.Identifier(setting), sql.Literal(value))
            )
        except psycopg.errors.InsufficientPrivilege as error:
            raise _no_right(setting) from error

    # What executions start from -----------------------------------------------------

    def begin(
        self,
        ddl: str,
        rows: Mapping[str, Iterable[Mapping[str, Any]]],
        isolation: str,
    ) -> Start:
        """Make the tables and the rows that executions start from.

        Raises:
            InvalidScenario: the server refuses the schema or a row.
        """
        given: dict[str, list[Mapping[str, Any]]] = {
            table: [dict(one) for one in some] for table, some in rows.items()
        }
        key = (ddl, repr(given), isolation)
        if key not in self._starts:
            self._starts[key] = self._build(key, ddl, given, isolation)
        return self._starts[key]

    def _build(
        self,
        key: tuple[Any, ...],
        ddl: str,
        rows: Mapping[str, list[Mapping[str, Any]]],
        isolation: str,
    ) -> Start:
        if self._user is not None:
            self._user.leave()
            self._user = None
        self._close_all()
        self._current = None
        run = self.control.execute
        run(f"DROP SCHEMA IF EXISTS public, {KEPT} CASCADE; CREATE SCHEMA public")
        run(f"CREATE SCHEMA {KEPT}")
        self._set(sql.Identifier(self.name), "default_transaction_isolation", isolation)
        try:
            run(ddl)
            for table, some in rows.items():
                for row in some:
                    self.insert(table, row)
        except psycopg.Error as error:
            raise InvalidScenario(
                f"PostgreSQL refuses the schema or its rows: {_said(error)}\n"
                "next: try the same text in psql"
            ) from error
        tables = run(_TABLES).fetchall()
        sequences = tuple(name for (name,) in run(_SEQUENCES).fetchall())
        start = Start(
            key=key,
            tables={name: tuple(columns) for name, columns, _ in tables},
            filled={name: tuple(filled) for name, _, filled in tables},
            sequences=sequences,
            keys={name: tuple(key) for name, key in run(_KEYS).fetchall()},
            ddl=ddl,
            rows=rows,
            isolation=isolation,
        )
        self._keep(start)
        self._current = key
        self._state_text = _state_text(start)
        self._shape = run(_SHAPE).fetchone()
        self.reset(start)
        return replace(start, committed=self.committed(start))

    def _keep(self, start: Start) -> None:
        """Keep rows and sequences as they are, and a function that puts them back."""
        quick, exact = [], []
        names = [_quoted(one) for one in start.tables]
        if names:
            exact.append(f"TRUNCATE {', '.join(names)}")
        for name, columns in start.filled.items():
            table, listed = _quoted(name), ", ".join(map(_quoted, columns))
            kept = f"{KEPT}.{table}"
            self._run(f"CREATE TABLE {kept} AS TABLE {table}")
            self._run(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
            quick.append(f"DELETE FROM {table}")
            fill = (
                f"INSERT INTO {table} ({listed}) OVERRIDING SYSTEM VALUE"
                f" SELECT {listed} FROM {kept} ORDER BY ctid"
            )
            quick.append(fill)
            exact.append(fill)
        for name in start.sequences:
            found = self._run(f"SELECT last_value, is_called FROM {_quoted(name)}")
            value, is_called = found.fetchone()
            # setval's first argument is text that is read as a name
            put = f"PERFORM setval('{_quoted(name)}', {value}, {is_called})"
            quick.append(put)
            exact.append(put)
        for way, statements in (("reset", quick), ("reset_exactly", exact)):
            body = ";\n".join([*statements, "NULL"])
            self._run(
                f"CREATE FUNCTION {KEPT}.{way}() RETURNS void LANGUAGE plpgsql"
                f" SET session_replication_role = replica"
                f" SET search_path = public AS $wavecheck$ BEGIN {body};"
                " END $wavecheck$"
            )

    def _run(self, text: str) -> Any:
        return self.control.execute(text)

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row."""
        names = sql.SQL(", ").join(sql.Identifier(one) for one in row)
        values = sql.SQL(", ").join(sql.Placeholder() * len(row))
        text = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})")
        if not row:
            text = sql.SQL("INSERT INTO {} DEFAULT VALUES")
        self.control.execute(
            text.format(sql.Identifier(table), names, values), list(row.values())
        )

    def enter(self, user: Any) -> None:
        """Let a world run here; the one before it ends where it stands."""
        if self._user is not None:
            self._user.leave()
        self._user = user

    def reset(self, start: Start) -> None:
        """Put back what executions start from.

        Raises:
            InvalidScenario: the code under test has changed the schema.
        """
        self._enter(start)
        self._resets_count += 1
        is_exact = self.is_exact or self._resets_count % TRUNCATE_EVERY == 0
        way = "reset_exactly" if is_exact else "reset"
        self.control.execute(f"SELECT {KEPT}.{way}()", prepare=True)
        if is_exact and self.control.execute(_SHAPE).fetchone() != self._shape:
            raise InvalidScenario(
                "the code under test has changed the schema\n"
                "next: make tables in the world's schema; a task may use temporary ones"
            )

    # Reading ------------------------------------------------------------------------

    def committed(self, start: Start) -> Committed:
        """Return the committed rows of each table as JSON, and the sequences."""
        self._enter(start)
        names = list(start.tables)
        found: list[list[str]] = [[] for _ in [*names, "sequences"]]
        if self._state_text:
            for number, text in self.control.execute(self._state_text, prepare=True):
                found[number].append(text)
        rows = {name: tuple(found[number]) for number, name in enumerate(names)}
        return rows, tuple(found[-1])

    def query(self, start: Start, text: str) -> tuple[list[str], Any]:
        """Return the columns and rows of a question of the user's.

        Raises:
            InvalidScenario: the server refuses it.
        """
        self._enter(start)
        try:
            found = self.control.execute(text, prepare=True)
        except psycopg.Error as error:
            raise InvalidScenario(
                f"PostgreSQL refuses a question of the world: {_said(error)}\n  {text}"
            ) from error
        if found.description is None:
            raise InvalidScenario(
                f"a question of the world changes something\n  {text}"
            )
        return [one.name for one in found.description], tuple(found.fetchall())

    def _enter(self, start: Start) -> None:
        if self._current != start.key:
            self._build(start.key, start.ddl, start.rows, start.isolation)

    # Connections --------------------------------------------------------------------

    def take(self) -> Any:
        """Return a connection of libpq's that nobody uses, opened if there is none."""
        if self._spare:
            return self._spare.pop(0)
        with outside_of_tasks():
            made = self._place.connect()
        self._opened.append(made)
        return made

    @property
    def address(self) -> str:
        """Where drivers that keep their own connections connect to."""
        return self._place.address()

    def wait_until_gone(self, pid: int) -> None:
        """Wait until a session that was closed has ended on the server."""
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        with outside_of_tasks():
            while self.control.execute(gone, [pid]).fetchone() != (0,):
                pass

    def give(self, connection: Any, *, leaves_nothing: bool = False) -> None:
        """Take a connection back, with nothing left of who had it.

        Args:
            connection: that `take` gave.
            leaves_nothing: between transactions it is as it was.
        """
        if connection not in self._opened:
            return  # closed with all others
        line = connection.pgconn
        if line.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
            self._end(connection)
            return
        if line.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            line.exec_(b"ROLLBACK")
        if not leaves_nothing:
            line.exec_(b"DISCARD ALL")
        self._spare.append(connection)
        self._spare.sort(key=self._opened.index)

    def _end(self, connection: Any) -> None:
        """End a connection in the middle of a statement, and wait until it is gone."""
        pid = connection.info.backend_pid
        connection.pgconn.finish()
        self._opened.remove(connection)
        self.end(pid)

    def end(self, pid: int) -> None:
        """End a session that may wait for a lock."""
        with outside_of_tasks():
            terminate(self.control, [pid])
        self.wait_until_gone(pid)

    def _close_all(self) -> None:
        for one in self._opened:
            one.close()
        self._opened.clear()
        self._spare.clear()

    def close(self) -> None:
        """Disconnect and remove the database."""
        self._close_all()
        self.control.close()
        self._place.close()


@contextmanager
def outside_of_tasks() -> Iterator[None]:
    """Let what we do ourselves, while a task runs, be none of the task's doing."""
    kernel, RUNNING.kernel = RUNNING.kernel, None
    try:
        yield
    finally:
        RUNNING.kernel = kernel


def _no_right(setting: str) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"this user may not set {setting}, which a search on the server needs\n"
        "next: connect as a superuser, or let one"
        f" GRANT SET ON PARAMETER {setting} TO it"
    )


def _state_text(start: Start) -> str:
    parts = [
        f"SELECT {number}, row_to_json(t)::text FROM {_quoted(name)} t"
        for number, name in enumerate(start.tables)
    ]
    parts += [
        f"SELECT {len(start.tables)}, last_value || ' ' || is_called"
        f" FROM {_quoted(name)}"
        for name in start.sequences
    ]
    return " UNION ALL ".join(parts)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _said(error: psycopg.Error) -> str:
    words = error.diag.message_primary or str(error).strip()
    return re.sub(r"\s+", " ", words)

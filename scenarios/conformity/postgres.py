"""A world's sessions on a real PostgreSQL: one connection each, and one that watches.

A step is sent without waiting for its answer. If that is not there at once, the server
is asked who waits for whom, as PostgreSQL's own isolation tester does; a session is
blocked when it waits for one that does not run, and for no circle that the server has
yet to break.

What is pinned so that the outcome is determined: plans (sequential scans only: they
decide the order of rows and what SERIALIZABLE locks), no parallel workers, no vacuum of
the tables, and a deadlock timeout so short that whoever closes a circle is the victim.
"""

from collections.abc import Mapping, Sequence
from select import select
from time import monotonic, sleep
from typing import Any, Final

import psycopg
from psycopg import pq

from wavecheck.scenarios.conformity.database import DatabaseTrouble, PatienceLost
from wavecheck.scenarios.conformity.world import (
    BLOCKED,
    COMMITTED,
    MORE_TABLES,
    ROLLED_BACK,
    SCHEMA,
    TABLES,
    SessionStep,
    TableWorld,
    failure_of,
    outcome_of,
)
from wavecheck.sim.transactions.level import Level

NAME: Final = "wavecheck_conform"
_MARK: Final = "made by wavecheck conform, which may drop it"
_LOCK: Final = 0x57415645  # an advisory lock: one conform at a time
_PATIENCE_SECONDS: Final = 20.0
_GLANCE_SECONDS: Final = 0.001
_CHECKED_SECONDS: Final = 0.006
"""After this long whoever waits has looked for a circle: its timeout is 1 ms."""

_LOOKS: Final = 5
"""So many answers of the server come first: on a busy machine all of them are late."""

_PINS: Final = (
    "SET enable_indexscan = off; SET enable_indexonlyscan = off;"
    " SET enable_bitmapscan = off; SET enable_tidscan = off;"
    " SET enable_nestloop = off; SET enable_mergejoin = off;"
    " SET max_parallel_workers_per_gather = 0; SET jit = off;"
    " SET synchronous_commit = off; SET deadlock_timeout = '1ms';"
    f" SET search_path = {NAME}"
)
_WHO_WAITS: Final = (
    "SELECT pid, pg_blocking_pids(pid) FROM unnest(%s::int[]) AS pids(pid)"
)
_END_THEM: Final = (
    "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pids(pid)"
)


class PostgresSessions:
    """The sessions of one world after another.

    Args:
        url: of the server, `postgresql://...`.

    Attributes:
        levels: what the database knows.
        blocked_seconds: how long it took to see that each blocked step was blocked.

    Raises:
        DatabaseTrouble: it cannot be reached or used; what to do is in the message.
    """

    name = "PostgreSQL"
    levels: tuple[Level, ...] = (
        Level.READ_COMMITTED,
        Level.REPEATABLE_READ,
        Level.SERIALIZABLE,
    )
    can_lock_rows = True

    def __init__(self, url: str) -> None:
        self._url = url
        self._sessions: list[_Session] = []
        self.blocked_seconds: list[float] = []
        self._watcher = self._connect()
        try:
            self._prepare()
        except BaseException:
            self._watcher.close()
            raise

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=10, prepare_threshold=1
            )
            connection.execute(_PINS)
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseTrouble(
                f"PostgreSQL: {error.diag.message_primary}\nnext: connect as a"
                " superuser, or let one GRANT SET ON PARAMETER deadlock_timeout"
            ) from error
        except psycopg.ProgrammingError as error:
            raise DatabaseTrouble(
                "--db: not a PostgreSQL URL\n"
                "  expected  postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            ) from error
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[-1]
            raise DatabaseTrouble(
                f"PostgreSQL cannot be reached: {reason}\n"
                "next: check host, port, user and password, and that the server runs"
            ) from error
        return connection

    def _prepare(self) -> None:
        """Make the schema, unless something foreign is there."""
        run = self._watcher.execute
        if not _first(run("SELECT pg_try_advisory_lock(%s)", [_LOCK])):
            raise DatabaseTrouble(
                "another wavecheck conform is at work in this database\n"
                "next: wait for its end, or name another database"
            )
        is_there = _first(
            run("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [NAME])
        )
        if is_there:
            mark = _first(
                run(
                    "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace"
                    " WHERE nspname = %s",
                    [NAME],
                )
            )
            if mark != _MARK:
                raise DatabaseTrouble(
                    f"the schema {NAME!r} exists and was not made by wavecheck"
                    " conform; it is left alone\nnext: name another database"
                )
            run(f"DROP SCHEMA {NAME} CASCADE")
        try:
            with self._watcher.transaction():
                run(f"CREATE SCHEMA {NAME}")
                run(f"COMMENT ON SCHEMA {NAME} IS '{_MARK}'")
                run(SCHEMA.replace("CREATE TABLE", "CREATE UNLOGGED TABLE"))
                for name in (*TABLES, *MORE_TABLES):
                    run(f"ALTER TABLE {name} SET (autovacuum_enabled = false)")
        except psycopg.Error as error:
            raise DatabaseTrouble(
                f"PostgreSQL: {error.diag.message_primary or error}\n"
                "next: connect as a role that may create a schema in this database"
            ) from error

    def start(self, world: TableWorld) -> None:
        """Put a world's rows into the tables; no session is in a transaction."""
        if any(one.pending is not None for one in self._sessions):
            self.abandon()  # who waits for a lock of a session waits for ever
        while len(self._sessions) < len(world.programs):
            self._sessions.append(_Session(self._connect()))
        tables = ", ".join((*TABLES, *MORE_TABLES))
        statements = [f"TRUNCATE {tables} RESTART IDENTITY"]
        for name, rows in world.rows.items():
            values = ", ".join(f"({key}, {value})" for key, value in rows.items())
            statements.append(f"INSERT INTO {name} VALUES {values}")
        self._watcher.execute("; ".join(statements))
        self._begin = f"BEGIN ISOLATION LEVEL {world.level.upper()}"
        for one in self._sessions:
            one.connection.execute("SELECT pg_advisory_unlock_all()")
            one.is_open = False

    def step(self, session: int, step: SessionStep) -> list[Any]:
        """Take a step; return what each session has shown: a result, or None.

        Raises:
            PatienceLost: a session neither ends nor waits.
        """
        acting = self._sessions[session]
        began = monotonic()
        if not acting.is_open and not step.is_end():
            acting.send(self._begin)
            while not acting.answered(_PATIENCE_SECONDS):
                self._check_patience(began)
            acting.is_open = True
        acting.send(str(step), step=step)
        shown: list[Any] = [None] * len(self._sessions)
        if acting.answered(_GLANCE_SECONDS):
            shown[session] = acting.outcome
        settled_at = self._settle(shown, began)
        if acting.pending is not None:
            shown[session] = BLOCKED
            self.blocked_seconds.append(settled_at - began)
        return shown

    def _settle(self, shown: list[Any], began: float) -> float:
        """Wait until every session has answered or is blocked for good.

        Returns:
            When the server said so; then each may still look for a circle.
        """
        settled_at, looks = None, 0
        while True:
            if self._collect(shown):
                settled_at, looks = None, 0
            busy = [one for one in self._sessions if one.pending is not None]
            if not busy:
                return monotonic()
            self._check_patience(began)
            waits = self._who_waits([one.pid for one in busy])
            looks += 1
            if self._collect(shown) or not _is_settled(waits):
                settled_at, looks = None, 0
            elif settled_at is None:
                settled_at = monotonic()
            elif looks > _LOOKS and monotonic() - settled_at > _CHECKED_SECONDS:
                return settled_at
            sleep(0.0005)

    def _collect(self, shown: list[Any]) -> bool:
        """Take the answers that are there; return whether there was one."""
        has_any = False
        for number, one in enumerate(self._sessions):
            if one.pending is not None and one.answered(0):
                shown[number], has_any = one.outcome, True
        return has_any

    def _who_waits(self, pids: list[int]) -> dict[int, list[int]]:
        return dict(self._watcher.execute(_WHO_WAITS, [pids]).fetchall())

    def _check_patience(self, began: float) -> None:
        if monotonic() - began > _PATIENCE_SECONDS:
            raise PatienceLost(
                f"PostgreSQL neither answers nor waits after {_PATIENCE_SECONDS:.0f} s"
            )

    def rows(self) -> dict[str, tuple[tuple[Any, ...], ...]]:
        """Return the committed rows of each table."""
        found = {}
        for name in (*TABLES, *MORE_TABLES):
            rows = self._watcher.execute(f"SELECT * FROM {name}").fetchall()
            found[name] = tuple(sorted(rows, key=repr))
        return found

    def abandon(self) -> None:
        """Leave a world in the middle: whatever is open or blocked is cut off."""
        for one in self._sessions:
            one.connection.close()
        pids = [one.pid for one in self._sessions]
        self._sessions.clear()
        # A backend that waits does not notice that its client has gone.
        self._watcher.execute(_END_THEM, [pids])

    def close(self) -> None:
        """Drop the schema and disconnect."""
        self.abandon()
        self._watcher.execute(f"DROP SCHEMA IF EXISTS {NAME} CASCADE")
        self._watcher.close()


class _Session:
    """One connection and the statement that it is busy with.

    Attributes:
        pid: of its backend.
        pending: what it is busy with.
        outcome: what the last statement showed.
        is_open: it is in a transaction.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.pid = connection.info.backend_pid
        self.pending: str | None = None
        self.outcome: Any = None
        self.is_open = False
        self._step: SessionStep | None = None
        self._wire = connection.pgconn
        self._results: list[pq.abc.PGresult] = []

    def send(self, text: str, step: SessionStep | None = None) -> None:
        """Send a statement."""
        assert self.pending is None
        self._wire.send_query(text.encode())
        self._wire.flush()
        self.pending, self._step, self._results = text, step, []

    def answered(self, seconds: float) -> bool:
        """Wait so long for the answer; return whether it is complete."""
        if self._wire.is_busy():
            if not select([self._wire.socket], [], [], seconds)[0]:
                return False
            self._wire.consume_input()
        while not self._wire.is_busy():
            result = self._wire.get_result()
            if result is None:
                self._finish()
                return True
            self._results.append(result)
        return False

    def _finish(self) -> None:
        result = self._results[0]
        self.pending = None
        if self._step is None:
            return
        if result.status == pq.ExecStatus.FATAL_ERROR:
            state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
            self.outcome = failure_of(state)
        else:
            self.outcome = _outcome(result, self._step)
        if self._step.is_end():
            self.is_open = False


def _outcome(result: pq.abc.PGresult, step: SessionStep) -> Any:
    tag = (result.command_status or b"").decode()
    if step.is_end():
        return COMMITTED if tag == "COMMIT" else ROLLED_BACK
    has_rows = result.status == pq.ExecStatus.TUPLES_OK
    rows = [
        [_text(result.get_value(row, column)) for column in range(result.nfields)]
        for row in range(result.ntuples)
    ]
    words = tag.rpartition(" ")[2]
    count = int(words) if words.isdigit() else -1
    return outcome_of(str(step), rows, count, has_rows=has_rows)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _first(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    return row and row[0]


def _is_settled(waits: Mapping[int, Sequence[int]]) -> bool:
    """Return whether each session waits for one that does not run, in no circle."""
    for pid, blockers in waits.items():
        if not blockers:
            return False
        seen, todo = {pid: None}, list(blockers)
        while todo:
            other = todo.pop()
            if other == pid:
                return False
            if other not in seen:
                seen[other] = None
                todo.extend(waits.get(other, ()))
    return True

"""A world's sessions on a real PostgreSQL: one connection each, and one that watches.

A step is sent without waiting for its answer. If that is not there at once, the server
is asked who waits for whom, as PostgreSQL's own isolation tester does; a session is
blocked when it waits for one that does not run, and for no circle that the server has
yet to break.

What is pinned so that the outcome is determined: plans (sequential scans only: they
decide the order of rows and what SERIALIZABLE locks), no parallel workers, no vacuum of
the tables, and a deadlock timeout so short that whoever closes a circle is the victim.
"""

from select import select
from time import monotonic, sleep
from typing import Any, Final

import psycopg
from psycopg import pq

from wavecheck.coordinator.sql import DatabaseUnusable
from wavecheck.scenarios.conformity.database import DatabaseTrouble, PatienceLost
from wavecheck.scenarios.conformity.world import (
    BLOCKED,
    COMMITTED,
    MORE_TABLES,
    ROLLED_BACK,
    TABLES,
    SessionStep,
    TableWorld,
    failure_of,
    outcome_of,
)
from wavecheck.scenarios.conformity.world import SCHEMA as WORLD_TABLES
from wavecheck.scenarios.server.place import SCHEMA, OwnPlace
from wavecheck.scenarios.server.watching import (
    circle_of,
    is_settled,
    terminate,
    who_waits,
)
from wavecheck.sim.transactions.level import Level

_LOCK: Final = 0x57415645  # an advisory lock: one conform at a time
_PATIENCE_SECONDS: Final = 20.0
_GLANCE_SECONDS: Final = 0.001
_CHECKED_SECONDS: Final = 0.006
"""After this long whoever waits has looked for a circle: its timeout is 1 ms."""

_LOOKS: Final = 5
"""So many answers of the server come first: on a busy machine all of them are late."""

_WORLDS_A_PAGE: Final = 8
"""So many worlds are performed in the same pages before their tables are truncated."""

_PINS: Final = (
    "SET enable_indexscan = off; SET enable_indexonlyscan = off;"
    " SET enable_bitmapscan = off; SET enable_tidscan = off;"
    " SET enable_nestloop = off; SET enable_mergejoin = off;"
    " SET max_parallel_workers_per_gather = 0; SET jit = off;"
    " SET synchronous_commit = off; SET deadlock_timeout = '1ms'"
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
        self._sessions: list[_Session] = []
        self._worlds_left = 0
        self.blocked_seconds: list[float] = []
        try:
            self._place = OwnPlace(url, SCHEMA)
        except DatabaseUnusable as error:
            raise DatabaseTrouble(str(error)) from error
        try:
            self._watcher = self._connect()
            self._prepare()
        except BaseException:
            self._place.close()
            raise

    def _connect(self) -> psycopg.Connection[Any]:
        connection = self._place.connect()
        try:
            connection.execute(_PINS)
        except psycopg.errors.InsufficientPrivilege as error:
            raise DatabaseTrouble(
                f"PostgreSQL: {error.diag.message_primary}\nnext: connect as a"
                " superuser, or let one GRANT SET ON PARAMETER deadlock_timeout"
            ) from error
        connection.execute(f"SET search_path = {self._place.name}")
        return connection

    def _prepare(self) -> None:
        """Make the tables of all worlds."""
        run = self._watcher.execute
        if run("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
            raise DatabaseTrouble(
                "another wavecheck conform is at work in this database\n"
                "next: wait for its end, or name another database"
            )
        run(WORLD_TABLES.replace("CREATE TABLE", "CREATE UNLOGGED TABLE"))
        for name in (*TABLES, *MORE_TABLES):
            run(f"ALTER TABLE {name} SET (autovacuum_enabled = false)")

    def start(self, world: TableWorld) -> None:
        """Put a world's rows into the tables; no session is in a transaction."""
        if any(one.pending is not None for one in self._sessions):
            self.abandon()  # who waits for a lock of a session waits for ever
        while len(self._sessions) < len(world.programs):
            self._sessions.append(_Session(self._connect()))
        statements = self._emptying()
        for name, rows in world.rows.items():
            values = ", ".join(f"({key}, {value})" for key, value in rows.items())
            statements.append(f"INSERT INTO {name} VALUES {values}")
        self._watcher.execute("; ".join(statements))
        self._begin = f"BEGIN ISOLATION LEVEL {world.level.upper()}"
        for one in self._sessions:
            one.connection.execute("SELECT pg_advisory_unlock_all()")
            one.is_open = False

    def _emptying(self) -> list[str]:
        """Return what empties the tables: deleting takes a tenth of truncating.

        Deleted rows stay in their page until it is nearly full; then they are pruned,
        and later rows no longer come in the order in which they were made. Worlds are
        small, and what disagrees is run again on tables that were truncated.
        """
        self._worlds_left -= 1
        tables = (*TABLES, *MORE_TABLES)
        if self._worlds_left > 0:
            made = [f"DELETE FROM {name}" for name in reversed(tables)]
            return [*made, "SELECT setval('c_key_seq', 1, false)"]
        self._worlds_left = _WORLDS_A_PAGE
        return [f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"]

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
            waits = who_waits(self._watcher, [one.pid for one in busy])
            looks += 1
            # A circle is for the server to break.
            is_circle = any(circle_of(waits, one) for one in waits)
            if self._collect(shown) or is_circle or not is_settled(waits):
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

    def _check_patience(self, began: float) -> None:
        if monotonic() - began > _PATIENCE_SECONDS:
            raise PatienceLost(
                f"PostgreSQL neither answers nor waits after {_PATIENCE_SECONDS:.0f} s"
            )

    def rows(self) -> dict[str, tuple[tuple[Any, ...], ...]]:
        """Return the committed rows of each table."""
        names = (*TABLES, *MORE_TABLES)
        asked = self._watcher.execute("; ".join(f"TABLE {name}" for name in names))
        found = {}
        for name, answer in zip(names, asked.results(), strict=True):
            found[name] = tuple(sorted(answer.fetchall(), key=repr))
        return found

    def abandon(self) -> None:
        """Leave a world in the middle: whatever is open or blocked is cut off."""
        for one in self._sessions:
            one.connection.close()
        pids = [one.pid for one in self._sessions]
        self._sessions.clear()
        self._worlds_left = 0
        # A backend that waits does not notice that its client has gone.
        terminate(self._watcher, pids)

    def close(self) -> None:
        """Drop the schema and disconnect."""
        self.abandon()
        self._watcher.close()
        self._place.close()


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

"""A world's sessions on a real SQLite: one connection each to one file in WAL mode.

Nobody waits here: with a busy timeout of 0 whoever cannot go on is told so at once.
"""

import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from wavecheck.scenarios.conformity.database import DatabaseTrouble
from wavecheck.scenarios.conformity.world import (
    COMMIT,
    COMMITTED,
    ROLLED_BACK,
    SQLITE_SCHEMA,
    TABLES,
    SessionStep,
    TableWorld,
    outcome_of,
)
from wavecheck.sim.transactions.level import Failure, Level

_MARK: Final = "made_by_wavecheck_conform"
_BUSY: Final = sqlite3.SQLITE_BUSY


class SQLiteSessions:
    """The sessions of one world after another.

    Args:
        path: of a file that does not exist, or was left by an earlier conform; None: a
            temporary one.

    Raises:
        DatabaseTrouble: the file holds something else, or cannot be written.
    """

    name = "SQLite"
    levels: tuple[Level, ...] = (Level.DEFERRED, Level.IMMEDIATE)
    can_lock_rows = False

    def __init__(self, path: Path | None) -> None:
        self.blocked_seconds: list[float] = []
        self._folder = TemporaryDirectory(prefix="wavecheck-conform-")
        self._path = Path(self._folder.name) / "conform.db" if path is None else path
        self._connections: list[sqlite3.Connection] = []
        try:
            self._control = self._connect()
            self._prepare()
        except sqlite3.Error as error:
            self._folder.cleanup()
            raise DatabaseTrouble(
                f"SQLite: {self._path}: {error}\n"
                "next: name a file that does not exist yet, in a folder that can be"
                " written"
            ) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")  # nothing here must last
        return connection

    def _prepare(self) -> None:
        """Make the tables, unless something foreign is there."""
        names = {
            row[0]
            for row in self._control.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
        }
        if names and _MARK not in names:
            self._control.close()
            self._folder.cleanup()
            raise DatabaseTrouble(
                f"{self._path} holds tables that wavecheck conform has not made; it is"
                " left alone\nnext: name a file that does not exist yet"
            )
        self._control.execute("PRAGMA journal_mode = WAL")
        self._control.execute(f"CREATE TABLE IF NOT EXISTS {_MARK} (mark INTEGER)")
        made = SQLITE_SCHEMA.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
        self._control.executescript(made)

    def start(self, world: TableWorld) -> None:
        """Put a world's rows into the tables; no session is in a transaction."""
        while len(self._connections) < len(world.programs):
            self._connections.append(self._connect())
        self._begin = f"BEGIN {world.level.upper()}"
        self._control.execute("BEGIN")
        for name in TABLES:
            self._control.execute(f"DELETE FROM {name}")
            rows = world.rows.get(name, {})
            for pair in rows.items():
                self._control.execute(f"INSERT INTO {name} VALUES (?, ?)", pair)
        self._control.execute("COMMIT")

    def step(self, session: int, step: SessionStep) -> list[Any]:
        """Take a step; return for each session what it has shown, or None."""
        shown: list[Any] = [None] * len(self._connections)
        shown[session] = self._outcome(self._connections[session], step)
        return shown

    def _outcome(self, connection: sqlite3.Connection, step: SessionStep) -> Any:
        try:
            if step.is_end():
                if connection.in_transaction:
                    connection.execute(str(step))
                return COMMITTED if step.kind == COMMIT else ROLLED_BACK
            if not connection.in_transaction:
                connection.execute(self._begin)
            cursor = connection.execute(str(step))
            rows = cursor.fetchall()
        except sqlite3.IntegrityError:
            return Failure.DUPLICATE
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == _BUSY:
                return Failure.BUSY
            return "an error"
        has_rows = cursor.description is not None
        return outcome_of(str(step), rows, cursor.rowcount, has_rows=has_rows)

    def rows(self) -> dict[str, tuple[tuple[Any, ...], ...]]:
        """Return the committed rows of each table."""
        found = {}
        for name in TABLES:
            rows = self._control.execute(f"SELECT key, value FROM {name}").fetchall()
            found[name] = tuple(sorted(rows, key=repr))
        return found

    def abandon(self) -> None:
        """Leave a world in the middle."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def close(self) -> None:
        """Remove the file and disconnect."""
        self.abandon()
        self._control.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._folder.cleanup()

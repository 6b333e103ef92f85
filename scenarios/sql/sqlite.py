"""A modelled SQLite database: one writer, snapshots, "database is locked".

Who sees what and who may write is the model's (`sim.transactions`, levels `deferred`
and `immediate`: a database in WAL mode); statements are evaluated by SQLite itself.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from wavecheck.scenarios.sql.row_types import named_rows
from wavecheck.scenarios.sql.session import (
    Answer,
    Column,
    SQLError,
    TransactionStatus,
)
from wavecheck.scenarios.sql.sqlite_engine import Done, Rows, SQLiteEngine, engine_of
from wavecheck.scenarios.sql.steps import moment_of, named, take
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Kind, Statement
from wavecheck.sim.parts import Counter, Part, Table
from wavecheck.sim.transactions.level import Failed, Failure, Level, Strength
from wavecheck.sim.transactions.rowwise import RowTransactions
from wavecheck.sim.transactions.stepwise import Stepwise, perform

BUSY: Final = ("40001", "database is locked")
_CONTROL: Final = re.compile(
    r"\s*(BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|PRAGMA)\b\s*(.*?)[\s;]*$",
    re.IGNORECASE | re.DOTALL,
)
_QUIET: Final = frozenset({"synchronous", "cache_size", "temp_store"})


class SQLiteCall(NamedTuple):
    """A statement that a session performs.

    Attributes:
        sql: one statement.
        params: its parameters.
        slot: of the transaction; 0: none has begun.
        level: of isolation.
        is_alone: it is a transaction of its own.
        last_rowid: of the row that the session has inserted last.
        depth: how many savepoints it is in.
    """

    sql: str
    params: tuple[Any, ...]
    slot: int
    level: Level
    is_alone: bool
    last_rowid: int = 0
    depth: int = 0

    def __str__(self) -> str:
        values = ", ".join(repr(one) for one in self.params)
        return f"{self.sql} [{values}]" if values else self.sql


class SQLiteDone(NamedTuple):
    """What came of a step of a session.

    Attributes:
        columns: names.
        rows: that the statement returns.
        affected: how many it changed.
        slot: of the transaction that is open after it.
        last_rowid: of the row that was inserted last.
        error: SQLSTATE and message; empty: it did not fail.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    affected: int = -1
    slot: int = 0
    last_rowid: int = 0
    error: tuple[str, ...] = ()


class SQLiteDatabase:
    """A SQLite database, modelled.

    Args:
        kernel: whose parts the tables become.
        schema: DDL.
        rows: by table, each as a mapping from columns to values.
        name: of its parts, beside the tables.
        clock: ticks that have passed, if time passes in the world.
        gives_up: a session that waits for the lock may come to the end of its timeout
            at any moment; else it waits as long as it takes.
        apart: tables that are no part of transactions; `insert` fills them.

    Attributes:
        tables: a part each, by name.

    Raises:
        InvalidScenario: the schema is not modelled, or a row violates it.
    """

    def __init__(
        self,
        kernel: Kernel,
        schema: str,
        *,
        rows: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
        name: str = "database",
        clock: Counter | None = None,
        gives_up: bool = False,
        apart: Iterable[str] = (),
    ) -> None:
        self.kernel = kernel
        self.gives_up = gives_up
        self._ddl = schema
        self._clock = clock
        self.transactions = RowTransactions(kernel, name)
        self.tables: dict[str, Table[Any]] = {}
        for table, columns in self.engine.columns.items():
            row_type = named_rows(table, (*columns, "row key"))
            made = Table(kernel, table, row_type, key=(row_type._fields[-1],))
            made.hidden = row_type._fields[-1:]
            self.tables[table] = made
            if table not in apart:
                self.transactions.add(made)
        for table, given in (rows or {}).items():
            self._fill(table, given)
        kernel.journal.clear()

    @property
    def engine(self) -> SQLiteEngine:
        """What evaluates its statements; it keeps no state of the database."""
        return engine_of(self._ddl)

    def ticks(self) -> int:
        """Return how many ticks have passed."""
        if self._clock is not None:
            return self._clock.get()
        return int(self.kernel.now) if self.kernel.is_timed else 0

    def session(self, *, isolation: str = "deferred") -> "SQLiteSession":
        """Return a new session; it takes no step.

        Args:
            isolation: how BEGIN begins: `deferred` or `immediate`.
        """
        return SQLiteSession(self, Level(isolation.lower()))

    def query(self, sql: str, parameters: Iterable[object] = ()) -> Answer:
        """Return what a query gives on what is committed; it takes no step.

        Raises:
            InvalidScenario: it would change something, or fails.
        """
        params = tuple(parameters)
        try:
            touched = self.engine.touched(sql, numbered(params))
            if touched.writes:
                raise InvalidScenario(
                    f"a query on the database would change it\n  query     {sql}\n"
                    "  expected  a SELECT"
                )
            given = {name: _plain(self.tables[name]) for name in touched.tables}
            done = self._evaluated(sql, params, given, 0)
            if done.error is not None:
                raise done.error
        except SQLError as error:
            raise InvalidScenario(
                f"a query on the database fails: {error.message}\n  query     {sql}"
            ) from error
        return _answer("SELECT", done.columns, done.rows, len(done.rows))

    def rows(self, table: str) -> list[Any]:
        """Return the committed rows of a table, with its columns as attributes."""
        return list(self.tables[table])

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row into a table apart, here and now.

        Raises:
            SQLError: the row violates the schema.
        """
        names = ", ".join(f'"{one}"' for one in row)
        marks = ", ".join(f"${at}" for at in range(1, len(row) + 1))
        sql = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'
        part = self.tables[table]
        before = _plain(part)
        done = self._evaluated(sql, tuple(row.values()), {table: before}, 0)
        if done.error is not None:
            raise done.error
        row_type = named_rows(table, (*self.engine.columns[table], "row key"))
        for key, values in done.after[table].items():
            if key not in before:
                part.insert(row_type(*values, key))

    def _evaluated(
        self,
        sql: str,
        params: tuple[Any, ...],
        given: Mapping[str, Rows],
        last_rowid: int,
    ) -> Done:
        return self.engine.perform(
            sql,
            numbered(params),
            given,
            now=moment_of(self.ticks()),
            last_rowid=last_rowid,
        )

    def act(self, step: Stepwise, call: SQLiteCall) -> Done:
        """Perform a statement in a transaction, and keep what it has changed."""
        step.at_once()
        touched = self.engine.touched(call.sql, numbered(call.params))
        if touched.writes:
            self.transactions.intend_write(step.slot)
        given = {}
        for name in touched.tables:
            rows = step.where(self.tables[name], ("all", name), lambda row: True)
            given[name] = _plain(rows)
        done = self._evaluated(call.sql, call.params, given, call.last_rowid)
        if done.ends_transaction:
            return done
        if done.has_written or (touched.moves and done.affected > 0):
            self.transactions.number(step.slot)
        for name, rows_after in done.after.items():
            self._keep(step, name, given[name], rows_after)
        return done

    def _keep(self, step: Stepwise, name: str, before: Rows, after: Rows) -> None:
        table, transactions = self.tables[name], self.transactions
        row_type = named_rows(name, (*self.engine.columns[name], "row key"))
        for key in sorted({**before, **after}):
            if before.get(key) == after.get(key):
                continue
            place = (name, key)
            if key in before:
                transactions.acquire(step.slot, place, Strength.UPDATE)
            else:
                transactions.claim(step.slot, place)
            row = row_type(*after[key], key) if key in after else None
            step.put(table, key, row)

    def _fill(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        if table not in self.tables:
            known = ", ".join(self.tables)
            raise InvalidScenario(
                f"rows of table {table!r}\n  expected  one of: {known}"
            )
        for number, row in enumerate(rows, start=1):
            names = ", ".join(f'"{one}"' for one in row)
            marks = ", ".join(f"${at}" for at in range(1, len(row) + 1))
            sql = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'
            call = SQLiteCall(sql, tuple(row.values()), 0, Level.DEFERRED, True)
            done = statement_step(self, call)
            if done.error:
                raise InvalidScenario(
                    f"row {number} of table {table!r}: {done.error[1]}\n"
                    f"  row       {dict(row)!r}"
                )
            commit_step(self, done.slot)


def numbered(params: Sequence[Any]) -> dict[str, Any]:
    """Return parameters by number, as SQLite binds `$1`."""
    return {str(number): value for number, value in enumerate(params, start=1)}


def _plain(rows: Iterable[Any]) -> Rows:
    return {row[-1]: tuple(row[:-1]) for row in rows}


def _answer(
    command: str,
    columns: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
    affected: int,
) -> Answer:
    return Answer(
        command=command,
        columns=tuple([Column(name=one, type_name="") for one in columns]),
        rows=tuple(rows),
        rows_count=affected,
    )


# Steps --------------------------------------------------------------------------------


def statement_step(database: SQLiteDatabase, call: SQLiteCall) -> SQLiteDone:
    """Perform a statement."""
    transactions, slot = database.transactions, call.slot
    if not slot:
        begun = transactions.begin(call.level, depth=call.depth)
        if isinstance(begun, Failed):
            return SQLiteDone(error=BUSY, last_rowid=call.last_rowid)
        slot = begun
    found = perform(transactions, slot, None, lambda step: database.act(step, call))
    if isinstance(found, Failed):
        assert found.failure is Failure.BUSY
        found = Done(last_rowid=call.last_rowid, error=SQLError(*BUSY))
    failed = found.error
    done = SQLiteDone(
        found.columns,
        found.rows,
        found.affected,
        slot,
        found.last_rowid,
        (failed.sqlstate, failed.message) if failed is not None else (),
    )
    is_kept = transactions.look(slot).is_writer and (failed is None or found.after)
    if found.ends_transaction or (call.is_alone and not is_kept):
        transactions.roll_back(slot)
        return done._replace(slot=0)
    return done


def begin_step(database: SQLiteDatabase, level: Level) -> SQLiteDone:
    """Begin a transaction that writes."""
    begun = database.transactions.begin(level)
    if isinstance(begun, Failed):
        return SQLiteDone(error=BUSY)
    return SQLiteDone(slot=begun)


def commit_step(database: SQLiteDatabase, slot: int) -> SQLiteDone:
    """Commit a transaction."""
    database.transactions.commit(slot)
    return SQLiteDone()


def rollback_step(database: SQLiteDatabase, slot: int) -> SQLiteDone:
    """Roll a transaction back."""
    if database.transactions.is_open(slot):
        database.transactions.roll_back(slot)
    return SQLiteDone()


def savepoint_step(
    database: SQLiteDatabase, slot: int, action: str, depth: int
) -> SQLiteDone:
    """Set, release or go back to a savepoint."""
    transactions = database.transactions
    if action == "SAVEPOINT":
        transactions.savepoint(slot)
    elif action == "RELEASE":
        transactions.release_savepoint(slot, depth)
    else:
        transactions.roll_back_to(slot, depth)
    return SQLiteDone(slot=slot)


@cache
def trying(function: Callable[..., Any], name: str) -> Statement:
    """Return a step that tries again, or gives up: it may be taken at any moment."""

    def again(database: SQLiteDatabase, *arguments: Any) -> Any:
        return function(database, *arguments)

    def may_try(database: SQLiteDatabase, *arguments: Any) -> bool:
        is_free = not database.transactions.has_writer()
        return is_free or (database.gives_up and not database.kernel.is_timed)

    def parts(database: SQLiteDatabase, *arguments: Any) -> Part:
        return database.transactions.locks.rows

    again.__name__ = name
    return Statement(again, Kind.STATEMENT, may_try, parts)


class SQLiteSession:
    """One connection to a modelled SQLite database.

    Args:
        database: which.
        level: how its transactions begin, unless they say otherwise.

    Attributes:
        waits: it has a busy timeout.
    """

    def __init__(self, database: SQLiteDatabase, level: Level) -> None:
        self.status = TransactionStatus.IDLE
        self.waits = False
        self._database = database
        self._level = level
        self._next_level = level
        self._slot = 0
        self._last_rowid = 0
        self._savepoints: tuple[str, ...] = ()
        self._is_closed = False

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> Answer:
        """Perform one statement; see `Session`.

        Raises:
            SQLError: the database refuses it.
            InvalidScenario: the model does not know this SQL.
        """
        if self._is_closed:
            raise SQLError("08003", "the connection is closed")
        control = _CONTROL.match(sql)
        try:
            if control is not None:
                return await self._controlled(control[1].upper(), control[2], sql)
            return await self._perform(sql, tuple(parameters))
        except GeneratorExit:
            self.cut_off()
            raise

    async def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        if not self._is_closed and self._slot:
            await take(named(rollback_step, "close"), self._database, self._slot)
        self._forget()
        self._is_closed = True

    def cut_off(self) -> None:
        """End the session here and now, not as a step: the process has died."""
        if not self._is_closed and self._slot:
            rollback_step(self._database, self._slot)
        self._forget()
        self._is_closed = True

    def _forget(self) -> None:
        self.status = TransactionStatus.IDLE
        self._slot, self._savepoints = 0, ()
        self._next_level = self._level

    async def _perform(self, sql: str, params: tuple[Any, ...]) -> Answer:
        self._database.engine.touched(sql, numbered(params))  # or it is refused
        is_alone = self.status is TransactionStatus.IDLE
        command = sql.split(None, 1)[0].upper() if sql.strip() else ""
        call = SQLiteCall(
            sql,
            params,
            self._slot,
            Level.DEFERRED if is_alone else self._next_level,
            is_alone,
            self._last_rowid,
            len(self._savepoints),
        )
        done = await self._tried(statement_step, command, call)
        self._slot, self._last_rowid = done.slot, done.last_rowid
        if not is_alone and not done.slot and done.error != BUSY:
            self._forget()  # OR ROLLBACK
        if is_alone and done.slot:
            self._slot = 0
            await take(named(commit_step, "commit"), self._database, done.slot)
        if done.error:
            raise SQLError(*done.error)
        count = len(done.rows) if done.columns and done.affected < 0 else done.affected
        return _answer(command, done.columns, done.rows, count)

    async def _tried(
        self, function: Callable[..., Any], name: str, *arguments: Any
    ) -> SQLiteDone:
        """Take a step; where the database is locked and one may wait, try again.

        Who has read already does not wait: SQLite fails such a writer at once.
        """
        database = self._database
        has_read = bool(self._slot)
        done: SQLiteDone = await take(named(function, name), database, *arguments)
        while done.error == BUSY and self.waits and not has_read:
            if done.slot and isinstance(arguments[0], SQLiteCall):
                arguments = (arguments[0]._replace(slot=done.slot), *arguments[1:])
            done = await take(trying(function, name), database, *arguments)
            if database.gives_up:
                break
        return done

    # Control --------------------------------------------------------------------------

    async def _controlled(self, word: str, rest: str, sql: str) -> Answer:
        if word == "PRAGMA":
            return self._pragma(rest, sql)
        if word == "BEGIN":
            return await self._begin(rest.upper().removesuffix("TRANSACTION").strip())
        if word in ("SAVEPOINT", "RELEASE") or " TO " in f" {rest.upper()} ":
            return await self._savepoint(word, rest)
        return await self._end(is_commit=word != "ROLLBACK")

    async def _begin(self, mode: str) -> Answer:
        if self.status is not TransactionStatus.IDLE:
            raise SQLError("25001", "cannot start a transaction within a transaction")
        is_immediate = mode in ("IMMEDIATE", "EXCLUSIVE") or (
            not mode and self._level is Level.IMMEDIATE
        )
        if is_immediate:
            done = await self._tried(begin_step, f"BEGIN {mode}", Level.IMMEDIATE)
            if done.error:
                raise SQLError(*done.error)
            self._slot = done.slot
        self._next_level = Level.IMMEDIATE if is_immediate else Level.DEFERRED
        self.status = TransactionStatus.IN_TRANSACTION
        return Answer(command="BEGIN")

    async def _end(self, *, is_commit: bool) -> Answer:
        if self.status is TransactionStatus.IDLE:
            word = "commit" if is_commit else "rollback"
            raise SQLError("25P01", f"cannot {word} - no transaction is active")
        slot = self._slot
        self._forget()
        if slot:
            step = (
                named(commit_step, "commit")
                if is_commit
                else named(rollback_step, "rollback")
            )
            await take(step, self._database, slot)
        return Answer(command="COMMIT" if is_commit else "ROLLBACK")

    async def _savepoint(self, word: str, rest: str) -> Answer:
        name = rest.split()[-1].strip('"').lower()
        if word == "SAVEPOINT":
            self.status = TransactionStatus.IN_TRANSACTION
            self._savepoints = (*self._savepoints, name)
            depth = 0
        elif name not in self._savepoints:
            raise SQLError("3B001", f"no such savepoint: {name}")
        else:
            depth = len(self._savepoints) - self._savepoints[::-1].index(name)
            kept = depth - 1 if word == "RELEASE" else depth
            self._savepoints = self._savepoints[:kept]
        if self._slot:
            step = named(savepoint_step, word)
            await take(step, self._database, self._slot, word, depth)
        return Answer(command=word)

    def _pragma(self, rest: str, sql: str) -> Answer:
        name, _, value = rest.lower().partition("=")
        name, value = name.strip(), value.strip()
        is_off = name == "foreign_keys" and value in ("off", "0", "false", "")
        if name == "busy_timeout" and value.isdigit():
            self.waits = value != "0"
            return _answer("PRAGMA", ("timeout",), [(int(value),)], 1)
        if name == "journal_mode" and value.strip("\"'") in ("", "wal"):
            return _answer("PRAGMA", ("journal_mode",), [("wal",)], 1)
        if name in _QUIET or is_off:
            return Answer(command="PRAGMA")
        raise InvalidScenario(
            f"SQL that is not modelled: PRAGMA {name}\n  statement  {sql}\n"
            "next: leave it out of the world"
        )

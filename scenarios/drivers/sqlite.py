"""sqlite3 over a world's sessions: connections and cursors in Python.

The rules are sqlite3's own: a data change begins a transaction (`isolation_level`),
or `autocommit` says so from Python 3.12 on; `with conn:` ends it and does not close.

Known gap: they are no instances of `sqlite3.Connection` and `sqlite3.Cursor`.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import PurePath
from typing import Any, Final, NoReturn

from wavecheck.scenarios.drivers.ownership import Ownership
from wavecheck.scenarios.drivers.reaching import Sessions, reached, replace
from wavecheck.scenarios.sql.session import (
    Answer,
    Session,
    SQLError,
    TransactionStatus,
)
from wavecheck.sim.blocking import is_unwinding, wait_for
from wavecheck.sim.surroundings import refuse_here

_CHANGES: Final = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|\?(\d*)|[:@$]([A-Za-z_]\w*)"
)
_OPTIONS: Final = (
    *("timeout", "detect_types", "isolation_level", "check_same_thread"),
    *("factory", "cached_statements", "uri"),
)
_KEPT: Final = ("timeout", "isolation_level", "autocommit")
_TIMEOUT_SECONDS: Final = 5.0
"""Of sqlite3's connections, if they do not say otherwise."""

_LEGACY: Final = getattr(sqlite3, "LEGACY_TRANSACTION_CONTROL", -1)
_ERRORS: Final = {
    "23": (sqlite3.IntegrityError, sqlite3.SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT"),
    "55": (sqlite3.OperationalError, sqlite3.SQLITE_BUSY, "SQLITE_BUSY"),
    "40": (sqlite3.OperationalError, sqlite3.SQLITE_BUSY, "SQLITE_BUSY"),
    "42": (sqlite3.OperationalError, sqlite3.SQLITE_ERROR, "SQLITE_ERROR"),
    "22": (sqlite3.IntegrityError, sqlite3.SQLITE_MISMATCH, "SQLITE_MISMATCH"),
}


class Connection:
    """A connection as sqlite3 has it.

    Args:
        session: of the world's database.
        isolation_level: word behind BEGIN; None: nothing is begun by itself.
        autocommit: as sqlite3 has it from Python 3.12 on.
    """

    Error = sqlite3.Error
    Warning = sqlite3.Warning
    InterfaceError = sqlite3.InterfaceError
    DatabaseError = sqlite3.DatabaseError
    DataError = sqlite3.DataError
    OperationalError = sqlite3.OperationalError
    IntegrityError = sqlite3.IntegrityError
    InternalError = sqlite3.InternalError
    ProgrammingError = sqlite3.ProgrammingError
    NotSupportedError = sqlite3.NotSupportedError

    def __init__(
        self,
        session: Session,
        *,
        isolation_level: str | None = "",
        autocommit: Any = _LEGACY,
    ) -> None:
        self.isolation_level = isolation_level
        self.autocommit = autocommit
        self.row_factory: Any = None
        self.text_factory: Any = str
        self.total_changes = 0
        self._session = session
        self._ownership = Ownership("connection")
        self._is_closed = False

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun."""
        return self._session.status is not TransactionStatus.IDLE

    def cursor(self, factory: Any = None) -> "Cursor":
        """Return a cursor."""
        if factory is not None:
            refuse_here("sqlite3 cursors of a class of one's own", "leave factory out")
        self._check_open()
        return Cursor(self)

    def execute(self, sql: str, parameters: Any = ()) -> "Cursor":
        """Execute a statement on a cursor of its own."""
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> "Cursor":
        """Execute a statement for each set of values."""
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str) -> NoReturn:
        """Refuse: a script of several statements."""
        refuse_here("executescript is not in the model", "execute one by one")

    def commit(self) -> None:
        """Commit, if a transaction has begun."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Roll back, if a transaction has begun."""
        self._end("ROLLBACK")

    def _end(self, command: str) -> None:
        self._check_open()
        if self.autocommit is True or not self.in_transaction:
            return
        with self._ownership:
            self._answer(command, ())
            if self.autocommit is False:
                self._answer("BEGIN", ())

    def perform(self, sql: str, values: tuple[Any, ...]) -> Answer:
        """Perform a statement, in a transaction if sqlite3 begins one for it."""
        self._check_open()
        with self._ownership:
            if not self.in_transaction and self._begins(sql):
                word = "" if self.autocommit is False else self.isolation_level
                self._answer(f"BEGIN {word}".strip(), ())
            answer = self._answer(sql, values)
        if _CHANGES.match(sql):
            self.total_changes += max(answer.rows_count, 0)
        return answer

    def _begins(self, sql: str) -> bool:
        if self.autocommit == _LEGACY:
            return self.isolation_level is not None and bool(_CHANGES.match(sql))
        return not self.autocommit

    def _answer(self, sql: str, values: tuple[Any, ...]) -> Answer:
        try:
            return wait_for(self._session.execute(sql, values))  # type: ignore[no-any-return]  # it awaits
        except SQLError as error:
            raise error_from(error) from None

    def create_function(self, name: str, *rest: Any, **named: Any) -> None:
        """Do nothing: SQL that calls the function is refused by its name."""

    def _check_open(self) -> None:
        if self._is_closed:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")

    def close(self) -> None:
        """Close; what was not committed is rolled back."""
        if not self._is_closed:
            self._is_closed = True
            if not is_unwinding():
                wait_for(self._session.close())

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or not hasattr(sqlite3.Connection, name):
            raise AttributeError(f"sqlite3's connection has no attribute {name!r}")
        refuse_here(f"sqlite3's connection.{name} is not in the model", "leave it out")


class Cursor:
    """A cursor as sqlite3 has it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.description: tuple[Any, ...] | None = None
        self.row_factory = connection.row_factory
        self._rows: Iterator[Any] = iter(())

    def execute(self, sql: str, parameters: Any = ()) -> "Cursor":
        """Execute one statement: one step, or more where it waits."""
        self._take(self.connection.perform(*_bound(sql, parameters)), sql)
        return self

    def _take(self, answer: Answer, sql: str) -> None:
        is_change = _CHANGES.match(sql) is not None
        self.rowcount = answer.rows_count if is_change else -1
        self.lastrowid = answer.last_row_id or self.lastrowid
        self.description = (
            tuple([(column.name, *[None] * 6) for column in answer.columns]) or None
        )
        rows = answer.rows
        if self.row_factory is not None:
            make = _row_maker(self.row_factory, self)
            rows = tuple([make(row) for row in rows])
        self._rows = iter(rows)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> "Cursor":
        """Execute a statement for each set of values."""
        count = 0
        for values in parameters:
            self.execute(sql, values)
            count += max(self.rowcount, 0)
        self.rowcount = count
        return self

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows."""
        count = self.arraysize if size is None else size
        return [row for _, row in zip(range(count), self._rows, strict=False)]

    def fetchall(self) -> list[Any]:
        """Return the rest of the rows."""
        return list(self._rows)

    def __iter__(self) -> "Cursor":
        return self

    def __next__(self) -> Any:
        return next(self._rows)

    def close(self) -> None:
        """Forget the rows."""
        self._rows = iter(())

    def setinputsizes(self, sizes: Any) -> None:
        """Do nothing, as sqlite3."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing, as sqlite3."""


def _row_maker(factory: Any, cursor: Cursor) -> Callable[[Any], Any]:
    if factory is sqlite3.Row:
        names = tuple([one[0] for one in cursor.description or ()])
        return lambda row: sqlite3.Row(_described(names), row)
    return lambda row: factory(cursor, row)


@cache
def _described(names: tuple[str, ...]) -> sqlite3.Cursor:
    """Return a real cursor whose columns have these names; a Row wants one."""
    quoted = ", ".join(['NULL AS "' + name.replace('"', '""') + '"' for name in names])
    real = getattr(sqlite3.connect, "outside_of_worlds", sqlite3.connect)
    cursor: sqlite3.Cursor = real(":memory:").execute(f"SELECT {quoted}")
    return cursor


@cache
def _numbered(sql: str) -> tuple[str, tuple[str | int, ...]]:
    """Return a statement with $1, $2, ... and what each stands for."""
    places: list[str | int] = []
    count = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal count
        number, name = found.groups()
        if name is None and number is None:
            return found.group(0)
        place: str | int = name
        if name is None:
            count = int(number) if number else count + 1
            place = count
        if place not in places:
            places.append(place)
        return f"${places.index(place) + 1}"

    return _PLACEHOLDER.sub(mark, sql), tuple(places)


def _bound(sql: str, parameters: Any) -> tuple[str, tuple[Any, ...]]:
    text, places = _numbered(sql)
    if isinstance(parameters, Mapping):
        for place in places:
            if place not in parameters:
                raise sqlite3.ProgrammingError(
                    f"You did not supply a value for binding parameter :{place}."
                )
        return text, tuple([_plain(parameters[place]) for place in places])
    numbers = [
        place if isinstance(place, int) else number
        for number, place in enumerate(places, 1)
    ]
    count = max(numbers, default=0)
    if len(parameters) != count:
        raise sqlite3.ProgrammingError(
            "Incorrect number of bindings supplied. The current statement uses"
            f" {count}, and there are {len(parameters)} supplied."
        )
    return text, tuple([_plain(parameters[number - 1]) for number in numbers])


def _plain(value: Any) -> Any:
    """Return what SQLite stores for a value."""
    if value is None or type(value) in (int, str, float, bytes):
        return value
    if isinstance(value, bool):
        return int(value)
    adapted: Any = sqlite3.adapt(value, sqlite3.PrepareProtocol, value)
    if isinstance(adapted, str):
        return "".join(adapted)
    for kind in (int, float):
        if isinstance(adapted, kind):
            return kind(adapted)
    if isinstance(adapted, bytearray | memoryview | bytes):
        return bytes(adapted)
    raise sqlite3.ProgrammingError(
        f"Error binding parameter: type '{type(value).__name__}' is not supported"
    )


def error_from(error: SQLError) -> sqlite3.Error:
    """Return the exception that sqlite3 raises for an error of the database."""
    kind, code, name = _ERRORS.get(
        error.sqlstate[:2],
        (sqlite3.OperationalError, sqlite3.SQLITE_ERROR, "SQLITE_ERROR"),
    )
    made = kind(error.message)
    made.sqlite_errorcode, made.sqlite_errorname = code, name
    return made


def connection_to(
    database: Sessions, *, timeout: float = _TIMEOUT_SECONDS, **options: Any
) -> Connection:
    """Return a connection to a database of a world.

    Args:
        database: gives the session.
        timeout: in seconds; 0: it does not wait for the database's lock.
        options: of `Connection`.
    """
    session = database.session()
    vars(session)["waits"] = timeout > 0
    return Connection(session, **options)


def connect(database: Any, *positional: Any, **named: Any) -> Connection:
    """Return a connection to the world's database, as sqlite3.connect does."""
    options = {**dict(zip(_OPTIONS, positional, strict=False)), **named}
    if options.get("detect_types") or options.get("factory"):
        refuse_here(
            "sqlite3.connect with detect_types or factory is not in the model",
            "leave them out",
        )
    address = str(database)
    name = PurePath(address.removeprefix("file:").partition("?")[0]).name
    found = reached("sqlite", name, address)
    kept = {one: options[one] for one in _KEPT if one in options}
    return connection_to(found, **kept)


def install() -> None:
    """Let sqlite3's `connect` reach the world's database while a task runs."""
    replace(sqlite3, "connect", connect)

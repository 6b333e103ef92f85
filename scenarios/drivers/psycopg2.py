"""psycopg2 over a world's sessions: connections and cursors in Python.

psycopg2's own are C objects that cannot be without a server, so these are others with
the same methods; exceptions, rows, adapters and `sql` objects are psycopg2's own.

Known gap: they are no instances of `psycopg2.extensions.connection` and `cursor`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, NoReturn

import psycopg2
import psycopg2.extensions as extensions
import psycopg2.extras as extras
import psycopg2.sql as sql
from psycopg2 import errors

from wavecheck.scenarios.drivers.ownership import Ownership
from wavecheck.scenarios.drivers.reaching import Sessions, reached, replace
from wavecheck.scenarios.server import psycopg2 as server
from wavecheck.scenarios.sql.session import (
    Answer,
    Session,
    SQLError,
    TransactionStatus,
)
from wavecheck.sim.blocking import is_unwinding, wait_for
from wavecheck.sim.surroundings import refuse_here

_STATUS: Final = {
    TransactionStatus.IDLE: extensions.TRANSACTION_STATUS_IDLE,
    TransactionStatus.IN_TRANSACTION: extensions.TRANSACTION_STATUS_INTRANS,
    TransactionStatus.FAILED: extensions.TRANSACTION_STATUS_INERROR,
}
_LEVELS: Final = {
    extensions.ISOLATION_LEVEL_READ_UNCOMMITTED: "READ UNCOMMITTED",
    extensions.ISOLATION_LEVEL_READ_COMMITTED: "READ COMMITTED",
    extensions.ISOLATION_LEVEL_REPEATABLE_READ: "REPEATABLE READ",
    extensions.ISOLATION_LEVEL_SERIALIZABLE: "SERIALIZABLE",
}
_PLACEHOLDER: Final = re.compile(r"%(?:\((\w+)\)s|(s)|(%)|(.?))", re.DOTALL)
_OIDS: Final = {
    **{"bool": 16, "bytea": 17, "int8": 20, "int2": 21, "int4": 23, "text": 25},
    **{"json": 114, "float4": 700, "float8": 701, "varchar": 1043, "date": 1082},
    **{"time": 1083, "timestamp": 1114, "timestamptz": 1184, "interval": 1186},
    **{"numeric": 1700, "uuid": 2950, "jsonb": 3802},
}
_LOADS: Final[dict[str, Callable[[Any], Any]]] = {
    "json": json.loads,
    "jsonb": json.loads,
    "uuid": str,
    "bytea": memoryview,
}


class _Spliced(str):
    """SQL text that an adapter of the user's puts in the place of a value."""

    __slots__ = ()


class Connection:
    """A connection as psycopg2 has it.

    Args:
        session: of the world's database.
        dsn: as the code gave it.
        cursor_factory: class of cursors, unless `cursor` is told another.
    """

    Error = psycopg2.Error
    Warning = psycopg2.Warning
    InterfaceError = psycopg2.InterfaceError
    DatabaseError = psycopg2.DatabaseError
    DataError = psycopg2.DataError
    OperationalError = psycopg2.OperationalError
    IntegrityError = psycopg2.IntegrityError
    InternalError = psycopg2.InternalError
    ProgrammingError = psycopg2.ProgrammingError
    NotSupportedError = psycopg2.NotSupportedError

    encoding = "UTF8"
    server_version = 180000
    protocol_version = 3

    def __init__(
        self, session: Session, dsn: str = "", cursor_factory: Any = None
    ) -> None:
        self.dsn = dsn
        self.cursor_factory = cursor_factory
        self.closed = 0
        self.casters: dict[int, Callable[[Any], Any]] = {}
        self.notices: list[str] = []
        self.notifies: list[Any] = []
        self._session = session
        self._ownership = Ownership("connection")
        self._is_autocommit = False
        self._is_entered = False
        self._level: int | None = None
        self._access = ""

    # Transactions -----------------------------------------------------------------

    @property
    def status(self) -> int:
        """Whether a transaction has begun."""
        idle = self._session.status is TransactionStatus.IDLE
        return extensions.STATUS_READY if idle else extensions.STATUS_BEGIN

    @property
    def info(self) -> Any:
        """What pools ask: the status of the transaction."""
        return SimpleNamespace(
            transaction_status=self.get_transaction_status(),
            server_version=self.server_version,
            dsn=self.dsn,
        )

    def get_transaction_status(self) -> int:
        """Return the status of the transaction as libpq says it."""
        if self.closed:
            return extensions.TRANSACTION_STATUS_UNKNOWN
        return _STATUS[self._session.status]

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own."""
        return self._is_autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        self.set_session(autocommit=value)

    @property
    def isolation_level(self) -> int | None:
        """Isolation level of the next transactions; None: the server's."""
        return self._level

    @isolation_level.setter
    def isolation_level(self, value: Any) -> None:
        self.set_session(isolation_level=value)

    def set_isolation_level(self, level: int | None) -> None:
        """Set the isolation level; 0 is autocommit; rolls back, as psycopg2 does."""
        self.rollback()
        self._is_autocommit = level == extensions.ISOLATION_LEVEL_AUTOCOMMIT
        self._level = level or None

    def set_session(
        self,
        isolation_level: Any = None,
        readonly: bool | None = None,
        deferrable: bool | None = None,
        autocommit: bool | None = None,
    ) -> None:
        """Set how transactions begin."""
        self._check_open()
        if self._session.status is not TransactionStatus.IDLE:
            raise psycopg2.ProgrammingError(
                "set_session cannot be used inside a transaction"
            )
        if isinstance(isolation_level, str):
            names = {name: level for level, name in _LEVELS.items()}
            isolation_level = names.get(isolation_level.upper())
        if isolation_level is not None:
            self._level = isolation_level
        if readonly is not None:
            self._access += " READ ONLY" if readonly else " READ WRITE"
        if deferrable is not None:
            self._access += " DEFERRABLE" if deferrable else " NOT DEFERRABLE"
        if autocommit is not None:
            self._is_autocommit = bool(autocommit)

    def commit(self) -> None:
        """Commit, if a transaction has begun."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """Roll back, if a transaction has begun."""
        self._end("ROLLBACK")

    def reset(self) -> None:
        """Roll back and forget what was set."""
        self.rollback()
        self._is_autocommit, self._level, self._access = False, None, ""

    def _end(self, command: str) -> None:
        self._check_open()
        if self._session.status is not TransactionStatus.IDLE:
            with self._ownership:
                self._answer(command, ())

    def __enter__(self) -> "Connection":
        self._check_open()
        if self._is_entered:
            raise psycopg2.ProgrammingError(
                "the connection cannot be re-entered recursively"
            )
        self._is_entered = True
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._is_entered = False
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def close(self) -> None:
        """Close; what was not committed is rolled back."""
        if not self.closed:
            self.closed = 1
            if not is_unwinding():
                wait_for(self._session.close())

    # Statements -------------------------------------------------------------------

    def cursor(
        self,
        name: str | None = None,
        cursor_factory: Any = None,
        scrollable: bool | None = None,
        withhold: bool = False,
    ) -> "Cursor":
        """Return a cursor."""
        self._check_open()
        if name is not None:
            refuse_here("a server-side cursor is not in the model", "--db URL")
        factory = cursor_factory or self.cursor_factory or extensions.cursor
        return Cursor(self, _row_maker(factory))

    def perform(self, text: str, values: Sequence[Any]) -> Answer:
        """Perform a statement, in a transaction that is begun if there is none."""
        with self._ownership:
            is_begun = self._session.status is not TransactionStatus.IDLE
            if not is_begun and (self._is_entered or not self._is_autocommit):
                level = _LEVELS.get(self._level or 0)
                begin = f"BEGIN ISOLATION LEVEL {level}" if level else "BEGIN"
                self._answer(begin + self._access, ())
            return self._answer(text, values)

    def _answer(self, text: str, values: Sequence[Any]) -> Answer:
        try:
            return wait_for(self._session.execute(text, values))  # type: ignore[no-any-return]  # it awaits
        except SQLError as error:
            raise error_from(error) from None

    def _check_open(self) -> None:
        if self.closed:
            raise psycopg2.InterfaceError("connection already closed")

    def get_backend_pid(self) -> int:
        """Return a process id."""
        return 1

    def get_parameter_status(self, parameter: str) -> str | None:
        """Return a setting of the server's that clients are told."""
        known = {"server_version": "18.0", "TimeZone": "UTC", "client_encoding": "UTF8"}
        return known.get(parameter)

    def set_client_encoding(self, encoding: str) -> None:
        """Do nothing: text is text here."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or not hasattr(extensions.connection, name):
            raise AttributeError(f"psycopg2's connection has no attribute {name!r}")
        refuse_here(f"psycopg2's connection.{name} is not in the model", "--db URL")


class Cursor:
    """A cursor as psycopg2 has it.

    Args:
        connection: its connection.
        make_rows: makes rows of the names of columns and their values.
    """

    name = None
    scrollable = None
    withhold = False
    lastrowid = 0
    itersize = 2000

    def __init__(self, connection: Connection, make_rows: Any) -> None:
        self.connection = connection
        self.arraysize = 1
        self.closed = False
        self.query: bytes | None = None
        self.rowcount = -1
        self.rownumber = 0
        self.statusmessage: str | None = None
        self.description: tuple[Any, ...] | None = None
        self._make_rows = make_rows
        self._rows: list[Any] | None = None

    def execute(self, query: Any, vars: Any = None) -> None:
        """Execute one statement: one step, or more where it waits."""
        if self.closed:
            raise psycopg2.InterfaceError("cursor already closed")
        self.connection._check_open()
        text, values = _bound(_text_of(query, self), vars)
        self._rows, self.description, self.rowcount = None, None, -1
        answer = self.connection.perform(text, values)
        self.query = text.encode()
        self._take(answer)

    def _take(self, answer: Answer) -> None:
        self.rowcount, self.rownumber = answer.rows_count, 0
        self.statusmessage = answer.command
        if answer.rows_count >= 0:
            zero = " 0" if answer.command == "INSERT" else ""
            self.statusmessage += f"{zero} {answer.rows_count}"
        if not answer.columns and answer.command != "SELECT":
            return
        names = [column.name for column in answer.columns]
        self.description = tuple(
            [
                extensions.Column(one.name, _OIDS.get(one.type_name, 0))
                for one in answer.columns
            ]
        )
        casters = self.connection.casters
        loads = [
            casters.get(_OIDS.get(column.type_name, 0), _LOADS.get(column.type_name))
            for column in answer.columns
        ]
        rows: Iterable[Any] = answer.rows
        if any(loads):
            rows = [
                tuple(
                    [
                        value if load is None or value is None else load(value)
                        for value, load in zip(row, loads, strict=True)
                    ]
                )
                for row in rows
            ]
        self._rows = self._make_rows(names, rows)

    def executemany(self, query: Any, vars_list: Iterable[Any]) -> None:
        """Execute a statement for each set of values."""
        count = 0
        for vars in vars_list:
            self.execute(query, vars)
            count += max(self.rowcount, 0)
        self._rows, self.rowcount = None, count

    def mogrify(self, query: Any, vars: Any = None) -> bytes:
        """Return a statement with its values as literals."""
        text = _text_of(query, self)
        if vars is None:
            return text.encode()
        if isinstance(vars, Mapping):
            literals: Any = {name: _literal(value) for name, value in vars.items()}
        else:
            literals = tuple([_literal(value) for value in vars])
        written: str = text % literals
        return written.encode()

    def _fetched(self) -> list[Any]:
        if self.closed:
            raise psycopg2.InterfaceError("cursor already closed")
        if self._rows is None:
            raise psycopg2.ProgrammingError("no results to fetch")
        return self._rows

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        taken = self.fetchmany(1)
        return taken[0] if taken else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return the next rows."""
        rows, begin = self._fetched(), self.rownumber
        self.rownumber = min(
            len(rows), begin + (self.arraysize if size is None else size)
        )
        return rows[begin : self.rownumber]

    def fetchall(self) -> list[Any]:
        """Return the rest of the rows."""
        return self.fetchmany(len(self._fetched()))

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move among the rows."""
        place = value if mode == "absolute" else self.rownumber + value
        if not 0 <= place < len(self._fetched()):
            raise psycopg2.ProgrammingError("scroll destination out of bounds")
        self.rownumber = place

    def __iter__(self) -> Iterator[Any]:
        while self.rownumber < len(self._fetched()):
            yield self.fetchone()

    def close(self) -> None:
        """Close; the rows are gone."""
        self.closed = True

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def setinputsizes(self, sizes: Any) -> None:
        """Do nothing, as psycopg2."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Do nothing, as psycopg2."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_") or not hasattr(extensions.cursor, name):
            raise AttributeError(f"psycopg2's cursor has no attribute {name!r}")
        refuse_here(f"psycopg2's cursor.{name} is not in the model", "--db URL")


def _row_maker(factory: type[Any]) -> Callable[[list[str], Iterable[Any]], list[Any]]:
    """Return what makes the rows that a class of cursors gives."""
    if factory is extensions.cursor:
        return lambda names, rows: list(rows)
    if factory is extras.RealDictCursor:
        return lambda names, rows: [
            extras.RealDictRow(zip(names, row, strict=True)) for row in rows
        ]
    if factory is extras.NamedTupleCursor:
        return lambda names, rows: list(map(_named(tuple(names))._make, rows))
    if factory is not extras.DictCursor:
        _refuse_factory(factory)
    return _dict_rows


def _refuse_factory(factory: type[Any]) -> NoReturn:
    refuse_here(
        f"psycopg2 cursors of the class {factory.__qualname__} are not in the model",
        "use a cursor of psycopg2.extras, or --db URL",
    )


@cache
def _named(names: tuple[str, ...]) -> Any:
    make: Any = extras.NamedTupleCursor
    return make._do_make_nt(names)


def _dict_rows(names: list[str], rows: Iterable[Any]) -> list[Any]:
    cursor = SimpleNamespace(
        index={name: place for place, name in enumerate(names)}, description=names
    )
    found = []
    for values in rows:
        row = extras.DictRow(cursor)
        row[:] = values
        found.append(row)
    return found


# Values ---------------------------------------------------------------------------


def _text_of(query: Any, context: Any) -> str:
    if isinstance(query, sql.Composable):
        return str(query.as_string(context))
    return query.decode() if isinstance(query, bytes) else str(query)


@cache
def _parts(text: str) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Split a query at its placeholders; None stands for one without a name."""
    pieces, names, end = [""], [], 0
    for found in _PLACEHOLDER.finditer(text):
        pieces[-1] += text[end : found.start()]
        end = found.end()
        name, is_plain, is_percent, other = found.groups()
        if is_percent:
            pieces[-1] += "%"
        elif name is None and not is_plain:
            raise ValueError(f"unsupported format character {other!r}")
        else:
            names.append(name)
            pieces.append("")
    pieces[-1] += text[end:]
    return tuple(pieces), tuple(names)


def _bound(text: str, vars: Any) -> tuple[str, tuple[Any, ...]]:
    """Return a query with $1, $2, ... and their values."""
    if vars is None:
        return text, ()
    pieces, names = _parts(text)
    if isinstance(vars, Mapping):
        given = [vars[name] for name in names if name is not None]
    else:
        given = list(vars)
    if len(given) < len(names):
        raise IndexError("tuple index out of range")
    if len(given) > len(names):
        raise TypeError("not all arguments converted during string formatting")
    values: list[Any] = []

    def mark(value: Any) -> str:
        if isinstance(value, tuple):
            return f"({', '.join([mark(one) for one in value])})"
        plain = _plain(value)
        if isinstance(plain, _Spliced):
            return plain
        values.append(plain)
        return f"${len(values)}"

    written = [pieces[0]]
    for value, piece in zip(given, pieces[1:], strict=True):
        written += (mark(value), piece)
    return "".join(written), tuple(values)


def _plain(value: Any) -> Any:
    """Return the value that the server gets; or text, where an adapter writes it."""
    if value is None or type(value) in (int, str, float, bool, Decimal, bytes):
        return value
    if isinstance(value, list):
        return [_plain(one) for one in value]
    adapted = extensions.adapt(value)  # raises what psycopg2 raises
    if isinstance(adapted, extras.Json):
        return adapted.dumps(adapted.adapted)
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, int):
        return int(value)
    if type(value).__module__ in ("datetime", "uuid"):
        return value
    if isinstance(adapted, extensions.Binary):
        return bytes(adapted.adapted)
    return _Spliced(adapted.getquoted().decode())


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join([_literal(one) for one in value])})"
    adapted = extensions.adapt(value)
    if isinstance(adapted, extensions.QuotedString):
        adapted.encoding = "utf8"
    return str(adapted.getquoted().decode())


class _Diagnostics:
    """What an error says beside its message."""

    def __init__(self, error: SQLError) -> None:
        self.severity = self.severity_nonlocalized = "ERROR"
        self.sqlstate = error.sqlstate
        self.message_primary = error.message
        self.message_detail = error.detail or None
        self.constraint_name = error.constraint or None

    def __getattr__(self, name: str) -> None:
        return None


@cache
def _error_type(sqlstate: str) -> type[psycopg2.Error]:
    """Return the class that psycopg2 raises, with diagnostics that can be set."""
    try:
        kind = errors.lookup(sqlstate)
    except KeyError:
        kind = psycopg2.DatabaseError
    members = {"diag": None, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), members)


def error_from(error: SQLError) -> psycopg2.Error:
    """Return the exception that psycopg2 raises for an error of the server."""
    detail = f"\nDETAIL:  {error.detail}" if error.detail else ""
    text = f"{error.message}{detail}\n"
    made: Any = _error_type(error.sqlstate)(text)
    made.__setstate__({"pgcode": error.sqlstate, "pgerror": f"ERROR:  {text}"})
    made.diag = _Diagnostics(error)
    return made  # type: ignore[no-any-return]  # of the type above


# What psycopg2 offers in its modules ----------------------------------------------


def connection_to(
    database: Sessions, dsn: str = "", cursor_factory: Any = None
) -> Connection:
    """Return a connection to a database of a world."""
    on_server = getattr(database, "on_server", None)
    if on_server is not None:
        return server.connection_to(on_server, cursor_factory)  # type: ignore[no-any-return]  # psycopg2's own
    return Connection(database.session(), dsn, cursor_factory)


def connect(
    dsn: str | None = None,
    connection_factory: Any = None,
    cursor_factory: Any = None,
    **named: Any,
) -> Connection:
    """Return a connection to the world's database, as psycopg2.connect does."""
    if connection_factory not in (None, extensions.connection):
        refuse_here(
            "psycopg2 connections of a class of one's own are not in the model",
            "leave connection_factory out, or --db URL",
        )
    address = extensions.make_dsn(dsn, **named)
    name = extensions.parse_dsn(address).get("dbname", "")
    return connection_to(
        reached("postgresql", name, dsn or name), address, cursor_factory
    )


def _execute_batch(
    cursor: Cursor, query: Any, argslist: Iterable[Any], page_size: int = 100
) -> None:
    """Execute statements that psycopg2 sends together: each is a step of its own."""
    for values in argslist:
        cursor.execute(query, values)


def _register_type(caster: Any, scope: Any = None) -> None:
    """Let a connection make values of some types by a caster, which reads text."""
    if scope is None:
        refuse_here(
            "a psycopg2 caster is registered for all connections in a task",
            "register it where the module is imported, or for one connection",
        )
    connection = scope.connection if isinstance(scope, Cursor) else scope
    for oid in caster.values:
        connection.casters[oid] = lambda value: caster(str(value), None)


def _quote_ident(name: str, scope: Any) -> str:
    return '"' + name.replace('"', '""') + '"'


def install() -> None:
    """Let psycopg2's `connect` reach the world's database while a task runs."""
    replace(psycopg2, "connect", connect)
    replace(extras, "execute_batch", _execute_batch)
    replace(extensions, "quote_ident", _quote_ident)
    replace(extensions, "register_type", _register_type)
    replace(sql.Literal, "as_string", lambda self, context: _literal(self.wrapped))

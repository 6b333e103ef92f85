"""psycopg 3 over a world's sessions: the real classes, without libpq under them.

Connections, cursors, transactions, row factories and errors are psycopg's own code.
Below it stands, instead of libpq's connection, a session of the world: what psycopg's
generators yield to wait for the network is here the statement that is awaited.

It reads names of psycopg that are not public; a contract test guards them.
"""

import sys
from collections.abc import (
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from datetime import datetime
from functools import cache, partial
from typing import Any, Final, NoReturn

import psycopg
from psycopg import errors, postgres, pq, sql
from psycopg._py_transformer import Transformer
from psycopg._queries import PostgresQuery
from psycopg.conninfo import conninfo_to_dict

from wavecheck.scenarios.drivers.ownership import Ownership
from wavecheck.scenarios.drivers.reaching import Sessions, reached, replace
from wavecheck.scenarios.server import psycopg3 as server
from wavecheck.scenarios.sql.session import (
    Answer,
    Session,
    SQLError,
    TransactionStatus,
)
from wavecheck.sim.blocking import is_unwinding, wait_for
from wavecheck.sim.surroundings import refuse_here

_STATUS: Final = {
    TransactionStatus.IDLE: pq.TransactionStatus.IDLE,
    TransactionStatus.IN_TRANSACTION: pq.TransactionStatus.INTRANS,
    TransactionStatus.FAILED: pq.TransactionStatus.INERROR,
}
_SETTINGS: Final = {
    b"client_encoding": b"UTF8",
    b"server_encoding": b"UTF8",
    b"server_version": b"18.0",
    b"standard_conforming_strings": b"on",
    b"TimeZone": b"UTC",
    b"DateStyle": b"ISO, MDY",
    b"IntervalStyle": b"postgres",
    b"integer_datetimes": b"on",
}
_FIELDS: Final[dict[pq.DiagnosticField, Callable[[SQLError], str]]] = {
    pq.DiagnosticField.SEVERITY: lambda error: "ERROR",
    pq.DiagnosticField.SEVERITY_NONLOCALIZED: lambda error: "ERROR",
    pq.DiagnosticField.SQLSTATE: lambda error: error.sqlstate,
    pq.DiagnosticField.MESSAGE_PRIMARY: lambda error: error.message,
    pq.DiagnosticField.MESSAGE_DETAIL: lambda error: error.detail,
    pq.DiagnosticField.CONSTRAINT_NAME: lambda error: error.constraint,
}
_COUNTED: Final = ("SELECT", "UPDATE", "DELETE", "MERGE", "FETCH", "MOVE", "COPY")


class _Line:
    """Stands where psycopg keeps libpq's connection.

    Attributes:
        session: of the world's database.
        status: open or closed, as libpq says it.
    """

    _encoding = "utf-8"
    socket = -1
    pipeline_status = pq.PipelineStatus.OFF
    server_version = 180000
    backend_pid = 1
    error_message = b""
    host = db = user = hostaddr = options = password = b""
    port = b"5432"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.status = pq.ConnStatus.OK
        self.notice_handler = self.notify_handler = None

    @property
    def transaction_status(self) -> pq.TransactionStatus:
        if self.status is not pq.ConnStatus.OK:
            return pq.TransactionStatus.UNKNOWN
        return _STATUS[self.session.status]

    def parameter_status(self, name: bytes) -> bytes | None:
        return _SETTINGS.get(name)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse_here(
            f"psycopg's {name} needs a server, and the model has no such thing",
            "--db URL runs it on PostgreSQL itself",
        )


class _Result:
    """An answer as psycopg reads results."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.rows = answer.rows
        is_table = bool(answer.columns) or answer.command == "SELECT"
        ok = pq.ExecStatus
        self.status = ok.TUPLES_OK if is_table else ok.COMMAND_OK
        self.ntuples = len(answer.rows)
        self.nfields = len(answer.columns)

    @property
    def command_status(self) -> bytes:
        command, count = self._answer.command, self._answer.rows_count
        if command == "INSERT":
            return f"INSERT 0 {count}".encode()
        return f"{command} {count}".encode() if count >= 0 else command.encode()

    @property
    def command_tuples(self) -> int | None:
        count = self._answer.rows_count
        return count if count >= 0 else None

    def fname(self, index: int) -> bytes:
        return self._answer.columns[index].name.encode()

    def ftype(self, index: int) -> int:
        return oid_of(self._answer.columns[index].type_name)

    def fmod(self, index: int) -> int:
        return -1

    def fsize(self, index: int) -> int:
        return -1


@cache
def oid_of(type_name: str) -> int:
    """Return the OID of a type by its name; an array type ends in `[]`."""
    info = postgres.types.get(type_name.removesuffix("[]"))
    if info is None:
        return 0
    return info.array_oid if type_name.endswith("[]") else info.oid


class _Failure:
    """An error as psycopg reads it from a result."""

    def __init__(self, error: SQLError) -> None:
        self._error = error

    def error_field(self, field: pq.DiagnosticField) -> bytes | None:
        read = _FIELDS.get(field)
        found: str = read(self._error) if read is not None else ""
        return found.encode() if found else None

    def get_error_message(self, encoding: str = "") -> str:
        detail = self._error.detail
        return self._error.message + (f"\nDETAIL:  {detail}" if detail else "")


class _Rows(Transformer):
    """Adapts parameters as psycopg does; rows are Python's values already."""

    __slots__ = ("_rows",)

    connection = None  # dumpers in C would want libpq's

    def set_pgresult(self, result: Any, **options: Any) -> None:
        self._rows = result.rows if result is not None else ()
        if self._rows:
            loads = [
                self._load_of(result.ftype(place)) for place in range(result.nfields)
            ]
            if any(loads):
                self._rows = [
                    tuple(
                        [
                            value if load is None or value is None else load(value)
                            for value, load in zip(row, loads, strict=True)
                        ]
                    )
                    for row in self._rows
                ]

    def _load_of(self, oid: int) -> Callable[[Any], Any] | None:
        """Return what a loader makes of a value that is none of Python's yet.

        That is a document, or whatever the code under test has a loader of its own for.
        """
        if oid in _DOCUMENTS:
            one = self._load_of(_DOCUMENTS[oid])
            assert one is not None
            return lambda items: [None if each is None else one(each) for each in items]
        kind = self.adapters.get_loader(oid, pq.Format.TEXT)
        if kind is _DEFAULTS.get(oid) or kind is None:
            return None
        loader = kind(oid, self)
        return lambda value: loader.load(_text_of(value))

    def load_row(self, row: int, make_row: Any) -> Any:
        return make_row(self._rows[row])

    def load_rows(self, row0: int, row1: int, make_row: Any) -> list[Any]:
        return [make_row(row) for row in self._rows[row0:row1]]


_DEFAULTS: Final = {
    oid: psycopg.adapters.get_loader(oid, pq.Format.TEXT)
    for info in postgres.types
    if info.name not in ("json", "jsonb")  # their values are text here
    for oid in (info.oid, info.array_oid)
}

_DOCUMENTS: Final = {
    postgres.types[name].array_oid: postgres.types[name].oid
    for name in ("json", "jsonb")
}
"""Types of arrays of documents, each with that of its items."""


def _text_of(value: Any) -> bytes:
    """Return a value as the server would write it."""
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(":00").encode()
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return str(value).encode()


class _Query(PostgresQuery):
    """A query that keeps its parameters as Python's values."""

    __slots__ = ("values",)

    def dump(self, vars: Any) -> None:
        self.values: Sequence[Any] = ()
        if vars is not None:
            given = self.validate_and_reorder_params(self._parts, vars, self._order)
            self.values = tuple([_plain(self._tx, value) for value in given])


_PLAIN: Final = frozenset({int, str, float, bool, bytes, type(None)})


def _plain(tx: Any, value: Any) -> Any:
    """Return what the server gets for a value, as a plain value.

    A value whose type is not a plain one is adapted by psycopg and read back.
    """
    if type(value) in _PLAIN:
        return value
    (dumped,) = tx.dump_sequence([value], [psycopg.adapt.PyFormat.TEXT])
    (oid,) = tx.types
    if dumped is None or oid in _AS_TEXT:
        return None if dumped is None else bytes(dumped).decode()
    return tx.get_loader(oid, pq.Format.TEXT).load(dumped)


_AS_TEXT: Final = frozenset(
    {0, *(oid_of(name) for name in ("text", "varchar", "json", "jsonb", "unknown"))}
)


class _Cursor:
    """What a cursor does otherwise than psycopg's own; mixed in before it."""

    __slots__ = ()

    def _start_query(self: Any, query: Any = None) -> Generator[Any, Any, None]:
        if self.closed:
            raise errors.InterfaceError("the cursor is closed")
        self._reset()
        self._last_query = None
        self._tx = _Rows(self)
        yield from self._conn._start_query()

    def _maybe_prepare_gen(
        self: Any, pgq: Any, *, prepare: Any = None, binary: Any = None
    ) -> Generator[Any, Any, None]:
        self._query = pgq
        values = getattr(pgq, "values", ())
        answer = yield from self._conn._answer(pgq.query.decode(), values)
        self._set_results([_Result(answer)])

    def executemany(
        self: Any, query: Any, params_seq: Iterable[Any], *, returning: bool = False
    ) -> Any:
        with self._conn.lock:
            return self._conn.wait(
                self._executemany_gen_no_pipeline(query, params_seq, returning)
            )

    def stream(
        self: Any,
        query: Any,
        params: Any = None,
        *,
        binary: bool | None = None,
        size: int = 1,
    ) -> Iterator[Any]:
        yield from self.execute(query, params, binary=binary)

    def copy(self: Any, *args: Any, **named: Any) -> NoReturn:
        refuse_here("COPY is not in the model", "use INSERT, or --db URL")


class _Connection:
    """What a connection does otherwise than psycopg's own; mixed in before it."""

    connection = None  # as a context of adaptation it has no libpq to ask

    def __init__(self: Any, pgconn: Any, *args: Any, **named: Any) -> None:
        super().__init__(pgconn, *args, **named)  # type: ignore[call-arg]  # psycopg's
        self._pool = None  # said of no pool, psycopg warns of what is left open
        self.lock = Ownership("connection")
        self.cursor_factory = psycopg.Cursor

    def cursor(self: Any, name: str = "", **named: Any) -> Any:
        if name:
            refuse_here("a server-side cursor is not in the model", "--db URL")
        return super().cursor(**named)  # type: ignore[misc]  # of the class beside

    @property
    def cursor_factory(self) -> Any:
        return self._factory

    @cursor_factory.setter
    def cursor_factory(self, factory: Any) -> None:
        self._factory = _cursor_type(factory)

    def _exec_command(
        self: Any, command: Any, result_format: Any = pq.Format.TEXT
    ) -> Generator[Any, Any, Any]:
        self._check_connection_ok()
        if not isinstance(command, str | bytes):
            command = command.as_bytes(self)
        text = command.decode() if isinstance(command, bytes) else command
        answer = yield from self._answer(text, ())
        return _Result(answer)

    def _answer(
        self: Any, text: str, values: Sequence[Any]
    ) -> Generator[Any, Any, Answer]:
        """Have the session perform a statement; raise what psycopg raises."""
        self._check_connection_ok()
        try:
            answer: Answer = yield self.pgconn.session.execute(text, values)
        except SQLError as error:
            raise error_from(error) from None
        return answer

    def close(self: Any) -> None:
        if self.closed:
            return
        if getattr(self._pool, "close_returns", False):
            self._pool.putconn(self)
            return
        self.wait(self._hang_up())

    def _hang_up(self: Any) -> Generator[Any, Any, None]:
        self._closed, self.pgconn.status = True, pq.ConnStatus.BAD
        if not is_unwinding():
            yield self.pgconn.session.close()

    def wait(self: Any, gen: Any, interval: float = 0, timeout: Any = None) -> Any:
        try:
            awaited = next(gen)
            while True:
                try:
                    result = wait_for(awaited)
                except Exception as error:
                    awaited = gen.throw(error)
                else:
                    awaited = gen.send(result)
        except StopIteration as end:
            return end.value

    def notifies(
        self: Any, *, timeout: float | None = None, stop_after: int | None = None
    ) -> Iterator[Any]:
        """Yield what this session is notified of.

        The end of a time-out is a step that finds nothing: it may come at any moment.
        """
        count = 0
        while stop_after is None or count < stop_after:
            with self.lock:
                found = self.wait(self._notified(timeout))
            if not found:
                return
            count += len(found)
            yield from found

    def _notified(self: Any, timeout: float | None) -> Generator[Any, Any, list[Any]]:
        self._check_connection_ok()
        session = self.pgconn.session
        try:
            found = yield (
                session.wait_for_notices() if timeout is None else session.notices()
            )
        except SQLError as error:
            refuse_here(
                f"notifies() without a timeout would wait for ever: {error.message}",
                "LISTEN before it, with autocommit",
            )
        return [psycopg.Notify(one.channel, one.payload, one.sender) for one in found]

    def add_notify_handler(self, callback: Any) -> NoReturn:
        refuse_here("psycopg's notify handlers are not in the model", "notifies()")

    def pipeline(self) -> NoReturn:
        refuse_here("psycopg's pipeline mode is not in the model", "--db URL")


class _AsyncConnection(_Connection):
    """The same for asyncio."""

    def __init__(self: Any, pgconn: Any, *args: Any, **named: Any) -> None:
        super().__init__(pgconn, *args, **named)
        self.cursor_factory = psycopg.AsyncCursor

    async def wait(self: Any, gen: Any, *limits: Any, **named: Any) -> Any:
        try:
            awaited = next(gen)
            while True:
                try:
                    result = await awaited
                except Exception as error:
                    awaited = gen.throw(error)
                else:
                    awaited = gen.send(result)
        except StopIteration as end:
            return end.value

    async def notifies(  # type: ignore[override]  # it awaits
        self: Any,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as psycopg names it
        stop_after: int | None = None,
    ) -> AsyncIterator[Any]:
        count = 0
        while stop_after is None or count < stop_after:
            async with self.lock:
                found = await self.wait(self._notified(timeout))
            if not found:
                return
            count += len(found)
            for one in found:
                yield one

    async def close(self: Any) -> None:  # type: ignore[override]  # it awaits
        if self.closed:
            return
        if getattr(self._pool, "close_returns", False):
            await self._pool.putconn(self)
            return
        await self.wait(self._hang_up())


class _AsyncCursor(_Cursor):
    """The same for asyncio."""

    __slots__ = ()

    async def executemany(
        self: Any, query: Any, params_seq: Iterable[Any], *, returning: bool = False
    ) -> None:
        async with self._conn.lock:
            await self._conn.wait(
                self._executemany_gen_no_pipeline(query, params_seq, returning)
            )

    async def stream(  # type: ignore[override]  # it awaits
        self: Any,
        query: Any,
        params: Any = None,
        *,
        binary: bool | None = None,
        size: int = 1,
    ) -> AsyncIterator[Any]:
        await self.execute(query, params, binary=binary)
        async for row in self:
            yield row


@cache
def _cursor_type(factory: Any) -> type[Any]:
    """Return a cursor class of the user's or psycopg's, over sessions."""
    if issubclass(factory, _Cursor):
        return factory  # type: ignore[no-any-return]  # a class, as said
    mixin = _AsyncCursor if issubclass(factory, psycopg.AsyncCursor) else _Cursor
    members: dict[str, Any] = {"__slots__": (), "__module__": factory.__module__}
    if factory._query_cls is PostgresQuery:
        members["_query_cls"] = _Query
    return type(factory.__name__, (mixin, factory), members)


@cache
def _connection_type(kind: Any) -> type[Any]:
    """Return a connection class of the user's or psycopg's, over sessions."""
    is_async = issubclass(kind, psycopg.AsyncConnection)
    mixin = _AsyncConnection if is_async else _Connection
    return type(kind.__name__, (mixin, kind), {"__module__": kind.__module__})


def connect(kind: type[Any], conninfo: str = "", **named: Any) -> Any:
    """Return a connection to the world's database, as `connect` of psycopg does."""
    options = {
        name: named.pop(name)
        for name in ("autocommit", "row_factory", "cursor_factory", "context")
        if name in named
    }
    named.pop("prepare_threshold", None)
    name = _database_name(conninfo, tuple(sorted(named.items())))
    return connection_to(reached("postgresql", name, conninfo or name), kind, **options)


@cache
def _database_name(conninfo: str, named: tuple[tuple[str, Any], ...]) -> str:
    return str(conninfo_to_dict(conninfo, **dict(named)).get("dbname") or "")


async def connect_async(kind: type[Any], conninfo: str = "", **named: Any) -> Any:
    """Return the same for asyncio."""
    return connect(kind, conninfo, **named)


def connection_to(
    database: Sessions,
    kind: Any = psycopg.Connection,
    *,
    autocommit: bool = False,
    row_factory: Any = None,
    cursor_factory: Any = None,
    context: Any = None,
) -> Any:
    """Return a connection to a database of a world.

    Args:
        database: gives the session.
        kind: psycopg's class of connections, or one of the user's made of it.
        autocommit: as in psycopg.
        row_factory: as in psycopg.
        cursor_factory: as in psycopg.
        context: as in psycopg.
    """
    on_server = getattr(database, "on_server", None)
    if on_server is not None:
        return server.connection_to(
            on_server,
            kind,
            autocommit=autocommit,
            row_factory=row_factory,
            cursor_factory=cursor_factory,
            context=context,
        )
    connection = _connection_type(kind)(_Line(database.session()))
    connection._autocommit = bool(autocommit)
    if row_factory is not None:
        connection.row_factory = row_factory
    if cursor_factory is not None:
        connection.cursor_factory = cursor_factory
    if context is not None:
        connection._adapters = psycopg.adapt.AdaptersMap(context.adapters)
    return connection


def error_from(error: SQLError) -> errors.Error:
    """Return the exception that psycopg raises for an error of the server."""
    failure: Any = _Failure(error)
    return errors.error_from_result(failure)


class _Escaping:
    """Escapes names without libpq."""

    def escape_identifier(self, name: bytes) -> bytes:
        return b'"' + name.replace(b'"', b'""') + b'"'


def _escaping(line: Any) -> Any:
    return _Escaping() if isinstance(line, _Line) else pq.Escaping(line)


def shared_tables() -> tuple[object, ...]:
    """Return what all connections share until one of them changes it."""
    shared = psycopg.adapters
    for dumpers in shared._dumpers.values():
        for name in [one for one in dumpers if isinstance(one, str)]:
            # psycopg exchanges a name for the class when it first meets a value of it.
            module, _, kind = name.rpartition(".")
            found = getattr(sys.modules.get(module), kind, None)
            if found is not None:
                dumpers[found] = dumpers.pop(name)
    tables = (*shared._dumpers.values(), *shared._dumpers_by_oid, *shared._loaders)
    return (*tables, *shared.types._registry.values())


def install() -> None:
    """Let psycopg's `connect` reach the world's database while a task runs."""
    vars(sql)["Escaping"] = _escaping  # asked where a cursor is the context
    replace(psycopg.Connection, "connect", connect)
    replace(psycopg.AsyncConnection, "connect", connect_async)
    replace(psycopg, "connect", partial(connect, psycopg.Connection))

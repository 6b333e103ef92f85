"""asyncpg over a world's sessions: its own connections and transactions, no protocol.

Connections are asyncpg's class with what talks to the server replaced; transactions,
savepoints and errors are asyncpg's own code. Records are a class of ours, which does
what asyncpg's do, because only its C code can make those.

Known gaps: asyncpg refuses an argument whose type is not that of the parameter, and
here the database says what it thinks of it; `isinstance(row, asyncpg.Record)` is false;
a pool lets nobody wait.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]  # has no types
from asyncpg.connection import Connection, _ConnectionProxy  # type: ignore[import-untyped]  # has no types
from asyncpg.exceptions import InterfaceError, PostgresError  # type: ignore[import-untyped]  # has no types
from asyncpg.pool import Pool  # type: ignore[import-untyped]  # has no types

from wavecheck.scenarios.drivers.reaching import Sessions, reached, replace
from wavecheck.scenarios.sql.session import (
    Answer,
    Session,
    SQLError,
    TransactionStatus,
)
from wavecheck.sim.surroundings import refuse_here

_DATABASE: Final = "--db URL runs it on PostgreSQL itself"
_COUNTED: Final = ("SELECT", "UPDATE", "DELETE", "MERGE")


class RecordRow(tuple[Any, ...]):
    """A row: by number and in order like a tuple, by name like a mapping.

    Attributes:
        names: of the columns.
    """

    names: tuple[str, ...]

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(key)
            return super().__getitem__(self.names.index(key))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        return key in self.names

    def __repr__(self) -> str:
        return f"<Record {' '.join(f'{k}={v!r}' for k, v in self.items())}>"

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value by the name of its column."""
        return self[key] if key in self.names else default

    def keys(self) -> Any:
        """Return the names of the columns."""
        return iter(self.names)

    def values(self) -> Any:
        """Return the values, in the order of the columns."""
        return iter(self)

    def items(self) -> Any:
        """Return names and values."""
        return zip(self.names, self, strict=True)


def _record(names: tuple[str, ...], values: tuple[Any, ...]) -> RecordRow:
    made = RecordRow(values)
    made.names = names
    return made


class _Protocol:
    """Stands where asyncpg keeps what talks to the server."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.is_open = True
        self.is_busy = False

    def is_connected(self) -> bool:
        return self.is_open

    def is_in_transaction(self) -> bool:
        return self.session.status is not TransactionStatus.IDLE

    def __getattr__(self, name: str) -> NoReturn:
        refuse_here(f"asyncpg's {name} needs a server", _DATABASE)


class WorldConnection(_ConnectionProxy):  # type: ignore[misc]  # an instance, to asyncpg
    """A connection to a database of a world.

    It is none of asyncpg's class, which warns when one is left open: a task's sessions
    end with it.
    """

    def __init__(self, session: Session) -> None:
        self._protocol = _Protocol(session)
        self._codecs: dict[str, Callable[[Any], Any]] = {}
        self._pool_release_ctr = 0
        self._aborted = False
        self._top_xact = self._con = None

    fetch = Connection.fetch
    fetchrow = Connection.fetchrow
    fetchval = Connection.fetchval
    fetchmany = Connection.fetchmany
    executemany = Connection.executemany
    transaction = Connection.transaction
    is_in_transaction = Connection.is_in_transaction
    is_closed = Connection.is_closed
    _check_open = Connection._check_open
    _get_unique_id = Connection._get_unique_id

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") or not hasattr(Connection, name):
            raise AttributeError(name)
        refuse_here(f"asyncpg's {name} needs a server", _DATABASE)

    async def answer(self, query: str, args: Iterable[Any] = ()) -> Answer:
        """Have the session perform a statement; raise what asyncpg raises.

        Raises:
            InterfaceError: another coroutine is using the connection.
        """
        self._check_open()
        protocol = self._protocol
        if protocol.is_busy:
            raise InterfaceError(
                "cannot perform operation: another operation is in progress"
            )
        protocol.is_busy = True
        try:
            return await protocol.session.execute(query, tuple(args))
        except SQLError as error:
            raise error_from(error) from None
        finally:
            protocol.is_busy = False

    def records(self, answer: Answer, limit: int = 0) -> list[RecordRow]:
        """Return the rows of an answer, at most so many; 0: all."""
        names = tuple([one.name for one in answer.columns])
        kinds = [self._codecs.get(one.type_name) for one in answer.columns]
        rows: Iterable[Any] = answer.rows[: limit or None]
        if any(kinds):
            rows = [
                tuple(
                    [
                        one if decode is None or one is None else decode(one)
                        for decode, one in zip(kinds, row, strict=True)
                    ]
                )
                for row in rows
            ]
        return [_record(names, row) for row in rows]

    async def execute(
        self, query: str, *args: Any, timeout: float | None = None
    ) -> str:
        """Perform a statement; return what the server says of it."""
        return status_of(await self.answer(query, args))

    async def _execute(
        self, query: str, args: Any, limit: int, timeout: Any, **_: Any
    ) -> list[RecordRow]:
        return self.records(await self.answer(query, args), limit)

    async def _executemany(self, query: str, args: Any, timeout: Any) -> None:
        is_alone = not self.is_in_transaction()
        async with self.transaction() if is_alone else _nothing():
            for one in args:
                await self.answer(query, one)

    async def prepare(self, query: str, **_: Any) -> "Prepared":
        """Return a statement that is performed when it is asked for its rows."""
        return Prepared(self, query)

    async def set_type_codec(
        self, typename: str, *, decoder: Any, format: str = "text", **_: Any
    ) -> None:
        """Read the values of a type as the code wishes, as far as they are JSON."""
        if typename not in ("json", "jsonb"):
            refuse_here(f"a codec for {typename}", _DATABASE)
        mark = b"\x01" if typename == "jsonb" else b""  # the version of its format
        if format == "text":
            self._codecs[typename] = decoder
        else:
            self._codecs[typename] = lambda text: decoder(mark + text.encode())

    async def close(self, *, timeout: float | None = None) -> None:
        """End the session."""
        if self._protocol.is_open:
            self._protocol.is_open = False
            await self._protocol.session.close()

    def terminate(self) -> None:
        """End the session here and now."""
        session: Any = self._protocol.session
        self._protocol.is_open = False
        session.cut_off()

    def cursor(self, query: str, *args: Any, **_: Any) -> AsyncIterator[RecordRow]:
        """Return the rows one after the other, all of which are read at once."""

        async def rows() -> AsyncIterator[RecordRow]:
            for row in await self.fetch(query, *args):
                yield row

        return rows()

    def get_server_version(self) -> Any:
        """Return PostgreSQL 18."""
        return asyncpg.types.ServerVersion(18, 0, 0, "final", 0)


class Prepared:
    """A prepared statement, as far as drivers above ask for it."""

    def __init__(self, connection: WorldConnection, query: str) -> None:
        self._connection = connection
        self._query = query
        self._answer: Answer | None = None

    async def fetch(self, *args: Any, timeout: float | None = None) -> list[RecordRow]:
        """Perform the statement; return its rows."""
        self._answer = await self._connection.answer(self._query, args)
        return self._connection.records(self._answer)

    def get_statusmsg(self) -> str:
        """Return what the server says of it."""
        return "" if self._answer is None else status_of(self._answer)


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


def status_of(answer: Answer) -> str:
    """Return the command tag of an answer."""
    if answer.command == "INSERT":
        return f"INSERT 0 {answer.rows_count}"
    if answer.command in _COUNTED:
        return f"{answer.command} {answer.rows_count}"
    return answer.command


def error_from(error: SQLError) -> Exception:
    """Return the exception that asyncpg raises for an error of the server."""
    fields = {"S": "ERROR", "C": error.sqlstate, "M": error.message}
    fields |= {"D": error.detail} if error.detail else {}
    fields |= {"n": error.constraint} if error.constraint else {}
    made: Exception = PostgresError.new(fields)
    return made


@cache
def _name_of(dsn: str) -> str:
    return urlsplit(dsn).path.lstrip("/")


async def connect(dsn: str | None = None, **named: Any) -> WorldConnection:
    """Return a connection to the world's database, as asyncpg's `connect` does."""
    name = named.get("database") or _name_of(dsn or "")
    return connection_to(reached("postgresql", name, dsn or name))


def connection_to(database: Sessions) -> WorldConnection:
    """Return a connection to a database of a world."""
    return WorldConnection(database.session())


# Pools: a connection for each that is asked for ---------------------------------------


class _Lent:
    """What `acquire` gives: it is awaited, or entered."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._connection: WorldConnection | None = None

    def __await__(self) -> Any:
        return self._open().__await__()

    async def _open(self) -> WorldConnection:
        args, named = self._pool._connect_args, self._pool._connect_kwargs
        connection = await connect(*args, **{**named})
        if self._pool._init is not None:
            await self._pool._init(connection)
        return connection

    async def __aenter__(self) -> WorldConnection:
        self._connection = await self._open()
        return self._connection

    async def __aexit__(self, *details: object) -> None:
        assert self._connection is not None
        await self._connection.close()


def _acquire(pool: Any, *, timeout: float | None = None) -> _Lent:
    return _Lent(pool)


async def _release(pool: Any, connection: Any, *, timeout: float | None = None) -> None:
    await connection.close()


async def _itself(pool: Any, *args: Any, **named: Any) -> Any:
    return pool


async def _left(pool: Any, *details: object) -> None:
    """Let an error go on."""


async def _nothing_to_do(pool: Any) -> None:
    """Neither close a pool nor what it holds: it holds nothing."""


def install() -> None:
    """Let asyncpg's `connect` and pools reach the world's database in tasks."""
    replace(asyncpg.connection, "connect", connect)
    replace(asyncpg, "connect", connect)
    replaced: dict[str, Callable[..., Any]] = {
        "acquire": _acquire,
        "release": _release,
        **dict.fromkeys(("_async__init__", "__aenter__"), _itself),
        "__aexit__": _left,
        **dict.fromkeys(("close", "expire_connections"), _nothing_to_do),
    }
    for name, inside in replaced.items():
        replace(Pool, name, inside)

"""psycopg 3 itself, with a gate before whatever other sessions could notice.

Connections, cursors and adaptation are psycopg's own, on libpq. A statement, COMMIT and
ROLLBACK are steps; what nobody can notice (BEGIN, SAVEPOINT) goes with what follows.

It reads names of psycopg that are not public; a contract test guards them.
"""

import re
import select
from collections.abc import Callable, Generator
from functools import cache
from typing import Any, Final, NoReturn

import psycopg
from psycopg import errors, pq
from psycopg.waiting import Ready, Wait

from wavecheck.scenarios.drivers import running
from wavecheck.scenarios.server.line import Line, Sent, Told
from wavecheck.sim.blocking import is_unwinding, wait_for
from wavecheck.sim.surroundings import refuse_here

_UNNOTICED: Final = (b"BEGIN", b"SAVEPOINT", b"RELEASE", b"DEALLOCATE")
_SCHEMA_WORDS: Final = frozenset(
    {"create", "alter", "drop", "vacuum", "reindex", "cluster", "listen", "grant"}
)
_ASIDE: Final = re.compile(
    r"\s*(SET\s+(?!CONSTRAINTS)|SHOW\s|RESET\s|BEGIN\b|START\s+TRANSACTION\b"
    r"|SELECT\s+(pg_catalog\.)?(set_config|version|current_schema)\s*\([^()]*\)\s*;?\s*$)",
    re.IGNORECASE,
)
"""What concerns a session alone, outside of a transaction."""

_INTEGERS: Final = (20, 21, 23)  # the types whose binary form is a whole number
_END: Final = object()


class _Gate:
    """Yielded by a generator before it sends what others could notice."""

    __slots__ = ("sent", "told")

    def __init__(self, sent: Sent) -> None:
        self.sent = sent
        self.told: Told | None = None


def _values_of(pgq: Any) -> tuple[str | None, ...]:
    """Return the parameters of a query as text."""
    if not pgq.params:
        return ()
    return tuple(
        [
            None
            if value is None
            else str(int.from_bytes(value, signed=True))
            if kind in _INTEGERS and form == pq.Format.BINARY
            else bytes(value).decode(errors="replace")
            for value, kind, form in zip(
                pgq.params, pgq.types, pgq.formats, strict=True
            )
        ]
    )


def _told_of(results: list[Any]) -> Told:
    """Return what a task is told by results."""
    rows: list[tuple[str | None, ...]] = []
    tag = b""
    for result in results:
        tag = result.command_status or b""
        for row in range(result.ntuples):
            values = [result.get_value(row, one) for one in range(result.nfields)]
            rows.append(
                tuple(
                    [
                        None if one is None else one.decode(errors="replace")
                        for one in values
                    ]
                )
            )
    return Told(tag=tag.decode(), rows=tuple(rows))


def _advance(line: Line, gen: Generator[Any, Any, Any]) -> tuple[Any, Any]:
    """Go on with a generator of psycopg's up to its end or its next gate."""
    answer: Any = None
    while True:
        try:
            yielded = gen.send(answer)
        except StopIteration as end:
            return _END, end.value
        if type(yielded) is _Gate:
            return yielded, None
        found = line.wait(bool(yielded & Wait.R), bool(yielded & Wait.W))
        answer = Ready.R if found & select.POLLIN else Ready.NONE
        if found & select.POLLOUT:
            answer |= Ready.W
        if found & (select.POLLERR | select.POLLHUP):
            answer |= Ready.R


def _acting(line: Line, gen: Any, gate: _Gate) -> Callable[[], Any]:
    def act() -> Any:
        reached = _advance(line, gen)
        line.told = gate.told
        return reached

    return act


class _Connection:
    """What a connection does otherwise than psycopg's own; mixed in before it."""

    _line: Line
    _held: Any

    def wait(self: Any, gen: Any, interval: float = 0, timeout: Any = None) -> Any:
        line = self._line
        reached, value = _advance(line, gen)
        while reached is not _END:
            step = line.step(reached.sent, _acting(line, gen, reached))
            reached, value = wait_for(step)
        return value

    def _exec_command(
        self: Any, command: Any, result_format: Any = pq.Format.TEXT
    ) -> Generator[Any, Any, Any]:
        if isinstance(command, str):
            text = command.encode()
        else:
            text = command if isinstance(command, bytes) else command.as_bytes(self)
        gate = None
        if not text.lstrip().upper().startswith(_UNNOTICED):
            gate = _Gate(Sent(text.decode()))
            yield gate
        else:
            self._line.aside += text.decode()
        made = yield from super()._exec_command(text, result_format)  # type: ignore[misc]  # psycopg's
        if gate is not None and made is not None:
            gate.told = _told_of([made])
        return made

    def cursor(self: Any, name: str = "", **named: Any) -> Any:
        if name:
            refuse_here(
                "a server-side cursor is read in many steps, which are not tried",
                "read it at once",
            )
        return super().cursor(**named)  # type: ignore[misc]  # of the class beside

    @property
    def cursor_factory(self) -> Any:
        return self._factory

    @cursor_factory.setter
    def cursor_factory(self, factory: Any) -> None:
        self._factory = _cursor_type(factory)

    def pipeline(self) -> NoReturn:
        refuse_here("psycopg's pipeline mode sends several statements at once", "wait")

    def close(self: Any) -> None:
        if self.closed:
            return
        if getattr(self._pool, "close_returns", False):
            self._pool.putconn(self)
            return
        is_idle = self.pgconn.transaction_status == pq.TransactionStatus.IDLE
        if not is_idle and not is_unwinding():
            self.wait(self._exec_command(b"ROLLBACK"))
        self._give_back()

    def _give_back(self: Any) -> None:
        if self.pgconn is _CLOSED:
            return
        self._closed = True
        held, self.pgconn = self._held, _CLOSED
        database = self._line.database
        database.forget_line(self._line)
        is_plain = self._line.leaves_nothing and not self._prepared._names
        database.place.give(held, leaves_nothing=is_plain)


class _AsyncConnection(_Connection):
    """The same for asyncio."""

    async def wait(self: Any, gen: Any, *limits: Any, **named: Any) -> Any:
        line = self._line
        reached, value = _advance(line, gen)
        while reached is not _END:
            reached, value = await line.step(reached.sent, _acting(line, gen, reached))
        return value

    async def close(self: Any) -> None:  # type: ignore[override]  # it awaits
        if self.closed:
            return
        if getattr(self._pool, "close_returns", False):
            await self._pool.putconn(self)
            return
        if self.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            await self.wait(self._exec_command(b"ROLLBACK"))
        self._give_back()


class _Cursor:
    """What a cursor does otherwise than psycopg's own; mixed in before it."""

    __slots__ = ()

    def _maybe_prepare_gen(
        self: Any, pgq: Any, *, prepare: Any = None, binary: Any = None
    ) -> Generator[Any, Any, None]:
        text = pgq.query.decode()
        check_text(text)
        if is_unnoticed(text) and self._conn._line.is_idle():
            self._conn._line.aside += text
            yield from super()._maybe_prepare_gen(pgq, prepare=prepare, binary=binary)  # type: ignore[misc]  # psycopg's
            return
        gate = _Gate(Sent(text, _values_of(pgq)))
        yield gate
        yield from super()._maybe_prepare_gen(pgq, prepare=prepare, binary=binary)  # type: ignore[misc]  # psycopg's
        gate.told = _told_of([self.pgresult])

    def executemany(
        self: Any, query: Any, params_seq: Any, *, returning: bool = False
    ) -> Any:
        with self._conn.lock:
            return self._conn.wait(
                self._executemany_gen_no_pipeline(query, params_seq, returning)
            )

    def stream(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        refuse_here("a stream is read in many steps, which are not tried", "execute")

    def copy(self: Any, *args: Any, **named: Any) -> NoReturn:
        refuse_here("COPY is sent in many steps, which are not tried", "use INSERT")


class _AsyncCursor(_Cursor):
    """The same for asyncio."""

    __slots__ = ()

    async def executemany(
        self: Any, query: Any, params_seq: Any, *, returning: bool = False
    ) -> None:
        async with self._conn.lock:
            await self._conn.wait(
                self._executemany_gen_no_pipeline(query, params_seq, returning)
            )


def check_text(text: str) -> None:
    """Refuse SQL that a search on the server cannot take as one step."""
    words = text.split(None, 2)
    first = words[0].lower() if words else ""
    is_temporary = len(words) > 1 and words[1].lower() in ("temp", "temporary")
    if first in _SCHEMA_WORDS and not (first == "create" and is_temporary):
        refuse_here(
            f"{words[0].upper()} is not searched on a server",
            "make what it makes in the world's schema",
        )
    if has_several(text):
        refuse_here(
            "several statements in one text are sent at once, and would be one step",
            "execute them one by one",
        )


def is_unnoticed(text: str) -> bool:
    """Return whether no other session can notice a statement, or be noticed by it."""
    return _ASIDE.match(text) is not None


@cache
def has_several(text: str) -> bool:
    """Return whether a text holds more than one statement."""
    if ";" not in text.rstrip("; \n\t"):
        return False
    # Imported here: most texts have no semicolon.
    from wavecheck.scenarios.sql.parsing import parse_all
    from wavecheck.scenarios.sql.session import SQLError

    try:
        return len(parse_all(text)) > 1
    except SQLError:  # newer than our grammar, or wrong
        return True


@cache
def _cursor_type(factory: Any) -> type[Any]:
    if issubclass(factory, _Cursor):
        return factory  # type: ignore[no-any-return]  # a class, as said
    mixin = _AsyncCursor if issubclass(factory, psycopg.AsyncCursor) else _Cursor
    members: dict[str, Any] = {"__slots__": (), "__module__": factory.__module__}
    return type(factory.__name__, (mixin, factory), members)


@cache
def _connection_type(kind: Any) -> type[Any]:
    is_async = issubclass(kind, psycopg.AsyncConnection)
    mixin = _AsyncConnection if is_async else _Connection
    return type(kind.__name__, (mixin, kind), {"__module__": kind.__module__})


_CLOSED: Final = pq.PGconn()


class _Session:
    """A connection as a task leaves it behind."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def close(self) -> None:
        """Close what the task has left open."""
        connection = self._connection
        if connection.closed:
            return
        if connection.pgconn.transaction_status != pq.TransactionStatus.IDLE:
            gate = connection._exec_command(b"ROLLBACK")
            line = connection._line
            reached, _ = _advance(line, gate)
            await line.step(reached.sent, _acting(line, gate, reached))
        connection._give_back()

    def cut_off(self) -> None:
        """End the connection here and now, as the death of a process does."""
        self._connection._line.abandon()
        self._connection._give_back()


def connection_to(database: Any, kind: Any = psycopg.Connection, **options: Any) -> Any:
    """Return a connection to a database on a server, as psycopg's `connect` does.

    Args:
        database: a `ServerDatabase`.
        kind: psycopg's class of connections, or one of the user's made of it.
        options: `autocommit`, `row_factory`, `cursor_factory`, `context`.
    """
    held = database.place.take()
    line = Line(database, held.info.backend_pid, held.pgconn.socket)
    made_type = _connection_type(kind)
    made_type._line = line  # asked while it is made
    connection = made_type(held.pgconn)
    connection._line, connection._held = line, held
    line.is_idle = lambda: held.pgconn.transaction_status == pq.TransactionStatus.IDLE
    line.failed, line.hang_up = _as_deadlock, connection._give_back
    is_async = issubclass(kind, psycopg.AsyncConnection)
    connection.cursor_factory = psycopg.AsyncCursor if is_async else psycopg.Cursor
    connection._pool = None
    connection._autocommit = bool(options.get("autocommit"))
    if options.get("row_factory") is not None:
        connection.row_factory = options["row_factory"]
    if options.get("cursor_factory") is not None:
        connection.cursor_factory = options["cursor_factory"]
    if options.get("context") is not None:
        connection._adapters = psycopg.adapt.AdaptersMap(options["context"].adapters)
    database.note_line(line)
    running.note_session(_Session(connection))
    return connection


def _as_deadlock(error: BaseException) -> BaseException:
    """Return what the server's own victim is told."""
    if isinstance(error, errors.QueryCanceled):
        return errors.DeadlockDetected("deadlock detected")
    return error

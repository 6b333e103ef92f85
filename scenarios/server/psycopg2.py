"""psycopg2 itself, with a gate before whatever other sessions could notice.

Its connections and cursors are C objects; these are of classes made of them, so code
finds what it expects. They wait for the network by a callback, as psycopg2 offers it to
coroutine libraries. Each connection is opened for its task and really closed.
"""

import select
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import Any, Final, NoReturn

import psycopg2
from psycopg2 import errors, extensions, extras

from wavecheck.scenarios.drivers import running
from wavecheck.scenarios.server.line import Line, Sent, Told
from wavecheck.scenarios.server.place_of_worlds import outside_of_tasks
from wavecheck.scenarios.server.psycopg3 import check_text, is_unnoticed
from wavecheck.sim.blocking import is_unwinding, wait_for
from wavecheck.sim.surroundings import refuse_here

_IDLE: Final = extensions.TRANSACTION_STATUS_IDLE
_LEVELS: Final = {
    extensions.ISOLATION_LEVEL_REPEATABLE_READ: "repeatable read",
    extensions.ISOLATION_LEVEL_SERIALIZABLE: "serializable",
}
_READS: Final = extensions.POLL_READ
_WRITES: Final = extensions.POLL_WRITE


def _wait(connection: Any) -> None:
    """Wait for the network where a task's statement can be held up."""
    line = getattr(connection, "_line", None)
    if line is None:
        extras.wait_select(connection)
        return
    while (state := connection.poll()) != extensions.POLL_OK:
        found = line.wait(state == _READS, state == _WRITES)
        if found & select.POLLNVAL:
            raise psycopg2.OperationalError("the connection is closed")


class _Gated:
    """What a connection does otherwise than psycopg2's own; mixed in before it."""

    _line: Line | None = None

    def _step(self: Any, sent: Sent, act: Callable[[], Any]) -> Any:
        line = self._line

        def performed() -> Any:
            result = act()
            line.told = Told(tag=sent.text)
            return result

        return wait_for(line.step(sent, performed))

    def _is_idle(self: Any) -> bool:
        status = self.get_transaction_status()
        return status in (_IDLE, extensions.TRANSACTION_STATUS_UNKNOWN)

    def commit(self: Any) -> None:
        if self._is_idle():
            super().commit()  # type: ignore[misc]  # of the class beside
        else:
            self._step(Sent("COMMIT"), super().commit)  # type: ignore[misc]  # likewise

    def rollback(self: Any) -> None:
        if self._is_idle():
            super().rollback()  # type: ignore[misc]  # of the class beside
        else:
            self._step(Sent("ROLLBACK"), super().rollback)  # type: ignore[misc]  # likewise

    def cursor(self: Any, name: str | None = None, **named: Any) -> Any:
        if name is not None:
            refuse_here(
                "a server-side cursor is read in many steps, which are not tried",
                "read it at once",
            )
        factory = named.pop("cursor_factory", None) or self.cursor_factory
        kind = _cursor_type(factory or extensions.cursor)
        return super().cursor(cursor_factory=kind, **named)  # type: ignore[misc]  # likewise

    def close(self: Any) -> None:
        if self.closed:
            return
        if not self._is_idle() and not is_unwinding():
            self.rollback()
        self._hang_up()

    def _hang_up(self: Any) -> None:
        """Close here and now, and wait until the server has noticed."""
        line = self._line
        if line is None:
            return
        self._line = None
        line.database.forget_line(line)
        line.database.place.end(line.pid)
        with suppress(psycopg2.Error):  # in the middle of a statement it may refuse
            super().close()  # type: ignore[misc]  # of the class beside


class _GatedCursor:
    """What a cursor does otherwise than psycopg2's own; mixed in before it."""

    _count: int | None = None

    def execute(self: Any, query: Any, vars: Any = None) -> Any:
        base: Any = super()
        connection, self._count = self.connection, None
        text = self.mogrify(query, vars).decode(errors="replace")
        check_text(text)
        line = connection._line
        if line is None or (is_unnoticed(text) and connection._is_idle()):
            if line is not None:
                line.aside += text
            return base.execute(query, vars)

        def act() -> Any:
            result = base.execute(query, vars)
            line.told = Told(tag=self.statusmessage or "", rows=self._seen())
            return result

        return wait_for(line.step(Sent(text), act))

    def _seen(self: Any) -> tuple[tuple[str | None, ...], ...]:
        """Return the rows of the answer as text, and leave them to be fetched."""
        if self.description is None:
            return ()
        rows = extensions.cursor.fetchall(self)
        if rows:
            self.scroll(0, mode="absolute")
        return tuple(
            tuple([None if one is None else str(one) for one in row]) for row in rows
        )

    def executemany(self: Any, query: Any, vars_list: Iterable[Any]) -> None:
        count = 0
        for values in vars_list:
            self.execute(query, values)
            count += max(0, super().rowcount)  # type: ignore[misc]  # of the class beside
        self._count = count

    @property
    def rowcount(self: Any) -> int:
        if self._count is not None:
            return self._count  # type: ignore[no-any-return]  # a number
        return super().rowcount  # type: ignore[misc, no-any-return]  # likewise

    def copy_expert(self: Any, *args: Any, **named: Any) -> NoReturn:
        refuse_here("COPY is sent in many steps, which are not tried", "use INSERT")

    copy_from = copy_to = copy_expert


@cache
def _cursor_type(factory: Any) -> type[Any]:
    if issubclass(factory, _GatedCursor):
        return factory  # type: ignore[no-any-return]  # a class, as said
    named = {"__module__": factory.__module__}
    return type(factory.__name__, (_GatedCursor, factory), named)


class Connection(_Gated, extensions.connection):  # type: ignore[misc]  # fewer overloads
    """psycopg2's connection with a gate."""


class _Left:
    """A connection as a task leaves it behind."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def close(self) -> None:
        """Close what the task has left open."""
        connection = self._connection
        if connection.closed:
            return
        if not connection._is_idle():
            base = extensions.connection
            line = connection._line
            await line.step(Sent("ROLLBACK"), lambda: base.rollback(connection))
        connection._hang_up()

    def cut_off(self) -> None:
        """End the connection here and now, as the death of a process does."""
        line = self._connection._line
        if line is not None:
            line.abandon()
            self._connection._hang_up()


def connection_to(database: Any, cursor_factory: Any = None) -> Any:
    """Return a connection to a database on a server, as psycopg2's `connect` does.

    Args:
        database: a `ServerDatabase`.
        cursor_factory: class of cursors, unless `cursor` is told another.
    """
    extensions.set_wait_callback(_wait)
    with outside_of_tasks():
        made: Any = psycopg2.connect(
            database.place.address, connection_factory=Connection
        )
    made.cursor_factory = cursor_factory
    line = Line(database, made.info.backend_pid, made.fileno())
    made._line = line
    line.is_idle = made._is_idle
    line.level = lambda: _LEVELS.get(made.isolation_level, "")
    line.failed, line.hang_up = _as_deadlock, made._hang_up
    database.note_line(line)
    running.note_session(_Left(made))
    return made


def _as_deadlock(error: BaseException) -> BaseException:
    """Return what the server's own victim is told."""
    if not isinstance(error, errors.QueryCanceled):
        return error
    made: Any = errors.DeadlockDetected("deadlock detected")
    made.__setstate__({"pgcode": "40P01", "pgerror": "deadlock detected"})
    told: BaseException = made
    return told

"""A place of one's own on somebody's PostgreSQL, which is gone afterwards.

A *place* is a schema, where all statements are ours, or a database, where code under
test may name what it likes. It carries a comment that says whose it is, and the name of
the connection that keeps it. What a killed process left behind is found by the comment
and removed: by the keeper, a small process that outlives ours, or else by the next one
who makes a place. What is not ours is never touched.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from wavecheck.coordinator.sql import DatabaseUnusable, as_unusable, parse_url
from wavecheck.scenarios.server.watching import Waits, cancel, who_waits

_PREFIX: Final = "wavecheck_"
COMMENT: Final = "made by wavecheck for one run; safe to drop"
CONNECT_SECONDS: Final = 10
_CUT_OFF: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = %s AND pid <> pg_backend_pid()"
)
_IN_USE: Final = "(SELECT application_name FROM pg_stat_activity)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What a place is.

    Attributes:
        word: in SQL.
        comment_of: SQL for the comment of the one called `%(name)s`.
        left_behind: SQL for the names of ours that no connection keeps.
        drop: SQL, with the name to be put in.
    """

    word: str
    comment_of: str
    left_behind: str
    drop: str


SCHEMA: Final = _Kind(
    word="schema",
    comment_of=(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace"
        " WHERE nspname = %(name)s"
    ),
    left_behind=(
        "SELECT nspname FROM pg_namespace"
        " WHERE obj_description(oid, 'pg_namespace') = %(comment)s"
        f" AND nspname NOT IN {_IN_USE}"
    ),
    drop="DROP SCHEMA IF EXISTS {} CASCADE",
)
DATABASE: Final = _Kind(
    word="database",
    comment_of=(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = %(name)s"
    ),
    left_behind=(
        "SELECT datname FROM pg_database"
        " WHERE shobj_description(oid, 'pg_database') = %(comment)s"
        f" AND datname NOT IN {_IN_USE}"
    ),
    drop="DROP DATABASE IF EXISTS {} WITH (FORCE)",
)


class OwnPlace:
    """A schema or a database of one's own.

    Args:
        url: of the server, `postgresql://...`.
        kind: `SCHEMA` or `DATABASE`.

    Attributes:
        name: of the place.
        keeping: the connection that keeps it, in autocommit mode.

    Raises:
        DatabaseUnusable: the server cannot be reached, or we may not make a place.
    """

    def __init__(self, url: str, kind: _Kind) -> None:
        self._kind = kind
        self._url = parse_url(url)
        named = self._url.translate_connect_args(username="user", database="dbname")
        self._address = make_conninfo(**{**named, **self._url.query})
        self._keeper: subprocess.Popen[str] | None = None
        self.keeping = self.connect(is_inside=False)
        try:
            self.name = name_of(self.keeping.info.backend_pid)
            self._make()
        except BaseException as error:
            self.keeping.close()
            if isinstance(error, psycopg.Error):
                raise as_unusable(error, self._url) from error
            raise

    def connect(self, *, is_inside: bool = True) -> psycopg.Connection[Any]:
        """Return a connection in autocommit mode.

        Args:
            is_inside: to the database, where the place is one; marked as ours.

        Raises:
            DatabaseUnusable: the server cannot be reached.
        """
        address = self.address() if is_inside else self._address
        named: dict[str, Any] = {}
        if "connect_timeout" not in self._url.query:
            named["connect_timeout"] = CONNECT_SECONDS
        try:
            return psycopg.connect(
                address, autocommit=True, prepare_threshold=1, **named
            )
        except psycopg.Error as error:
            raise as_unusable(error, self._url) from error

    def address(self) -> str:
        """Return where connections lead to, as libpq reads it."""
        named = {"application_name": self.name}
        if self._kind is DATABASE:
            named["dbname"] = self.name
        return make_conninfo(self._address, **named)

    def _make(self) -> None:
        run = self.keeping.execute
        for (name,) in run(self._kind.left_behind, {"comment": COMMENT}).fetchall():
            if name.removeprefix(_PREFIX).isdigit():
                self._drop(self.keeping, name)
        found = run(self._kind.comment_of, {"name": self.name}).fetchone()
        if found is not None and found[0] != COMMENT:
            raise DatabaseUnusable(
                f"{self._url.set(drivername='postgresql').render_as_string()}: there"
                f" is a {self._kind.word} {self.name!r} that is not ours\nnext: use"
                f" another database, or drop the {self._kind.word} if nobody needs it"
            )
        if found is not None:  # a killed run had the same number
            self._drop(self.keeping, self.name)
        word = sql.SQL(self._kind.word.upper())
        name = sql.Identifier(self.name)
        run(sql.SQL("SET application_name TO {}").format(name))
        run(sql.SQL("CREATE {} {}").format(word, name))
        mark = sql.SQL("COMMENT ON {} {} IS {}")
        run(mark.format(word, name, sql.Literal(COMMENT)))
        self._keeper = _keep(self._address, self._statement(self.name), self.name)

    def _statement(self, name: str) -> str:
        quoted = '"' + name.replace('"', '""') + '"'
        return self._kind.drop.format(quoted)

    def _drop(self, connection: psycopg.Connection[Any], name: str) -> None:
        connection.execute(self._statement(name))

    def who_waits(self, pids: Iterable[int]) -> Waits:
        """Ask for whom each of some sessions is waiting."""
        return who_waits(self.keeping, pids)

    def cancel(self, pid: int) -> None:
        """Cancel the statement of a session."""
        cancel(self.keeping, pid)

    def close(self) -> None:
        """Remove it, by a fresh connection: the others may be in any state."""
        self.keeping.close()
        try:
            with self.connect(is_inside=False) as outside:
                # Whoever is still connected is one of ours, cut off in mid-statement.
                outside.execute(_CUT_OFF, [self.name])
                outside.execute("SET lock_timeout TO '10s'")
                self._drop(outside, self.name)
        finally:
            if self._keeper is not None:
                assert self._keeper.stdin is not None
                self._keeper.stdin.write("done\n")
                self._keeper.stdin.close()
                self._keeper.wait()


def name_of(backend: int) -> str:
    """Return the name of the place that a connection keeps."""
    return f"{_PREFIX}{backend}"


_KEEPER: Final = """
import json, sys
address, drop, cut_off, name = json.loads(sys.stdin.readline())
if sys.stdin.readline() != "done\\n":
    import psycopg, time
    for _ in range(20):
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(cut_off, [name])
                connection.execute("SET lock_timeout TO '10s'")
                connection.execute(drop)
            break
        except psycopg.Error:
            time.sleep(0.5)
"""


def _keep(address: str, drop: str, name: str) -> "subprocess.Popen[str]":
    """Start the keeper: it removes the place if this process ends without doing so."""
    keeper = subprocess.Popen(
        [sys.executable, "-c", _KEEPER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl-C is for us: we remove the place ourselves
    )
    assert keeper.stdin is not None
    keeper.stdin.write(json.dumps([address, drop, _CUT_OFF, name]) + "\n")
    keeper.stdin.flush()
    return keeper

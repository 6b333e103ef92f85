"""SQLAlchemy over a world's sessions: engines, pools, and the schema of models.

Engines, sessions and the ORM are SQLAlchemy's own code, on the drivers beside this.
In a task three things are otherwise: a pool opens a connection for each that is asked
for and closes it when it comes back (what it keeps is shared by tasks and outlives
them, and means nothing: a connection that comes back is rolled back); a new engine does
not ask the server for its version and settings, which are known; and `scoped_session`
has a session for each task, as for each thread.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, Final

from sqlalchemy import Engine, MetaData, create_engine, dialects
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_cursor
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.postgresql.psycopg import (
    PGDialect_psycopg,
    PGDialectAsync_psycopg,
)
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, Pool, SingletonThreadPool
from sqlalchemy.pool.base import _ConnectionFairy
from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable, DDLElement
from sqlalchemy.sql.schema import ScalarElementColumnDefault
from sqlalchemy.util import ThreadLocalRegistry

from wavecheck.scenarios.drivers import sqlite
from wavecheck.scenarios.drivers.reaching import Sessions, replace
from wavecheck.sim.surroundings import (
    RUNNING,
    refuse_here,
    running_task,
    task_locals,
)

_SESSIONS: Final = "SQLAlchemy's sessions"
_VERSION: Final = (18, 0)
_LEVELS: Final = {"postgresql": "READ COMMITTED", "sqlite": "SERIALIZABLE"}


class PostgresDialect(PGDialect_psycopg):
    """`postgresql+wavecheck://`: PostgreSQL by the world's sessions."""

    driver = "wavecheck"
    supports_statement_cache = True


class SqliteDialect(SQLiteDialect_pysqlite):
    """`sqlite+wavecheck://`: SQLite by the world's sessions."""

    driver = "wavecheck"
    supports_statement_cache = True


def engine_to(family: str, database: Sessions, **options: Any) -> Engine:
    """Return an engine whose connections lead to a database of a world.

    Args:
        family: `postgresql` or `sqlite`.
        database: gives the sessions.
        options: of `create_engine`.
    """
    install()

    def creator() -> Any:
        if family == "sqlite":
            return sqlite.connection_to(database)
        # Imported here: SQLite needs no driver of PostgreSQL.
        from wavecheck.scenarios.drivers import psycopg3

        return psycopg3.connection_to(database)

    return create_engine(f"{family}+wavecheck://", creator=creator, **options)


def schema_of(metadata: MetaData, family: str) -> str:
    """Return the DDL of models, in the order in which tables refer to each other.

    Args:
        metadata: of the models.
        family: `postgresql` or `sqlite`.
    """
    dialect = dialects.registry.load(family)()
    return ";\n".join(
        [
            str(statement.compile(dialect=dialect)).strip()
            for statement in _statements(metadata)
            if dialect.supports_sequences or not isinstance(statement, CreateSequence)
        ]
    )


def _statements(metadata: MetaData) -> Iterator[DDLElement]:
    for name in sorted(metadata._sequences):
        yield CreateSequence(metadata._sequences[name])
    for table in metadata.sorted_tables:
        yield CreateTable(table)
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            yield CreateIndex(index)


def rows_of(
    metadata: MetaData, rows: Mapping[str, Iterable[Mapping[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Return rows with the defaults that the models give to columns left out.

    Args:
        metadata: of the models.
        rows: by table, each by column.
    """
    completed = {}
    for name, given in rows.items():
        table = metadata.tables.get(name)
        defaults = {
            column.name: column.default.arg
            for column in (table.columns if table is not None else ())
            if isinstance(column.default, ScalarElementColumnDefault)
        }
        completed[name] = [{**defaults, **row} for row in given]
    return completed


def metadata_in(module: ModuleType) -> tuple[str, MetaData] | None:
    """Return where a module has its models: an expression, and the metadata.

    Args:
        module: has a declarative base, or a MetaData, at its top level.
    """
    held = {name: one for name, one in vars(module).items() if name[0] != "_"}
    for name, one in held.items():
        if isinstance(one, type) and isinstance(
            getattr(one, "metadata", None), MetaData
        ):
            found: MetaData = one.metadata  # type: ignore[attr-defined]  # asked before
            if found.tables and "__tablename__" not in vars(one):
                return f"{name}.metadata", found
    for name, one in held.items():
        if isinstance(one, MetaData) and one.tables:
            return name, one
    return None


def defaults_of(metadata: MetaData) -> dict[str, dict[str, Any]]:
    """Return what models give to columns that are left out, by table."""
    empty = rows_of(metadata, {name: [{}] for name in metadata.tables})
    return {name: rows[0] for name, rows in empty.items()}


def _connect(pool: Pool) -> Any:
    """Return a connection of one's own, whatever the pool keeps."""
    lone = NullPool(
        pool._creator,
        reset_on_return=pool._reset_on_return,
        dialect=pool._dialect,
        _dispatch=pool.dispatch,
    )
    return _ConnectionFairy._checkout(lone)


def _own(registry: Any) -> Any:
    """Return what a registry of threads keeps for the running task."""
    held = task_locals()
    if registry not in held:
        held[registry] = registry.createfunc()
    return held[registry]


def _set_own(registry: Any, value: Any) -> None:
    task_locals()[registry] = value


def _clear_own(registry: Any) -> None:
    task_locals().pop(registry, None)


def _begun(session: Any, *args: Any, **named: Any) -> Any:
    """Begin a transaction, in one task only: what a session keeps is no database."""
    kernel: Any = RUNNING.kernel
    running = running_task(kernel)
    for task in vars(kernel)["tasks"]:
        if task is not running and any(
            one is session for one in task.locals.get(_SESSIONS, ())
        ):
            refuse_here(
                f"tasks {task.name} and {running.name} use one Session of SQLAlchemy's",
                "give each task a session of its own: Session(engine), a sessionmaker,"
                " or scoped_session",
            )
    mine = running.locals.setdefault(_SESSIONS, [])
    if not any(one is session for one in mine):
        mine.append(session)
    return Session._autobegin_t.outside_of_worlds(session, *args, **named)  # type: ignore[attr-defined]  # see `replace`


def install() -> None:
    """Let engines of the code under test work in tasks."""
    replace(Session, "_autobegin_t", _begun)
    replace(Pool, "connect", _connect)
    replace(SingletonThreadPool, "connect", _connect)
    replace(ThreadLocalRegistry, "__call__", _own)
    replace(ThreadLocalRegistry, "has", lambda registry: registry in task_locals())
    replace(ThreadLocalRegistry, "set", _set_own)
    replace(ThreadLocalRegistry, "clear", _clear_own)
    replace(
        DefaultDialect,
        "get_default_isolation_level",
        lambda dialect, connection: _LEVELS[dialect.name],
    )
    replace(PGDialect, "_get_server_version_info", lambda dialect, line: _VERSION)
    replace(PGDialect, "_get_default_schema_name", lambda dialect, line: "public")
    replace(PGDialect, "_set_backslash_escapes", _escape_as_standard)
    for kind in (PGDialect_psycopg, PGDialectAsync_psycopg):
        replace(kind, "_type_info_fetch", lambda dialect, line, name: None)
    replace(AsyncAdapt_asyncpg_cursor, "_prepare_and_execute", _perform_on_asyncpg)
    replace(PGDialect_psycopg2, "_hstore_oids", lambda dialect, line: None)


async def _perform_on_asyncpg(cursor: Any, operation: str, parameters: Any) -> None:
    """Perform a statement; asyncpg's own would ask for its columns before it runs."""
    adapted = cursor._adapt_connection
    async with adapted._execute_mutex:
        if adapted._transaction is None:
            await adapted._start_transaction()
        try:
            answer = await adapted._connection.answer(operation, parameters or ())
        except Exception as error:
            cursor._handle_exception(error)
        columns = [(one.name, *[None] * 6) for one in answer.columns]
        cursor._description = columns or None
        cursor._rows = deque(adapted._connection.records(answer))
        cursor._rowcount = answer.rows_count


def _escape_as_standard(dialect: Any, connection: Any) -> None:
    dialect._backslash_escapes = False

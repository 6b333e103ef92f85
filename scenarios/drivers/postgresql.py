"""A PostgreSQL database of a world, as the code under test reaches it."""

import importlib
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.drivers import recorded, running
from wavecheck.scenarios.drivers.handle import WorldDatabase
from wavecheck.scenarios.drivers.isolation import level_in, with_locks
from wavecheck.scenarios.drivers.reaching import make_reachable
from wavecheck.scenarios.server import SERVER
from wavecheck.scenarios.sql.database import Database
from wavecheck.scenarios.sql.row_files import GivenRows, Rows, read_rows
from wavecheck.scenarios.sql.session import Session
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.surroundings import refuse_here

if TYPE_CHECKING:
    from wavecheck.scenarios.server.place_of_worlds import WorldPlace


_DRIVERS: Final = {
    "psycopg": "psycopg3",
    "psycopg_pool": "psycopg_pool",
    "psycopg2": "psycopg2",
    "asyncpg": "asyncpg",
    "sqlalchemy": "sqlalchemy",
    "django": "django",
    "celery": "celery",
}
"""Packages that code under test may use, each with the module that stands below it."""

_ALWAYS: Final = ("psycopg", "psycopg2", "psycopg_pool", "asyncpg")
"""Those that code may import late; the others take long to import."""

_FAMILY: Final = "postgresql"


def _driver(package: str, needed_for: str) -> Any:
    """Return the module that stands below a package.

    Raises:
        InvalidScenario: the package is not installed.
    """
    if find_spec(package) is None:
        wanted = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}
        raise InvalidScenario(
            f"{needed_for} needs {package}, which is not installed\n"
            f"next: pip install '{wanted.get(package, package)}'"
        )
    return importlib.import_module(f"wavecheck.scenarios.drivers.{_DRIVERS[package]}")


class PostgreSQL(WorldDatabase):
    """One database, its tables, and the ways into it.

    Args:
        kernel: whose parts the tables become.
        schema: DDL text, SQLAlchemy's MetaData, or models of Django's.
        rows: by table, each by column; or the path of a CSV file that has them.
        name: of the database in the addresses that the code uses; empty: any.
        isolation: level of its sessions, unless they say otherwise.
        calls: names of stand-ins whose calls are recorded in tables.

    Attributes:
        database: the model, or the tables on a server.
        on_server: the same, if it is on a server.
    """

    def __init__(
        self,
        kernel: Kernel,
        schema: Any,
        *,
        rows: Rows | None = None,
        name: str = "",
        isolation: str = "read committed",
        calls: Iterable[str] = (),
    ) -> None:
        ddl, completed = _read(schema, read_rows(rows))
        tables = [recorded.table_of(one) for one in calls]
        text = ";\n".join([ddl, *tables])
        place: WorldPlace | None = kernel.services.get(SERVER)
        self.on_server: Any = None  # a ServerDatabase
        database: Any
        if place is None:
            database = Database(kernel, text, rows=completed, name=name or "database")
        else:
            # Imported here: a world in the model needs no server.
            from wavecheck.scenarios.server.database import ServerDatabase

            database = self.on_server = ServerDatabase(
                kernel, place, text, completed, isolation
            )
        super().__init__(kernel, database, isolation)
        make_reachable(kernel, _FAMILY, self, name)
        for package in _DRIVERS:
            is_likely = package in _ALWAYS or package in sys.modules
            if is_likely and find_spec(package) is not None:
                _driver(package, package).install()
        # Held here, they are the world's, and are not walked for each connection.
        has_psycopg = find_spec("psycopg") is not None
        self._shared = _driver("psycopg", "").shared_tables() if has_psycopg else ()

    def session(self) -> Session:
        """Return a session; it is closed with the task that it is opened in."""
        if self.on_server is not None:
            refuse_here(
                "this driver has no gate for a server yet",
                "psycopg 3 or psycopg2 have one; without --db it runs in the model",
            )
        assert isinstance(self.database, Database)
        level = level_in(self._kernel, self._isolation)
        opened = self.database.session(isolation=level)
        session: Session = with_locks(self._kernel, opened)
        running.note_session(opened)
        return session

    def connect(self, **options: Any) -> running.Fresh:
        """Return a psycopg connection, a new one for each task that is given it.

        Args:
            options: `autocommit`, `row_factory`, `cursor_factory`, as in psycopg.
        """
        psycopg3 = _driver("psycopg", "db.connect()")
        return running.Fresh(lambda: psycopg3.connection_to(self, **options))

    def connect_psycopg2(self, **options: Any) -> running.Fresh:
        """Return a psycopg2 connection, a new one for each task that is given it."""
        psycopg2 = _driver("psycopg2", "db.connect_psycopg2()")
        return running.Fresh(lambda: psycopg2.connection_to(self, **options))

    def connect_asyncpg(self) -> running.Fresh:
        """Return an asyncpg connection, a new one for each task that is given it."""
        asyncpg = _driver("asyncpg", "db.connect_asyncpg()")
        return running.Fresh(lambda: asyncpg.connection_to(self))

    def engine(self, **options: Any) -> Any:
        """Return an engine of SQLAlchemy's, on psycopg.

        Args:
            options: of `create_engine`.
        """
        _driver("psycopg", "db.engine()")
        return _driver("sqlalchemy", "db.engine()").engine_to(_FAMILY, self, **options)

    def celery(self, app: Any, name: str = "celery", **options: Any) -> None:
        """Let Celery's tasks, as the code under test calls them, be tasks of the world.

        Each `delay` and `apply_async` is a row of a table, and starts the task; whether
        it is acknowledged early or late is what the task's `acks_late` says.

        Args:
            app: Celery's.
            name: of the table, one of those that the database was made with.
            options: `fails` and `loses`, of `RecordedCalls`.
        """
        celery = _driver("celery", "db.celery()")
        told = {
            "runs": celery.runs_of(app),
            "acknowledges": celery.acknowledges_of(app),
        }
        celery.install()
        celery.attach(self._kernel, self.calls(name, **told, **options))


def _read(schema: Any, rows: GivenRows) -> tuple[str, GivenRows]:
    """Return DDL and rows of whatever a schema is given as."""
    if isinstance(schema, str):
        return schema, rows
    if hasattr(schema, "sorted_tables"):
        models = _driver("sqlalchemy", "a schema from models")
        return models.schema_of(schema, _FAMILY), models.rows_of(schema, rows)
    if hasattr(schema, "get_models") or isinstance(schema, list | tuple):
        models = _driver("django", "a schema from models")
        listed = schema.get_models() if hasattr(schema, "get_models") else schema
        return models.schema_of(listed, _FAMILY), rows
    raise InvalidScenario(
        f"schema {schema!r}\n"
        "  expected  DDL as text, SQLAlchemy's MetaData, or models of Django's"
    )

"""A SQLite database of a world, as the code under test reaches it."""

import importlib
import sys
from collections.abc import Iterable
from typing import Any, Final

from wavecheck.scenarios.drivers import recorded, sqlite
from wavecheck.scenarios.drivers.handle import WorldDatabase
from wavecheck.scenarios.drivers.reaching import make_reachable
from wavecheck.scenarios.drivers.running import Fresh
from wavecheck.scenarios.sql.row_files import Rows, read_rows
from wavecheck.scenarios.sql.sqlite import SQLiteDatabase
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel

_FAMILY: Final = "sqlite"


def _sqlalchemy() -> Any:
    # Imported here: it is slow to load, and sqlite3 needs none of it.
    return importlib.import_module("wavecheck.scenarios.drivers.sqlalchemy")


class SQLite(WorldDatabase):
    """One database in WAL mode, its tables, and the ways into it.

    Args:
        kernel: whose parts the tables become.
        schema: DDL text, or SQLAlchemy's MetaData.
        rows: by table, each by column; or the path of a CSV file that has them.
        name: of the file in the addresses that the code uses; empty: any.
        isolation: how a plain BEGIN begins: `deferred` or `immediate`.
        gives_up: whoever waits for the lock may come to the end of its timeout.
        calls: names of stand-ins whose calls are recorded in tables.

    Raises:
        InvalidScenario: the schema is none, or is not modelled.
    """

    def __init__(
        self,
        kernel: Kernel,
        schema: Any,
        *,
        rows: Rows | None = None,
        name: str = "",
        isolation: str = "deferred",
        gives_up: bool = False,
        calls: Iterable[str] = (),
    ) -> None:
        given: Any = read_rows(rows)
        if hasattr(schema, "sorted_tables"):
            models = _sqlalchemy()
            given = models.rows_of(schema, given)
            schema = models.schema_of(schema, _FAMILY)
        if not isinstance(schema, str):
            raise InvalidScenario(
                f"schema {schema!r} of a SQLite database\n"
                "  expected  DDL as text, or SQLAlchemy's MetaData"
            )
        apart = tuple(calls)
        tables = [recorded.table_of(one, _FAMILY) for one in apart]
        ddl = ";\n".join([schema.rstrip().removesuffix(";"), *tables])
        database = SQLiteDatabase(
            kernel, ddl, rows=given, gives_up=gives_up, apart=apart
        )
        super().__init__(kernel, database, isolation)
        make_reachable(kernel, _FAMILY, self, name)
        sqlite.install()
        if "sqlalchemy" in sys.modules:  # else no code under test can use it
            _sqlalchemy().install()

    def engine(self, **options: Any) -> Any:
        """Return an engine of SQLAlchemy's.

        Args:
            options: of `create_engine`.
        """
        return _sqlalchemy().engine_to(_FAMILY, self, **options)

    def connect(self, **options: Any) -> Fresh:
        """Return a connection of sqlite3's, a new one for each task that is given it.

        Args:
            options: `timeout`, `isolation_level`, `autocommit`, as in sqlite3.
        """
        return Fresh(lambda: sqlite.connection_to(self, **options))

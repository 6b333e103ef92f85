"""The builder of a declared world, with databases of the user's own."""

import re
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.server import SERVER
from wavecheck.sim.task import Task
from wavecheck.sim.worlds.builder import WorldBuilder
from wavecheck.sim.worlds.judging import message_of

if TYPE_CHECKING:
    from wavecheck.scenarios.drivers.postgresql import PostgreSQL
    from wavecheck.scenarios.drivers.sqlite_database import SQLite
    from wavecheck.scenarios.sql.row_files import Rows


class Builder(WorldBuilder):
    """Builds a world, and is it afterwards."""

    def postgresql(
        self,
        schema: Any,
        *,
        rows: "Rows | None" = None,
        name: str = "",
        isolation: str = "read committed",
        calls: Iterable[str] = (),
    ) -> "PostgreSQL":
        """Add a PostgreSQL database, which code under test reaches by its drivers.

        Args:
            schema: DDL text, SQLAlchemy's MetaData, or models of Django's.
            rows: by table, each by column; or the path of a CSV file that has them.
            name: of the database in the addresses that the code uses; empty: any.
            isolation: level of its sessions, unless they say otherwise.
            calls: names of stand-ins whose calls are recorded in tables.
        """
        # Imported here: no other world waits for the model of PostgreSQL.
        from wavecheck.scenarios.drivers.postgresql import PostgreSQL

        made = PostgreSQL(
            self.kernel, schema, rows=rows, name=name, isolation=isolation, calls=calls
        )
        self.adopt(made)
        self._waits_for_rows = True
        return made

    def sqlite(
        self,
        schema: Any,
        *,
        rows: "Rows | None" = None,
        name: str = "",
        isolation: str = "deferred",
        gives_up: bool = False,
        calls: Iterable[str] = (),
    ) -> "SQLite":
        """Add a SQLite database in WAL mode, which code under test reaches by sqlite3.

        Args:
            schema: DDL text, or SQLAlchemy's MetaData.
            rows: by table, each by column; or the path of a CSV file that has them.
            name: of the file in the addresses that the code uses; empty: any.
            isolation: how a plain BEGIN begins: `deferred` or `immediate`.
            gives_up: whoever waits for the lock may come to the end of its busy timeout
                (`timeout` of `connect`, 5 s if not said); else it waits as long as it
                takes. Without a timeout nobody waits.
            calls: names of stand-ins whose calls are recorded in tables.
        """
        from wavecheck.scenarios.drivers.sqlite_database import SQLite

        made = SQLite(
            self.kernel,
            schema,
            rows=rows,
            name=name,
            isolation=isolation,
            gives_up=gives_up,
            calls=calls,
        )
        self.adopt(made)
        return made

    def never(
        self,
        name: str,
        wrong: Any,
        *,
        on: Any = None,
        meaning: str = "",
        at_risk: Callable[[], bool] | None = None,
    ) -> None:
        """Say what must never be so; SQL is asked when a table that it names changes.

        Args:
            name: of the property.
            wrong: looks at parts and returns what is wrong; or SQL that selects it.
            on: a part, as `WorldBuilder.never` takes it.
            meaning: what must hold, in one sentence; the name says it if not given.
            at_risk: whether an execution could have violated it at all; for SQL, if
                not given: whether a table that it names has changed.
        """
        if not isinstance(wrong, str):
            super().never(name, wrong, on=on, meaning=meaning, at_risk=at_risk)
            return
        look = self._look(name, wrong)
        check: Any = partial(message_of, name)
        tables = self._named(wrong)
        at_risk = at_risk or self._changes(tables)
        checks = dict.fromkeys(tables, check)
        self._add(name, look, meaning, at_risk, on_change=checks)

    def at_the_end(
        self,
        name: str,
        wrong: Any,
        *,
        meaning: str = "",
        at_risk: Callable[[], bool] | None = None,
    ) -> None:
        """Say what must not be so when nothing can happen any more.

        Args:
            name: of the property.
            wrong: looks at parts and returns what is wrong; or SQL that selects it.
            meaning: what must hold, in one sentence; the name says it if not given.
            at_risk: as of `never`.
        """
        if isinstance(wrong, str) and at_risk is None and self.databases:
            at_risk = self._changes(self._named(wrong))
        super().at_the_end(name, wrong, meaning=meaning, at_risk=at_risk)

    def _named(self, sql: str) -> list[str]:
        """Return the tables that a query names."""
        tables = self.databases[-1].tables
        return [one for one in tables if re.search(rf"\b{re.escape(one)}\b", sql)]

    def _changes(self, names: list[str]) -> Callable[[], bool]:
        """Return whether some tables hold other rows than at the start."""
        tables = [self.databases[-1].tables[name] for name in names]
        initial = [list(table) for table in tables]
        return lambda: [list(table) for table in tables] != initial

    def running(
        self, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Coroutine[Any, Any, Any]:
        """Return the coroutine of a task; its sessions end with it."""
        if not self.databases:
            return super().running(function, args)  # type: ignore[no-any-return]  # a coroutine
        from wavecheck.scenarios.drivers.running import run_code

        return run_code(function, args)

    def close(self) -> None:
        """End building; what asks a server keeps the world's tables there.

        Raises:
            InvalidScenario: there is no task, or no part, or what has no SQL.
        """
        place = self.kernel.services.get(SERVER)
        if place is not None and self.tables and not self.databases:
            # Imported here: most questions need no server.
            from wavecheck.scenarios.server.tables import put_on_server

            put_on_server(self, place)
        super().close()

    def _restart(self, task: Task) -> None:
        """Let a task that has died begin again, if it does; also one of a call's."""
        if self.databases:
            from wavecheck.scenarios.drivers.recorded import redelivered

            again = redelivered(self.kernel, task)
            if again is not None:
                self.kernel.spawn(again, f"{task.name} again")
        super()._restart(task)

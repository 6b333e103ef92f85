"""A database of a world: its sessions, its tables, and calls that leave it as rows."""

from typing import Any

from wavecheck.scenarios.drivers import recorded, running
from wavecheck.scenarios.sql.session import Answer, Session
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel


class WorldDatabase:
    """What the databases of all families have.

    Args:
        kernel: whose parts the tables are.
        database: the model.
        isolation: level of its sessions, unless they say otherwise.

    Attributes:
        database: the model.
    """

    def __init__(self, kernel: Kernel, database: Any, isolation: str) -> None:
        self.database = database
        self._kernel = kernel
        self._isolation = isolation

    def session(self) -> Session:
        """Return a session; it is closed with the task that it is opened in."""
        session = self.database.session(isolation=self._isolation)
        running.note_session(session)
        return session  # type: ignore[no-any-return]  # of the model or of the server

    @property
    def tables(self) -> dict[str, Any]:
        """Its tables, a part each, by name."""
        return dict(self.database.tables)

    def query(self, sql: str) -> Answer:
        """Return what a query gives on what is committed; it is no step."""
        answer: Answer = self.database.query(sql)
        return answer

    def calls(self, name: str, **options: Any) -> recorded.RecordedCalls:
        """Return a stand-in whose calls are rows of the table of its name.

        Args:
            name: one of those that the database was made with.
            options: of `RecordedCalls`.
        """
        if name not in self.database.tables:
            raise InvalidScenario(
                f"calls of {name!r} have no table\n"
                f"next: name it where the database is made: calls=[{name!r}]"
            )
        return recorded.RecordedCalls(self._kernel, self.database, name, **options)

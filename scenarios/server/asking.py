"""A question about a world whose database is on a server."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.server.serving import Server
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.checking import search_subject
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.search.search import Search
from wavecheck.sim.search.session import Session

if TYPE_CHECKING:
    from wavecheck.scenarios.verdicts.approaches import Watch

_NO_END: Final = sys.maxsize


def ask_on_server(
    subject: Subject, effort: Effort, watch: "Watch", deadline: Deadline | None = None
) -> CheckResult:
    """Search or prove on the server that an effort names.

    Args:
        subject: what is under test; its world has a PostgreSQL database.
        effort: how hard to try, and on which server.
        watch: who is told how far it is.
        deadline: of all the work; by the effort if not given.

    Raises:
        InvalidScenario: the server cannot be used, or the world has nothing there.
        NondeterminismError: two runs of one schedule differ.
    """
    from wavecheck.scenarios.verdicts.approaches import EXHAUSTIVE, search_of

    assert effort.db is not None
    if effort.jobs != 1 or effort.cluster is not None:
        raise InvalidScenario(
            "--db runs one execution after another\n"
            "next: leave --jobs and --cluster out"
        )
    server = Server(effort.db)
    subject = replace(subject, server=server)
    try:
        search: Search
        if effort.strategy != EXHAUSTIVE:
            search = Watched(search_of(subject, replace(effort, executions=1)))
        else:
            if effort.seconds is None:
                effort = replace(effort, executions=_NO_END)
            search = Exhaustive()
        return search_subject(subject, effort, search, watch.searching, deadline)
    finally:
        server.close()


def database_of(world: Any) -> Any:
    """Return the database of a world that is on a server.

    Raises:
        InvalidScenario: there is none, or more than one.
    """
    there = [
        one.on_server
        for one in getattr(world, "databases", ())
        if getattr(one, "on_server", None) is not None
    ]
    if len(there) != 1:
        raise InvalidScenario(
            f"--db: the world has {len(there) or 'no'} PostgreSQL"
            f" {'databases' if there else 'database'}\n"
            "  expected  one, made by w.postgresql(schema); or tables, by w.table(...)"
        )
    return there[0]


class Watched:
    """A search by choices, with what it overlapped counted."""

    note = ""

    def __init__(self, search: Search) -> None:
        self._search = search

    def run(self, session: Session) -> None:
        """Run the executions of the search on the server."""
        from wavecheck.scenarios.server.overlaps import Overlaps

        overlaps = Overlaps(database_of(session.world))
        kernel = session.kernel
        kernel.on_step = overlaps.note
        try:
            self._search.run(session)
        finally:
            kernel.on_step = None
            overlaps.executions_count = session.executions_count
            self.note = str(overlaps)

    def proved(self) -> bool:
        """Return whether the executions so far were all that exist."""
        return self._search.proved()


class Exhaustive:
    """The search of all states, made when the world is there.

    Args:
        options: of `StatefulSearch`.
    """

    note = ""

    def __init__(self, **options: bool) -> None:
        self._options = options
        self.made: Any = None

    def run(self, session: Session) -> None:
        """Explore the states of the session's world."""
        from wavecheck.scenarios.server.exploring import StatefulSearch
        from wavecheck.scenarios.server.overlaps import Overlaps
        from wavecheck.scenarios.server.states import StateKeys

        database = database_of(session.world)
        alike: Any = getattr(session.world, "interchangeable", tuple)()
        if not self._options.get("exchanges", True):
            alike = ()
        self.made = StatefulSearch(
            StateKeys(database, alike), Overlaps(database), **self._options
        )
        try:
            self.made.run(session)
        finally:
            self.note = self.made.note

    def proved(self) -> bool:
        """Return whether every state was seen."""
        return self.made is not None and self.made.proved()

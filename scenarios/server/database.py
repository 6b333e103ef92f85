"""A world's database on a real server: its tables, the steps on it, and the way back.

Before each execution the rows and sequences are what they were at the start. After each
step the committed rows are read, so that properties and traces see them; what a
transaction has not committed is nobody's to see.

Who is blocked is asked of the server, and only where a statement has not come back.
What the server decides by itself is led where that is possible: whoever waits in a
circle may be the victim of the deadlock, as the search decides.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from time import monotonic
from typing import Any, Final

from wavecheck.scenarios.server.line import GLANCE_SECONDS, Line, Told
from wavecheck.scenarios.server.place_of_worlds import WorldPlace
from wavecheck.scenarios.server.watching import (
    cancel,
    circle_of,
    is_settled,
    who_waits,
)
from wavecheck.scenarios.sql.session import Answer, Column
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.handles import row_type_of
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Part, Table
from wavecheck.sim.task import Task

PATIENCE_SECONDS: Final = 30.0


class ServerTable(Part):
    """The committed rows of a table, as they were read last."""

    def __init__(self, kernel: Kernel, name: str, columns: tuple[str, ...]) -> None:
        super().__init__(kernel, name)
        self.columns = columns
        self._row_type = row_type_of(name, tuple((one, None) for one in columns))
        self.texts: tuple[str, ...] = ()

    def __iter__(self) -> Any:
        return iter([self._row(one) for one in self.texts])

    def _row(self, text: str) -> Any:
        return self._row_type(*json.loads(text).values())

    def read(self, texts: tuple[str, ...]) -> None:
        """Take in what is committed now; note each row that differs."""
        if texts == self.texts:
            return
        gone = [one for one in self.texts if one not in texts]
        new = [one for one in texts if one not in self.texts]
        self.texts = texts
        changed: dict[Any, list[Any]] = {}
        for place, some in enumerate((gone, new)):
            for one in some:
                row = self._row(one)
                changed.setdefault(row[0], [None, None])[place] = row
        for key, (before, after) in changed.items():
            self._journal.append((self, key, before, after))

    def snapshot(self) -> tuple[str, ...]:
        """Return the rows, in no order."""
        return tuple(sorted(self.texts))

    def mark(self) -> None:
        """Remember the rows as they lie."""
        self._marked = self.texts

    def restore(self, state: tuple[str, ...]) -> None:
        """Take rows for those that are committed."""
        self.texts = state


class TableOfParts:
    """A table of a world of parts, which shows what is committed on the server.

    Args:
        table: the part.
        floats: the columns whose whole numbers are floats as well.
    """

    def __init__(self, table: Table[Any], floats: frozenset[int]) -> None:
        self.part = table
        self._floats = floats
        self.texts: tuple[str, ...] = ()

    def read(self, texts: tuple[str, ...]) -> None:
        """Take in what is committed now; note each row that differs."""
        if texts != self.texts:
            self.texts = texts
            self.part.become([self._values(one) for one in texts])

    def _values(self, text: str) -> list[Any]:
        return [
            float(one) if at in self._floats and one is not None else one
            for at, one in enumerate(json.loads(text).values())
        ]


class _Waiting(Part):
    """Which statements the server holds up; and, at the start of each execution, it."""

    def __init__(self, kernel: Kernel, name: str, rewind: Callable[[], None]) -> None:
        self.held: tuple[tuple[str, bool], ...] = ()
        self._rewind = rewind
        super().__init__(kernel, name)

    def note(self, held: tuple[tuple[str, bool], ...]) -> None:
        """Take in who waits now, in the order in which they began to."""
        if held != self.held:
            self._journal.append((self, None, _names(self.held), _names(held)))
            self.held = held

    def snapshot(self) -> tuple[tuple[str, bool], ...]:
        """Return who waits."""
        return self.held

    def restore(self, state: tuple[tuple[str, bool], ...]) -> None:
        """Say who waits; the server is left alone."""
        self.held = state

    def rewind(self) -> None:
        """Begin an execution: nobody waits, and the server is as it was."""
        self.held = ()
        self._rewind()


def _names(held: tuple[tuple[str, bool], ...]) -> tuple[str, ...]:
    return tuple(name for name, _ in held)


class ServerDatabase:
    """One database of a world, on a server.

    Args:
        kernel: whose parts show it.
        place: on the server.
        ddl: of its schema.
        rows: by table, each by column.
        isolation: level of its sessions, unless they say otherwise.
        shown: the tables that the world has already; parts are made if not given.

    Attributes:
        place: on the server.
        tables: a part each, by name; or what shows it in one that there was.
        waiting: the statements that are held up.
        lines: the connections of the current execution, in order of their opening.
        isolation: level of its sessions, unless they say otherwise.
        keys: the columns of each table's primary key.
        sequences: the values of its sequences, as text.
        versions: a digest of what was committed, after each end of a transaction in
            this execution; the first one is of the start.
        let_go_together: how often a step has let several waiting statements go on.
    """

    def __init__(
        self,
        kernel: Kernel,
        place: WorldPlace,
        ddl: str,
        rows: Mapping[str, Iterable[Mapping[str, Any]]],
        isolation: str,
        *,
        shown: Mapping[str, TableOfParts] | None = None,
    ) -> None:
        self._kernel = kernel
        self.place = place
        self.isolation = isolation
        self._start = place.begin(ddl, rows, isolation)
        self.lines: list[Line] = []
        self._asked: Mapping[int, Any] = {}
        self.tables: Mapping[str, ServerTable | TableOfParts] = shown or {
            name: ServerTable(kernel, name, columns)
            for name, columns in self._start.tables.items()
        }
        self.keys = self._start.keys
        self.sequences: tuple[str, ...] = ()
        self.versions: list[bytes] = []
        self.let_go_together = 0
        self._take(self._start.committed)
        kernel.journal.clear()
        self.waiting = _Waiting(kernel, "waiting", self._rewind)

    def other_parts(self) -> list[Part]:
        """Return the parts of the world that show nothing of the server."""
        shown = [getattr(one, "part", one) for one in self.tables.values()]
        return [
            part
            for part in self._kernel.parts.values()
            if part is not self.waiting and all(part is not one for one in shown)
        ]

    # Sessions -----------------------------------------------------------------------

    def note_line(self, line: Line) -> None:
        """Take a connection that a task has opened."""
        line.task = self._kernel.current_task().name
        self.lines.append(line)

    def forget_line(self, line: Line) -> None:
        """Let go of a connection that is closed."""
        self.lines.remove(line)

    def tasks(self) -> list[Task]:
        """Return the tasks of the current execution."""
        return self._kernel.tasks

    # Steps --------------------------------------------------------------------------

    def perform(self, line: Line) -> Told:
        """Send a statement and let the server come to rest."""
        line.start()
        self._settle(line)
        if line.is_busy:
            waits = self._asked.get(line.pid, ())
            names = {one.pid: one.task for one in self.lines}
            return Told(waits_for=tuple(names.get(one, "another") for one in waits))
        told = line.tell()
        self._note(line)
        return told

    def go_on(self, line: Line) -> Told:
        """Take the answer to a statement that was held up, or fail as the victim."""
        if line.is_busy:
            line.is_victim = True
            cancel(self.place.control, line.pid)
            began = monotonic()
            while not line.glance():
                self._check_patience(began)
            self._settle(line)
        told = line.tell()
        self._note(line)
        return told

    def _settle(self, acting: Line) -> None:
        """Wait until every statement has been answered, or waits for another's."""
        self._asked = {}
        busy = [one for one in self.lines if one.is_busy]
        if busy:
            began = monotonic()
            freed: list[Line] = []
            while busy:
                moved = [one for one in busy if one.glance()]
                freed += [one for one in moved if one is not acting]
                busy = [one for one in busy if one.is_busy]
                if moved or not busy:
                    continue
                waits = who_waits(self.place.control, [one.pid for one in busy])
                if is_settled(waits) and not any(one.glance() for one in busy):
                    self._asked = waits
                    break
                busy = [one for one in busy if one.is_busy]
                self._check_patience(began)
            self.let_go_together += len(freed) > 1
            if any(one.is_idle() for one in freed):
                self.refresh()
            for one in busy:
                one.in_circle = one.pid in circle_of(self._asked, one.pid)
        elif not self.waiting.held:
            return
        self._note_waiting(busy)

    def _note_waiting(self, busy: list[Line]) -> None:
        known = [name for name, _ in self.waiting.held]
        by_name = {one.task: one for one in busy}
        order = [one for one in known if one in by_name]
        order += [one for one in by_name if one not in order]
        self.waiting.note(tuple((one, by_name[one].in_circle) for one in order))

    def _check_patience(self, began: float) -> None:
        if monotonic() - began <= PATIENCE_SECONDS:
            return
        busy = [f"{one.task}: {one.sent}" for one in self.lines if one.is_busy]
        raise InvalidScenario(
            f"a statement neither ends nor waits after {PATIENCE_SECONDS:.0f} s\n"
            f"  {'; '.join(busy)}\n"
            "likely: pg_sleep, a long query, or a lock that no task of the world holds"
        )

    def _note(self, line: Line) -> None:
        """Read what is committed, if the step may have changed it."""
        is_over = line.is_idle()
        if self._start.sequences or (is_over and line.may_have_written):
            self.refresh()
        if is_over:
            line.may_have_written = False

    def refresh(self) -> None:
        """Read what is committed."""
        self._take(self.place.committed(self._start))

    def _take(self, read: tuple[dict[str, tuple[str, ...]], tuple[str, ...]]) -> None:
        rows, self.sequences = read
        for name, texts in rows.items():
            self.tables[name].read(texts)
        text = self.rows_text(has_order=False)
        self.versions.append(blake2b(text.encode(), digest_size=16).digest())

    def rows_text(self, *, has_order: bool) -> str:
        """Return all that is committed as one text.

        Args:
            has_order: with the order in which the rows lie.
        """
        parts = [*self.sequences]
        for name, table in self.tables.items():
            parts += [name, *(table.texts if has_order else sorted(table.texts))]
        return "\n".join(parts)

    def leave(self) -> None:
        """End every session where it stands: another world is run here."""
        for line in list(self.lines):
            line.abandon()
            line.hang_up()

    def _rewind(self) -> None:
        self.place.enter(self)
        self.place.reset(self._start)
        del self.versions[1:]
        for name, texts in self._start.committed[0].items():
            self.tables[name].texts = texts
        self.sequences = self._start.committed[1]
        self.let_go_together = 0

    # Questions ----------------------------------------------------------------------

    def query(self, sql: str) -> Answer:
        """Return what a query gives on what is committed; it is no step."""
        columns, rows = self.place.query(self._start, sql)
        return Answer(
            command="SELECT",
            columns=tuple(Column(name=one, type_name="") for one in columns),
            rows=rows,
            rows_count=len(rows),
        )

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert a row that is there at once, whatever becomes of a transaction."""
        self.place.insert(table, row)
        self.refresh()


__all__ = ["GLANCE_SECONDS", "ServerDatabase", "ServerTable", "TableOfParts"]

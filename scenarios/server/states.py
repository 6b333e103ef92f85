"""What a state on a server is: a key by which two of them are known to be one.

In the key are the committed rows and the sequences; the parts of the world that are not
on the server; what each task has been told in each of its steps; of each open
transaction, what was committed whenever it did something that others could notice; who
waits, in the order in which they began to; for REPEATABLE READ, what was committed
since the transaction began; for SERIALIZABLE, all that has happened since any such
transaction was open.

Nothing of this is asked of the sessions themselves: a question in their transactions
would take locks and snapshots. So what a transaction has written, and which rows it
holds, is known by what it has done and what was committed then: two states may be told
apart that are one, which costs time; what makes one of two is written down in
docs/server.md.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final

from wavecheck.scenarios.server.database import ServerDatabase
from wavecheck.scenarios.server.line import Line, Told
from wavecheck.scenarios.server.texts import may_pass_over, reads_only, tells_rows
from wavecheck.sim.errors import NondeterminismError
from wavecheck.sim.operation import Operation
from wavecheck.sim.task import Task

_NOTHING: Final = b""
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::?\d\d)?)?"
)
_ORDERED: Final = re.compile(r"\border\s+by\b", re.IGNORECASE)
_CHOOSES: Final = re.compile(r"\b(limit|fetch|array_agg|string_agg)\b", re.IGNORECASE)
_REPEATABLE: Final = re.compile(r"repeatable\s+read|serializable", re.IGNORECASE)
_SERIALIZABLE: Final = re.compile(r"serializable", re.IGNORECASE)
_REMAINS: Final = re.compile(r"advisory|\btemp(orary)?\b|set_config", re.IGNORECASE)


def _hash(*parts: bytes) -> bytes:
    made = blake2b(digest_size=16)
    for part in parts:
        made.update(len(part).to_bytes(4))
        made.update(part)
    return made.digest()


class KeyIsFiner(Exception):
    """From here on the key must tell more states apart: begin again."""


class StateKeys:
    """Makes the keys of the states of one world.

    Args:
        database: the world's.
        alike: groups of names of tasks that could be exchanged.

    Attributes:
        has_order: the order in which rows lie is in the key, because it matters.
        keeps_snapshots: some transaction is REPEATABLE READ or SERIALIZABLE.
        keeps_reads: some transaction is SERIALIZABLE.
    """

    def __init__(
        self, database: ServerDatabase, alike: Sequence[Sequence[str]] = ()
    ) -> None:
        self.has_order = False
        level = database.isolation.lower()
        self.keeps_snapshots = _REPEATABLE.search(level) is not None
        self.keeps_reads = _SERIALIZABLE.search(level) is not None
        self._database = database
        self._group = {name: n for n, names in enumerate(alike) for name in names}
        today: Any = database.query("SELECT current_date").rows[0][0]
        self._days = {str(today + timedelta(days=one)) for one in (-1, 0, 1)}
        self._asked: dict[tuple[str, bytes], str] = {}
        self.begin()

    def begin(self) -> None:
        """Forget the execution before."""
        self._told: dict[str, bytes] = {}
        self._chains: dict[Line, bytes] = {}
        self._since: dict[Line, int] = {}
        self._opened: dict[Line, int] = {}
        self._remains: set[Line] = set()
        self._cluster = _NOTHING

    # What happens -------------------------------------------------------------------

    def note(
        self, task: Task, operation: Operation[Any], result: Any, changes: Any
    ) -> None:
        """Take in a step; a listener of the kernel's.

        Raises:
            KeyIsFiner: the step shows that the key is too coarse.
            NondeterminismError: a task is no function of what it was told.
        """
        line = operation.owner
        asked = self._timeless(
            "\x00".join([operation.statement.name, *map(str, operation.args)])
        )
        self._compare(task, asked)
        is_held = isinstance(result, Told) and result.waits_for
        answer = "" if is_held else self._timeless(str(result))
        step = f"{asked}\x00{answer}".encode()
        if isinstance(line, Line):
            self._refine(line, result)
            self._note_line(task, line)
        self._told[task.name] = _hash(self._told.get(task.name, _NOTHING), step)
        if self.keeps_reads:
            is_quiet = all(not one.is_busy and one.is_idle() for one in self._lines())
            name = task.name.encode()
            self._cluster = _NOTHING if is_quiet else _hash(self._cluster, name, step)

    def _compare(self, task: Task, asked: str) -> None:
        """Refuse a task that goes on otherwise though it was told the same.

        Raises:
            NondeterminismError: it says what it did, and what it does now.
        """
        told = task.name, self._told.get(task.name, _NOTHING)
        before = self._asked.setdefault(told, asked)
        if before != asked:
            raise NondeterminismError(
                f"{task.name} was told the same in two executions, and goes on"
                " otherwise\n"
                f"  once  {_shown(before)}\n"
                f"  then  {_shown(asked)}\n"
                "likely: a clock, a random value, or state that the code keeps beside"
                " the database\n(a module's global, a class attribute, a closure)"
            )

    def _note_line(self, task: Task, line: Line) -> None:
        versions = self._database.versions
        text = line.sent.text
        if _REMAINS.search(text):
            self._remains.add(line)
        if line.is_busy:
            self._since[line] = len(versions) - 1
            self._opened.setdefault(line, len(versions) - 1)
        elif line.is_idle() and line not in self._remains:
            for one in (self._chains, self._since, self._opened):
                one.pop(line, None)
        else:
            self._opened.setdefault(line, len(versions) - 1)
            since = self._since.pop(line, len(versions) - 1)
            if reads_only(text):
                return
            before = self._chains.get(line, _NOTHING)
            others: list[bytes] = []
            if may_pass_over(text) and not tells_rows(text, self._database.keys):
                tasks = self._database.tasks()
                others = sorted(self.part_of(one) for one in tasks if one is not task)
            self._chains[line] = _hash(before, *versions[since:], *others)

    def _lines(self) -> list[Line]:
        return self._database.lines

    def _timeless(self, text: str) -> str:
        """Return a text without the moments of today, which no two executions share."""
        if ":" not in text:
            return text
        return _MOMENT.sub(
            lambda found: "<now>" if found[1] in self._days else found[0], text
        )

    def _refine(self, line: Line, told: Told) -> None:
        sent = line.sent
        text = f"{sent} {line.aside} {line.level()}"
        line.aside = ""
        is_finer = False
        if not self.keeps_snapshots and _REPEATABLE.search(text):
            self.keeps_snapshots = is_finer = True
        if not self.keeps_reads and _SERIALIZABLE.search(text):
            self.keeps_reads = is_finer = True
        if not self.has_order and not _ORDERED.search(f"{sent}"):
            count = told.tag.rpartition(" ")[2]
            is_many = len(told.rows) > 1 or (count.isdigit() and int(count) > 1)
            if is_many or _CHOOSES.search(f"{sent}"):
                self.has_order = is_finer = True
        if is_finer:
            raise KeyIsFiner

    # Where it stands ----------------------------------------------------------------

    def part_of(self, task: Task) -> bytes:
        """Return what the key says of one task."""
        database, held = self._database, self._database.waiting.held
        parts = [self._told.get(task.name, _NOTHING)]
        for line in database.lines:
            if line.task != task.name:
                continue
            parts.append(self._chains.get(line, _NOTHING))
            since = self._since.get(line)
            if self.keeps_snapshots:
                since = self._opened.get(line, since)
            if since is not None:
                parts += [b"since", *database.versions[since:]]
            if line.is_busy:
                parts.append(b"in a circle" if line.in_circle else b"busy")
        for place, (name, _) in enumerate(held):
            if name == task.name:
                parts.append(place.to_bytes(2))
        parts.append(b"over" if task.is_finished else b"")
        return _hash(*parts)

    def told(self) -> bytes:
        """Return a digest of what all tasks were told."""
        return _hash(*[name.encode() + one for name, one in self._told.items()])

    def key(self, tasks: Sequence[Task]) -> bytes:
        """Return the key of the state that all tasks are in."""
        alone: list[bytes] = []
        exchanged: dict[int, list[bytes]] = {}
        for task in tasks:
            group = None if self.keeps_reads else self._group.get(task.name)
            part = self.part_of(task)
            if group is None:
                alone.append(part)
            else:
                exchanged.setdefault(group, []).append(part)
        for group in sorted(exchanged):
            alone += sorted(exchanged[group])
        rows = self._database.rows_text(has_order=self.has_order)
        parts = repr([one.snapshot() for one in self._database.other_parts()])
        return _hash(
            self._timeless(rows).encode(), parts.encode(), self._cluster, *alone
        )


def _shown(asked: str) -> str:
    return asked.replace("\x00", " ")

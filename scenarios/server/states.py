"""What a state on a server is: a key by which two of them are known to be one.

In the key are the committed rows and the sequences; what each task has been told in
each of its steps; of each open transaction, what was committed whenever it did
something that others could notice; who waits, in the order in which they began to; for
REPEATABLE READ, what was committed since the transaction began; for SERIALIZABLE, all
that has happened since any such transaction was open.

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
from wavecheck.scenarios.server.line import Line, Sent, Told
from wavecheck.sim.operation import Operation
from wavecheck.sim.task import Task

_NOTHING: Final = b""
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::?\d\d)?)?"
)
_READS: Final = re.compile(r"\s*(select|show|values)\b", re.IGNORECASE)
_LOCKS: Final = re.compile(
    r"\bfor\s+(no\s+key\s+update|update|key\s+share|share)\b|\binto\b", re.I
)
_CALLED: Final = re.compile(r"([\w.]+)\s*\(")
_ORDERED: Final = re.compile(r"\border\s+by\b", re.IGNORECASE)
_CHOOSES: Final = re.compile(r"\b(limit|fetch|array_agg|string_agg)\b", re.IGNORECASE)
_REPEATABLE: Final = re.compile(r"repeatable\s+read|serializable", re.IGNORECASE)
_SERIALIZABLE: Final = re.compile(r"serializable", re.IGNORECASE)
_HARMLESS: Final = frozenset(
    {
        *("count", "min", "max", "sum", "avg", "coalesce", "nullif", "lower", "upper"),
        *("length", "exists", "in", "any", "all", "not", "and", "or", "values", "as"),
        *("now", "greatest", "least", "cast", "array", "over", "on", "from", "where"),
        *("select", "abs", "round", "concat", "bool_and", "bool_or", "row", "using"),
        *("having", "union", "join", "lateral", "varchar", "numeric", "char", "by"),
    }
)
"""What may stand before a bracket in a query that does nothing but read."""


def reads_only(text: str) -> bool:
    """Return whether a statement only reads, and locks nothing."""
    if not _READS.match(text) or _LOCKS.search(text):
        return False
    return all(one.lower() in _HARMLESS for one in _CALLED.findall(text))


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
        self.begin()

    def begin(self) -> None:
        """Forget the execution before."""
        self._told: dict[str, bytes] = {}
        self._chains: dict[Line, bytes] = {}
        self._since: dict[Line, int] = {}
        self._opened: dict[Line, int] = {}
        self._cluster = _NOTHING

    # What happens -------------------------------------------------------------------

    def note(
        self, task: Task, operation: Operation[Any], result: Any, changes: Any
    ) -> None:
        """Take in a step; a listener of the kernel's.

        Raises:
            KeyIsFiner: the step shows that the key is too coarse.
        """
        line = operation.owner
        what = [operation.statement.name, *map(str, operation.args), str(result)]
        step = self._timeless("\x00".join(what)).encode()
        self._told[task.name] = _hash(self._told.get(task.name, _NOTHING), step)
        if not isinstance(line, Line):
            return
        self._refine(line.sent, result)
        versions = self._database.versions
        if line.is_busy:
            self._since[line] = len(versions) - 1
        elif line.is_idle():
            for one in (self._chains, self._since, self._opened):
                one.pop(line, None)
        else:
            self._opened.setdefault(line, len(versions) - 1)
            since = self._since.pop(line, len(versions) - 1)
            if not reads_only(line.sent.text):
                before = self._chains.get(line, _NOTHING)
                self._chains[line] = _hash(before, *versions[since:])
        if self.keeps_reads:
            is_quiet = all(not one.is_busy and one.is_idle() for one in self._lines())
            name = task.name.encode()
            self._cluster = _NOTHING if is_quiet else _hash(self._cluster, name, step)

    def _lines(self) -> list[Line]:
        return self._database.lines

    def _timeless(self, text: str) -> str:
        """Return a text without the moments of today, which no two executions share."""
        if ":" not in text:
            return text
        return _MOMENT.sub(
            lambda found: "<now>" if found[1] in self._days else found[0], text
        )

    def _refine(self, sent: Sent, told: Told) -> None:
        text = f"{sent}"
        is_finer = False
        if not self.keeps_snapshots and _REPEATABLE.search(text):
            self.keeps_snapshots = is_finer = True
        if not self.keeps_reads and _SERIALIZABLE.search(text):
            self.keeps_reads = is_finer = True
        if not self.has_order and not _ORDERED.search(text):
            count = told.tag.rpartition(" ")[2]
            is_many = len(told.rows) > 1 or (count.isdigit() and int(count) > 1)
            if is_many or _CHOOSES.search(text):
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
        return _hash(self._timeless(rows).encode(), self._cluster, *alone)

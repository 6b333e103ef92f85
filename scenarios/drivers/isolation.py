"""Other levels of isolation, and locks, than the code under test asks for.

What a question puts beside a world: which level a transaction has that names none, and
which of its queries lock the rows that they read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from wavecheck.scenarios.sql.parsing import fields_of, parse_all
from wavecheck.scenarios.sql.session import (
    Answer,
    Session,
    SQLError,
    TransactionStatus,
)
from wavecheck.sim.handles.databases import USUAL_LEVEL
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.surroundings import RUNNING, running_task

_SERVICE: Final = "isolation"
_NUMBER: Final = re.compile(r"[-_. ]?\d+( again)?$")
_PLAIN: Final = frozenset({"targetList", "fromClause", "whereClause", "sortClause"})
_LIMITS: Final = frozenset({"limitCount", "limitOffset", "limitOption", "op"})
_AGGREGATES: Final = frozenset(
    {"count", "sum", "min", "max", "avg", "bool_and", "bool_or", "array_agg"}
)


@dataclass(frozen=True, slots=True)
class IsolationPlan:
    """What levels and locks the transactions of a world have.

    Attributes:
        level: of those that name none; empty: as the world says.
        by_kind: of those of some kinds of task.
        locks: texts of queries that lock what they read.
    """

    level: str = ""
    by_kind: Mapping[str, str] = field(default_factory=dict)
    locks: frozenset[str] = frozenset()


def kind_of_task(name: str) -> str:
    """Return the kind of a task: its name without a number at its end."""
    return _NUMBER.sub("", name) or name


def isolate(kernel: Kernel, isolation: IsolationPlan) -> None:
    """Let the databases of a kernel's world have other levels and locks."""
    kernel.services[_SERVICE] = isolation
    kernel.services[USUAL_LEVEL] = partial(level_in, kernel)


def level_in(kernel: Kernel, usual: str) -> str:
    """Return the level of a session that is opened now.

    Args:
        kernel: of the world.
        usual: what the world says.
    """
    told: IsolationPlan | None = kernel.services.get(_SERVICE)
    if told is None:
        return usual
    running = RUNNING.kernel
    name = "" if running is None else running_task(running).name
    return told.by_kind.get(kind_of_task(name), told.level or usual)


def with_locks(kernel: Kernel, session: Any) -> Any:
    """Return a session some queries of which lock, if it is asked for."""
    told: IsolationPlan | None = kernel.services.get(_SERVICE)
    return Locking(session, told.locks) if told and told.locks else session


class Locking:
    """A session some queries of which are performed `FOR UPDATE`.

    Args:
        session: performs them.
        locks: their texts.
    """

    def __init__(self, session: Session, locks: frozenset[str]) -> None:
        self._session = session
        self._locks = locks

    @property
    def status(self) -> TransactionStatus:
        """Where the session stands."""
        return self._session.status

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> Answer:
        """Perform one statement."""
        if sql in self._locks and self.status is TransactionStatus.IN_TRANSACTION:
            sql = f"{sql.rstrip().rstrip(';')} FOR UPDATE"
        return await self._session.execute(sql, parameters)

    async def close(self) -> None:
        """End the session."""
        await self._session.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def may_lock(sql: str) -> bool:
    """Return whether a query could lock the rows that it reads, and does not."""
    try:
        (node,) = parse_all(sql)
    except (SQLError, ValueError):
        return False
    kind, fields = fields_of(node)
    if kind != "SelectStmt" or not fields.get("fromClause"):
        return False
    if not set(fields) <= _PLAIN | _LIMITS or fields.get("op") != "SETOP_NONE":
        return False
    return not any(f"'{one}'" in str(fields["targetList"]) for one in _AGGREGATES)

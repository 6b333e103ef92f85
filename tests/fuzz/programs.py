"""The small language in which random cases are written down: plain tuples.

A case is drawn once and used twice: `rendering` turns it into Python that Wavecheck
runs, `reference` interprets it without any code of Wavecheck's. Every construct below
means in both what its Python text says.

Expressions (`Expr`), over the local variables of a task or of a statement:

    ("n", 2)  a literal     ("v", "x")  a variable     ("+", e, e)  sum modulo 3
    ("==", e, e)  ("<", e, e)  ("not", e)
    ("len", "x")  ("last", "x")  of a list     ("field", "x")  of a box

Reads of shared state, in statements, guards and properties only:

    ("count", key)  ("is set",)  ("queued",)  ("oldest",)  ("holder",)  ("leased",)
    ("copy",)  ("row", key)  ("rows", value)  ("all rows",)

Body of a statement: a list of

    ("let", x, e)  ("choose", x, n)  ("if", e, body, body)  ("return", e)
    ("fail if", e, error)      first of all, before anything is changed
    ("do", action, ...)        see `ACTIONS`; each is guarded so that it cannot fail

Body of a task or of a helper: a list of

    ("let", x, e)  ("await", x, statement, e)  ("if", e, body, body)
    ("sum", x, statement, e, statement, e)     of two results, awaited one by one
    ("for", i, n, body)  ("loop", body)  ("while", e, body)  ("break",)
    ("try", body, error, body)  ("raise", error)  ("return", e)
    ("call", x, helper, e)     a coroutine of the same task
    ("new list", x)  ("push", x, e)  ("new box", x, e)  ("put", x, e)  ("alias", x, y)
"""

from dataclasses import dataclass, field
from typing import Any

Expr = tuple[Any, ...]
Body = list[tuple[Any, ...]]

NO_ERROR = "no_error"
"""What every case is judged by beside its own properties."""

COUNTERS = ("a", "b")
KEYS = (0, 1)
QUEUE_MAX = 2
COUNT_MAX = 2

ACTIONS = {
    "add": "counters",
    "log": "counters",
    "set count": "counters",
    "set flag": "flag",
    "put": "queue",
    "append": "queue",
    "take": "queue",
    "acquire": "lock",
    "release": "lock",
    "grant": "leases",
    "expire": "leases",
    "keep": "cache",
    "evict": "cache",
    "insert": "rows",
    "update": "rows",
    "delete": "rows",
}
"""Each action and the part that it changes."""

UNBOUNDED = ("log", "append", "grant")
"""Actions that make ever new states; not in programs that go round for ever."""


@dataclass(frozen=True, kw_only=True)
class Op:
    """A statement: one atomic step.

    Attributes:
        name: of the method.
        body: what it does.
        guard: must hold for it to be taken; None: always.
        wakes_on: the part that the guard reads.
    """

    name: str
    body: Body
    guard: Expr | None = None
    wakes_on: str = ""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A coroutine: the flow of a task, or a helper that a task awaits.

    Attributes:
        name: of the function.
        body: what it does.
    """

    name: str
    body: Body


@dataclass(frozen=True, kw_only=True)
class Always:
    """A property judged at every change: what a change must not look like.

    Attributes:
        part: `counters` or `rows`.
        key: of the counter or row.
        value: what it must not become.
        only_if: read at that moment; None: whatever else there is.
    """

    part: str
    key: Any
    value: int
    only_if: Expr | None = None


@dataclass(frozen=True, kw_only=True)
class AtEnd:
    """A property of final states.

    Attributes:
        wrong: an expression of reads that must not be true.
        at_risk: an expression of reads: whether it could have been violated.
    """

    wrong: Expr
    at_risk: Expr = ("n", True)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One random world with its tasks.

    Attributes:
        kind: of case.
        seed: it was drawn from.
        ops: the statements.
        helpers: coroutines that tasks await.
        tasks: (name of the program, its name as an owner, its argument), in order of
            spawning.
        programs: by name.
        properties: by name.
        initial: queued items, counters and rows at the start.
        groups: indexes of tasks that are declared interchangeable.
        faults: how many of each kind.
        requeues: a process that dies puts its message (a 0) back, or not.
        respawns: how many successors a dead process has.
        heals: (rounds at most, program), or None.
        has_cycles: programs may go round for ever.
    """

    kind: str
    seed: int
    ops: dict[str, Op]
    helpers: dict[str, Program]
    programs: dict[str, Program]
    tasks: list[tuple[str, Any, Any]]
    properties: dict[str, Always | AtEnd]
    initial: dict[str, Any] = field(default_factory=dict)
    groups: list[list[int]] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    requeues: bool = False
    respawns: int = 0
    heals: tuple[int, str] | None = None
    has_cycles: bool = False

    def task_name(self, index: int) -> str:
        """Return the name of a task that is there from the start."""
        return f"task-{index}"

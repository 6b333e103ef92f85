"""The steps of a session: a statement as far as a step goes, ends of transactions.

Knows transactions and plans, no text that begins or ends anything. Each function here
is one atomic step of the kernel; whatever a session must know of it is in its result.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wavecheck.scenarios.sql.acting import Notice
from wavecheck.scenarios.sql.compiling import Plan, compiled
from wavecheck.scenarios.sql.frame import Deferred, Frame, SessionFacts
from wavecheck.scenarios.sql.parsing import NotModelled, refusal
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.values import kept, type_of
from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.parts import Part
from wavecheck.sim.surroundings import EPOCH
from wavecheck.sim.transactions.level import Failed, Failure, Level
from wavecheck.sim.transactions.stepwise import Log, Stepwise, Unfinished, perform

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.database import Database

ERRORS: Final = {
    Failure.SERIALIZATION: (
        "40001",
        "could not serialize access due to concurrent update",
    ),
    Failure.DEADLOCK: ("40P01", "deadlock detected"),
    Failure.ABORTED: (
        "25P02",
        "current transaction is aborted, commands ignored until end of transaction"
        " block",
    ),
    Failure.NOT_AVAILABLE: ("55P03", "could not obtain lock on row"),
}
REFUSED: Final = "refused"
"""In the place of an SQLSTATE: what the statement came to is not modelled."""

_NEED_NUMBER: Final = frozenset({"pg_backend_pid", "pg_notify"})


class Call(NamedTuple):
    """A statement that a session performs.

    Attributes:
        sql: one statement.
        params: its parameters, as plain values.
        slot: of the transaction; 0: none has begun.
        level: of isolation.
        number: of the session; 0: it has none.
        depth: how many savepoints it is in.
        is_alone: it is a transaction of its own.
        began: ticks that had passed when the transaction began; -1: it begins now.
        currvals: sequences that the session has moved, if the statement asks.
        times_out: SQLSTATE and message of the time-out that may end its wait; empty: it
            waits for ever.
        log: of its earlier steps; None: there are none.
    """

    sql: str
    params: tuple[Any, ...]
    slot: int
    level: Level
    number: int
    depth: int
    is_alone: bool
    began: int
    currvals: tuple[tuple[str, int], ...] = ()
    times_out: tuple[str, ...] = ()
    log: Log | None = None

    def __str__(self) -> str:
        values = ", ".join(repr(one) for one in self.params)
        return f"{self.sql} [{values}]" if values else self.sql

    def told(self) -> str:
        """Return the statement as people read it: one line, with its parameters."""

        def literal(match: re.Match[str]) -> str:
            number = int(match[1])
            if not 0 < number <= len(self.params):
                return match[0]
            value = self.params[number - 1]
            if value is None:
                return "NULL"
            if isinstance(value, bool):
                return str(value).lower()
            return str(value) if isinstance(value, int | float) else f"'{value}'"

        return " ".join(_PARAMETER.sub(literal, self.sql).split())


class StepResult(NamedTuple):
    """What came of a step of a session.

    Attributes:
        rows: that the statement returns.
        affected: how many rows were returned or changed.
        slot: of the transaction that is open after it.
        number: of the session.
        began: ticks that had passed when the transaction began.
        currvals: sequences that the statement has moved.
        error: SQLSTATE, message, detail and constraint; empty: it did not fail.
        deferred: foreign keys that are to be checked when the transaction commits.
    """

    rows: tuple[tuple[Any, ...], ...] = ()
    affected: int = -1
    slot: int = 0
    number: int = 0
    began: int = -1
    currvals: tuple[tuple[str, int], ...] = ()
    error: tuple[str, ...] = ()
    deferred: tuple[Deferred, ...] = ()

    def __str__(self) -> str:
        if self.error:
            return f"{self.error[1]} ({self.error[0]})"
        if self.rows:
            return ", ".join(str(row) for row in self.rows)
        return f"{self.affected} rows" if self.affected >= 0 else "done"

    def told(self) -> str:
        """Return the answer as people read it; empty: there is none."""
        if self.error:
            return str(self)
        rows = [row for row in self.rows if row]
        if not rows:
            is_one = self.affected == 1
            count = f"{self.affected} row{'' if is_one else 's'}"
            return count if self.affected >= 0 else ""
        shown = ", ".join(_row_text(row) for row in rows[:_ROWS_MAX])
        more = f" and {len(rows) - _ROWS_MAX} more" if len(rows) > _ROWS_MAX else ""
        return f"{shown}{more}"


_PARAMETER: Final = re.compile(r"\$(\d+)(?:::\w+)?")
_ROWS_MAX: Final = 4


def _row_text(row: tuple[Any, ...]) -> str:
    cells = ["NULL" if cell is None else str(cell) for cell in row]
    return cells[0] if len(cells) == 1 else f"({', '.join(cells)})"


def moment_of(ticks: int) -> datetime:
    """Return the time when so many ticks have passed."""
    return EPOCH + timedelta(microseconds=ticks)


def plan_of(database: "Database", sql: str, params: tuple[Any, ...]) -> Plan:
    """Return the plan of a statement with some parameters."""
    kinds = tuple([type_of(one) for one in params])
    return compiled(database.schema, sql, kinds, database.is_heap, database.counts)


def statement_step(database: "Database", call: Call) -> Any:
    """Perform a statement as far as one step goes."""
    plan = plan_of(database, call.sql, call.params)
    transactions = database.transactions
    slot, number = call.slot, call.number
    began = call.began if call.began >= 0 else database.ticks()
    if not number and _needs_number(plan):
        number = database.acting.number()
    if not slot and _needs_slot(plan, call):
        made = transactions.begin(call.level, session=number, depth=call.depth)
        assert isinstance(made, int)
        slot = made
    elif slot and number != call.number:
        transactions.join(slot, number)
    facts = SessionFacts(number, moment_of(began), call.currvals)
    frames: list[Frame] = []

    def act(step: Stepwise) -> Any:
        if not plan.is_linear and plan.is_transactional:
            step.pause_first()
        if step.slot and call.log is None and not transactions.conflicts.as_it_goes:
            for name in plan.tables:
                transactions.note_read(step.slot, name)
        frame = _frame(database, plan, step, call, facts)
        frames.append(frame)
        return plan.run(frame)

    try:
        if not slot:
            result: Any = act(Stepwise(transactions, 0, None))
        elif call.log is not None and not transactions.may_go_on(slot):
            transactions.fail(slot)  # it is taken though it still waits: time is up
            result = Failed(Failure.TIMED_OUT)
        else:
            result = perform(transactions, slot, call.log, act)
    except SQLError as error:
        result = error
    except NotModelled as problem:
        # A step that has changed something must not raise.
        return StepResult(error=(REFUSED, str(refusal(problem, call.sql))))
    if isinstance(result, Unfinished):
        return result, number, began
    currvals = tuple(frames[-1].currvals.items()) if frames else ()
    deferred = tuple(frames[-1].deferred) if frames else ()
    done = StepResult(
        slot=slot, number=number, began=began, currvals=currvals, deferred=deferred
    )
    return _concluded(database, call, done, result)


def _concluded(
    database: "Database", call: Call, done: StepResult, result: Any
) -> StepResult:
    """Return what came of a statement that has ended; end its own transaction."""
    slot = done.slot
    if isinstance(result, Failed):
        done = done._replace(error=ERRORS.get(result.failure, call.times_out))
    elif isinstance(result, SQLError):
        error = (result.sqlstate, result.message, result.detail, result.constraint)
        done = done._replace(error=error)
    else:
        rows, count = result
        done = done._replace(rows=tuple(rows), affected=count)
    if not slot or not call.is_alone:
        return done
    transactions = database.transactions
    if done.error:
        transactions.roll_back(slot)
        return done._replace(slot=0)
    current = transactions.look(slot)
    if current.has_number or current.deferred:
        return done  # others may act before its commit, which is a step of its own
    ended = transactions.commit(slot)
    if isinstance(ended, Failed):
        return done._replace(slot=0, rows=(), error=ERRORS[ended.failure])
    return done._replace(slot=0)


def _needs_number(plan: Plan) -> bool:
    return any(
        one in _NEED_NUMBER or (one.startswith(("pg_advisory", "pg_try_advisory")))
        for one in plan.acts
    )


def _needs_slot(plan: Plan, call: Call) -> bool:
    if plan.is_transactional or call.level is Level.SERIALIZABLE or call.depth:
        return True
    return not call.is_alone and call.level is not Level.READ_COMMITTED


def _frame(
    database: "Database", plan: Plan, step: Stepwise, call: Call, facts: SessionFacts
) -> Frame:
    frame = Frame(
        plan.size,
        step=step,
        params=call.params,
        facts=facts,
        around=database.acting,
        tables=database.tables,
    )
    if plan.acts & {"pg_current_snapshot", "txid_current_snapshot"}:
        frame.snapshot = step.do(
            lambda: database.transactions.running(step.slot), is_move=False
        )
    return frame


def commit_step(database: "Database", slot: int) -> StepResult:
    """Commit a transaction."""
    ended = database.transactions.commit(slot)
    if isinstance(ended, Failed):
        return StepResult(error=ERRORS[ended.failure])
    database.acting.deliver(ended)
    return StepResult()


def rollback_step(database: "Database", slot: int) -> StepResult:
    """Roll a transaction back."""
    database.transactions.roll_back(slot)
    return StepResult()


def savepoint_step(
    database: "Database", slot: int, action: str, depth: int
) -> StepResult:
    """Set, release or go back to a savepoint."""
    transactions = database.transactions
    if action == "savepoint":
        transactions.savepoint(slot)
    elif action == "release":
        transactions.release_savepoint(slot, depth)
    else:
        transactions.roll_back_to(slot, depth)
    return StepResult(slot=slot)


def listen_step(
    database: "Database", number: int, channel: str, is_on: bool
) -> StepResult:
    """Listen to a channel, or no longer; empty: to none."""
    acting = database.acting
    number = number or acting.number()
    one = acting.listening.get(number)
    channels = tuple([name for name in one.channels if name != channel and channel])
    if is_on:
        channels = (*channels, channel)
    acting.listening.update(number, channels=channels)
    return StepResult(number=number)


def take_notices(database: "Database", number: int) -> tuple[Notice, ...]:
    """Take what a session was sent."""
    inbox = database.acting.listening.get(number).inbox
    database.acting.listening.update(number, inbox=())
    return inbox


def close_step(database: "Database", number: int, slot: int) -> StepResult:
    """End a session."""
    database.end_session(number, slot)
    return StepResult()


@cache
def named(function: Callable[..., Any], name: str) -> Statement:
    """Return a step that is shown under a name of its own."""

    def act(database: "Database", *arguments: Any) -> Any:
        return function(database, *arguments)

    act.__name__ = name
    return Statement(act, Kind.STATEMENT, None, None)


@cache
def waiting(name: str) -> Statement:
    """Return the step of a statement that waits, or goes on."""

    def go_on(database: "Database", call: Call) -> Any:
        return statement_step(database, call)

    def may_go_on(database: "Database", call: Call) -> bool:
        if call.times_out and not database.kernel.is_timed:
            return True
        return database.transactions.may_go_on(call.slot)

    def locks(database: "Database", call: Call) -> Part:
        return database.transactions.locks.rows

    go_on.__name__ = name
    return Statement(go_on, Kind.STATEMENT, may_go_on, locks)


@cache
def noticing() -> Statement:
    """Return the step that takes notices once there are some."""

    def notifies(database: "Database", number: int) -> tuple[Notice, ...]:
        return take_notices(database, number)

    def has_some(database: "Database", number: int) -> bool:
        return bool(database.acting.listening.get(number).inbox)

    def sessions(database: "Database", number: int) -> Part:
        return database.acting.listening

    return Statement(notifies, Kind.STATEMENT, has_some, sessions)


async def take(statement: Statement, database: object, *arguments: Any) -> Any:
    """Await one step."""
    return await Operation[Any](statement, database, arguments)


def plain(params: Any) -> tuple[Any, ...]:
    """Return parameters as plain values."""
    return tuple([kept(one) for one in params])

"""A session of the modelled PostgreSQL: text in, answers out, transactions kept.

What a session knows by itself (where it stands, its savepoints, its settings) is its
own and no part; what others could see is in the parts of its database.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.sql.deferring import questions, violation
from wavecheck.scenarios.sql.frame import Deferred
from wavecheck.scenarios.sql.parsing import (
    Fields,
    NotModelled,
    fields_of,
    parse_all,
    refusal,
)
from wavecheck.scenarios.sql.session import (
    Answer,
    Column,
    SQLError,
    TransactionStatus,
)
from wavecheck.scenarios.sql.steps import (
    ERRORS,
    REFUSED,
    Call,
    StepResult,
    close_step,
    commit_step,
    listen_step,
    named,
    noticing,
    plain,
    plan_of,
    rollback_step,
    savepoint_step,
    statement_step,
    take,
    take_notices,
    waiting,
)
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.operation import Statement
from wavecheck.sim.transactions.level import Failure, Level

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.acting import Notice
    from wavecheck.scenarios.sql.database import Database

_HARMLESS: Final = frozenset(
    {
        *("application_name", "client_encoding", "client_min_messages", "datestyle"),
        *("extra_float_digits", "intervalstyle", "standard_conforming_strings"),
        *("synchronous_commit", "jit", "work_mem", "timezone"),
        *("search_path", "idle_in_transaction_session_timeout", "bytea_output"),
        *("enable_seqscan", "enable_indexscan", "deadlock_timeout", "row_security"),
    }
)
"""Settings that change nothing here, as far as their values are the usual ones."""

_LIMITS: Final = {
    "lock_timeout": ("55P03", "canceling statement due to lock timeout"),
    "statement_timeout": ("57014", "canceling statement due to statement timeout"),
}
_NO_LIMITS: Final = tuple([(name, 0.0) for name in _LIMITS])
_UNITS: Final = {"": 1, "ms": 1, "s": 1e3, "min": 6e4, "h": 3.6e6, "d": 8.64e7}
"""Of time-outs, in milliseconds."""

_SHOWN: Final = {
    "server_version": "18.0",
    "standard_conforming_strings": "on",
    "timezone": "UTC",
    "client_encoding": "UTF8",
    "search_path": '"$user", public',
}


class ModelSession:
    """One connection to a modelled database.

    Args:
        database: which.
        level: of isolation of its transactions, unless they say otherwise.
    """

    def __init__(self, database: "Database", level: Level) -> None:
        self.status = TransactionStatus.IDLE
        self._database = database
        self._level = level
        self._next_level = level
        self._limits = _NO_LIMITS
        self._limits_after = _NO_LIMITS, _NO_LIMITS
        self._number = 0
        self._slot = 0
        self._began = -1
        self._savepoints: tuple[str, ...] = ()
        self._currvals: tuple[tuple[str, int], ...] = ()
        self._deferred: tuple[Deferred, ...] = ()
        self._is_closed = False

    async def execute(self, sql: str, parameters: Sequence[object] = ()) -> Answer:
        """Perform one statement; each of its parts that is atomic is a step.

        Args:
            sql: one statement, its parameters written `$1`, `$2`, ...
            parameters: their values.

        Raises:
            SQLError: the database refuses it.
            InvalidScenario: the model does not know this SQL; says which and what next.
        """
        if self._is_closed:
            raise SQLError("08003", "the connection is closed")
        try:
            kind, control = _control_of(sql)
            if kind not in ("", "TransactionStmt"):
                self._refuse_if_failed()
            if control is None:
                return await self._perform(sql, plain(parameters))
            answer: Answer = await control(self)
        except SQLError:
            if self.status is TransactionStatus.IN_TRANSACTION:
                await self._fail()
            raise
        except GeneratorExit:
            self.cut_off()
            raise
        return answer

    async def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        if not self._is_closed and (self._slot or self._number):
            step = named(close_step, "close")
            await take(step, self._database, self._number, self._slot)
        self._forget(closed=True)

    def cut_off(self) -> None:
        """End the session here and now, not as a step: the process has died."""
        if not self._is_closed:
            self._database.end_session(self._number, self._slot)
        self._forget(closed=True)

    async def notices(self) -> "tuple[Notice, ...]":
        """Take what this session was notified of so far."""
        if not self._number:
            return ()
        found: tuple[Notice, ...] = await take(
            named(take_notices, "notifies"), self._database, self._number
        )
        return found

    async def wait_for_notices(self) -> "tuple[Notice, ...]":
        """Wait until this session is notified; take what it was notified of.

        Raises:
            SQLError: it listens to nothing.
        """
        if not self._number:
            raise SQLError("55000", "the session listens to no channel")
        found: tuple[Notice, ...] = await take(noticing(), self._database, self._number)
        return found

    # Statements -----------------------------------------------------------------------

    def _refuse_if_failed(self) -> None:
        if self.status is TransactionStatus.FAILED:
            raise SQLError(*ERRORS[Failure.ABORTED])

    async def _perform(self, sql: str, params: tuple[Any, ...]) -> Answer:
        database = self._database
        plan = plan_of(database, sql, params)
        is_alone = self.status is TransactionStatus.IDLE
        asks = bool(plan.acts & {"currval", "lastval"})
        call = Call(
            sql,
            params,
            self._slot,
            self._next_level if not is_alone else self._level,
            self._number,
            len(self._savepoints),
            is_alone,
            self._began,
            self._currvals if asks else (),
            _time_out(self._limits),
        )
        step = named(statement_step, plan.command)
        del plan
        return await self.go_on(call, step)

    async def go_on(self, call: Call, step: Statement | None = None) -> Answer:
        """Perform what is left of a statement.

        Args:
            call: the statement.
            step: that is next; None: the one after a wait.
        """
        # A variable that holds the plan while this waits would have proofs walk it.
        database = self._database
        command = plan_of(database, call.sql, call.params).command
        step = step or waiting(command)
        while True:
            done = await take(step, database, call)
            if isinstance(done, StepResult):
                break
            call = self.unfinished(call, done)
            step = waiting(command)
        self._note(done)
        if call.is_alone:
            await self._end_alone(done)
        self._raise(done)
        from wavecheck.scenarios.sql.database import answer_of

        columns = plan_of(database, call.sql, call.params).columns
        return answer_of(command, columns, done.rows, done.affected)

    def unfinished(self, call: Call, done: Any) -> Call:
        """Note what a step has left open; return the call of the next."""
        unfinished, self._number, began = done
        self._slot = unfinished.slot
        return call._replace(
            slot=self._slot, number=self._number, began=began, log=unfinished.log
        )

    def _note(self, done: StepResult) -> None:
        self._slot, self._number = done.slot, done.number
        if done.deferred:
            self._deferred = tuple(dict.fromkeys([*self._deferred, *done.deferred]))
        if self.status is not TransactionStatus.IDLE:
            self._began = done.began
        if done.currvals:
            moved = dict(done.currvals)
            kept = [one for one in self._currvals if one[0] not in moved]
            self._currvals = (*kept, *done.currvals)

    async def _end_alone(self, done: StepResult) -> None:
        """Commit a statement that was a transaction of its own."""
        if not done.slot:
            return
        await self._check_deferred()
        slot, self._slot = self._slot, 0
        ended = await self._commit(slot)
        self._raise(ended)

    async def _check_deferred(self) -> None:
        """Check what was left for the end of the transaction.

        Raises:
            SQLError: a row refers to none; the transaction is rolled back.
        """
        late, self._deferred = self._deferred, ()
        schema = self._database.schema
        try:
            for one in late:
                if one.is_left and self._next_level is not Level.READ_COMMITTED:
                    what = "a deferred foreign key to a row that goes, at this level"
                    raise refusal(NotModelled(what), one.constraint)
                still, question = questions(schema, one)
                if bool(await self._ask(still, one.values)) is one.is_left:
                    continue
                if bool(await self._ask(question, one.values)) is one.is_left:
                    raise violation(schema, one)
        except SQLError:
            slot = self._slot
            self._forget()
            await take(named(rollback_step, "rollback"), self._database, slot)
            raise

    async def _ask(self, sql: str, params: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the rows of a query of the database's own, in the transaction."""
        call = Call(
            sql,
            params,
            self._slot,
            self._next_level,
            self._number,
            len(self._savepoints),
            False,
            self._began,
        )
        plan = plan_of(self._database, sql, params)
        return (await self.go_on(call, named(statement_step, plan.command))).rows

    async def _commit(self, slot: int) -> StepResult:
        try:
            ended: StepResult = await take(
                named(commit_step, "commit"), self._database, slot
            )
        except GeneratorExit:
            self._slot = slot
            self.cut_off()
            raise
        return ended

    def _raise(self, done: StepResult) -> None:
        if not done.error:
            return
        sqlstate, message, *rest = done.error
        if sqlstate == REFUSED:
            raise InvalidScenario(message)
        detail, constraint = rest or ("", "")
        if self.status is TransactionStatus.IN_TRANSACTION:
            self.status = TransactionStatus.FAILED
        raise SQLError(sqlstate, message, detail=detail, constraint=constraint)

    async def _fail(self) -> None:
        """Let the transaction fail for an error that no step has found."""
        self.status = TransactionStatus.FAILED
        if self._slot:
            await take(named(_fail_step, "fails"), self._database, self._slot)

    # Control --------------------------------------------------------------------------

    async def _transaction(self, fields: Fields, sql: str) -> Answer:
        kind = fields["kind"].removeprefix("TRANS_STMT_")
        if fields.get("chain"):
            raise refusal(NotModelled("AND CHAIN"), sql)
        if kind in ("BEGIN", "START"):
            return self._begin(fields, sql)
        if kind in ("COMMIT", "ROLLBACK"):
            return await self._end(is_commit=kind == "COMMIT")
        if kind in ("SAVEPOINT", "RELEASE", "ROLLBACK_TO"):
            return await self._savepoint(kind, fields["savepoint_name"])
        raise refusal(NotModelled(kind), sql)

    def _begin(self, fields: Fields, sql: str) -> Answer:
        if self.status is not TransactionStatus.IDLE:
            self._refuse_if_failed()
            return Answer(command="BEGIN")  # the server warns, and that is all
        self.status = TransactionStatus.IN_TRANSACTION
        self._limits_after = self._limits, self._limits
        self._next_level = self._level
        self._options(fields.get("options", []), sql)
        return Answer(command="BEGIN")

    def _options(self, options: list[Any], sql: str) -> None:
        for node in options:
            body = node["DefElem"]
            name = body["defname"]
            if name == "transaction_isolation":
                value = body["arg"]["A_Const"]["sval"]["sval"]
                from wavecheck.scenarios.sql.database import level_of

                self._next_level = level_of(value)
            elif name == "transaction_read_only":
                if body["arg"]["A_Const"].get("ival", {}).get("ival"):
                    raise refusal(NotModelled("READ ONLY transactions"), sql)
            elif name == "transaction_deferrable":
                if body["arg"]["A_Const"].get("ival", {}).get("ival"):
                    raise refusal(NotModelled("DEFERRABLE transactions"), sql)
            else:
                raise refusal(NotModelled(f"a transaction with {name}"), sql)

    async def _end(self, *, is_commit: bool) -> Answer:
        is_failed = self.status is TransactionStatus.FAILED
        if is_commit and self._slot and not is_failed:
            await self._check_deferred()
        slot = self._slot
        command = "COMMIT" if is_commit and not is_failed else "ROLLBACK"
        if self.status is not TransactionStatus.IDLE:
            self._limits = self._limits_after[command == "COMMIT"]
        self._forget()
        if not slot:
            return Answer(command=command)
        if command == "ROLLBACK":
            await take(named(rollback_step, "rollback"), self._database, slot)
        else:
            self._raise(await self._commit(slot))
        return Answer(command=command)

    def _forget(self, *, closed: bool = False) -> None:
        self.status = TransactionStatus.IDLE
        self._slot, self._began, self._savepoints = 0, -1, ()
        self._deferred = ()
        self._next_level = self._level
        if closed:
            self._number, self._is_closed = 0, True

    async def _savepoint(self, kind: str, name: str) -> Answer:
        command = {"ROLLBACK_TO": "ROLLBACK"}.get(kind, kind)
        if self.status is TransactionStatus.IDLE:
            what = command if kind != "ROLLBACK_TO" else "ROLLBACK TO SAVEPOINT"
            raise SQLError("25P01", f"{what} can only be used in transaction blocks")
        if kind != "ROLLBACK_TO":
            self._refuse_if_failed()
        step = named(savepoint_step, kind.lower().replace("_", " "))
        if kind == "SAVEPOINT":
            self._savepoints = (*self._savepoints, name)
            if self._slot:
                await take(step, self._database, self._slot, "savepoint", 0)
            return Answer(command=command)
        if name not in self._savepoints:
            raise SQLError("3B001", f'savepoint "{name}" does not exist')
        depth = len(self._savepoints) - self._savepoints[::-1].index(name)
        is_release = kind == "RELEASE"
        self._savepoints = self._savepoints[: depth - 1 if is_release else depth]
        if self._slot:
            action = "release" if is_release else "rollback to"
            await take(step, self._database, self._slot, action, depth)
        self.status = TransactionStatus.IN_TRANSACTION
        return Answer(command=command)

    async def _set(self, fields: Fields, sql: str) -> Answer:
        name = fields.get("name", "").lower()
        if name in ("transaction", "session characteristics"):
            options = fields.get("args", [])
            if name == "transaction":
                if self._slot and any(_is_isolation(one) for one in options):
                    raise SQLError(
                        "25001",
                        "SET TRANSACTION ISOLATION LEVEL must be called before any"
                        " query",
                    )
                self._options(options, sql)
            else:
                self._options(options, sql)
                self._level = self._next_level
            return Answer(command="SET")
        values = [_setting(one) for one in fields.get("args", [])]
        if name in _LIMITS:
            self._limit(name, values, is_local=bool(fields.get("is_local")))
        elif name in ("default_transaction_isolation", "transaction_isolation"):
            from wavecheck.scenarios.sql.database import level_of

            level = level_of(values[0])
            if name.startswith("default"):
                self._level = level
            self._next_level = level
        elif (
            name == "timezone"
            and values
            and values[0].upper()
            not in (
                "UTC",
                "GMT",
                "ETC/UTC",
            )
        ):
            raise refusal(NotModelled(f"the time zone {values[0]!r}"), sql)
        elif name not in _HARMLESS:
            raise refusal(NotModelled(f"the setting {name}"), sql)
        return Answer(command="SET")

    def _limit(self, name: str, values: list[str], *, is_local: bool) -> None:
        """Set a time-out: for the transaction, or for the session if that commits."""
        limits = dict(self._limits) | {name: _milliseconds(values)}
        is_alone = self.status is TransactionStatus.IDLE
        if is_local and is_alone:
            return  # the server warns, and that is all
        self._limits = tuple(limits.items())
        if not is_local and not is_alone:
            self._limits_after = self._limits_after[0], self._limits

    async def _show(self, fields: Fields, sql: str) -> Answer:
        name = fields["name"].lower()
        if name in ("transaction_isolation", "default_transaction_isolation"):
            value = str(self._next_level)
        elif name in _SHOWN:
            value = _SHOWN[name]
        else:
            raise refusal(NotModelled(f"SHOW {name}"), sql)
        return Answer(
            command="SHOW",
            columns=(Column(name=fields["name"], type_name="text"),),
            rows=((value,),),
            rows_count=-1,
        )

    async def _listen(self, fields: Fields, sql: str) -> Answer:
        if self.status is not TransactionStatus.IDLE:
            raise refusal(NotModelled("LISTEN in a transaction"), sql)
        channel = fields.get("conditionname", "")
        done = await take(
            named(listen_step, "LISTEN"), self._database, self._number, channel, True
        )
        self._number = done.number
        return Answer(command="LISTEN")

    async def _unlisten(self, fields: Fields, sql: str) -> Answer:
        if self._number:
            channel = fields.get("conditionname", "")
            step = named(listen_step, "UNLISTEN")
            await take(step, self._database, self._number, channel, False)
        return Answer(command="UNLISTEN")

    async def _notify(self, fields: Fields, sql: str) -> Answer:
        given = (fields["conditionname"], fields.get("payload", ""))
        await self._perform("SELECT pg_notify($1, $2)", given)
        return Answer(command="NOTIFY")


def _control_of(sql: str) -> tuple[str, Callable[[ModelSession], Any] | None]:
    """Return the kind of a statement, and what does it unless a plan does."""
    nodes = parse_all(sql)
    if not nodes:
        return "", _nothing
    if len(nodes) > 1:
        raise refusal(NotModelled(f"{len(nodes)} statements in one text"), sql)
    kind, fields = fields_of(nodes[0])
    control = _CONTROLS.get(kind)
    return kind, None if control is None else partial(control, fields=fields, sql=sql)


async def _nothing(session: ModelSession) -> Answer:
    return Answer(command="")


def _fail_step(database: "Database", slot: int) -> StepResult:
    """Let a transaction fail."""
    if not database.transactions.look(slot).is_failed:
        database.transactions.fail(slot)
    return StepResult(slot=slot)


def _is_isolation(node: Any) -> bool:
    return bool(node["DefElem"]["defname"] == "transaction_isolation")


def _setting(node: Any) -> str:
    body = node.get("A_Const", {})
    if "sval" in body:
        return str(body["sval"].get("sval", ""))
    if "ival" in body:
        return str(body["ival"].get("ival", 0))
    return str(body.get("fval", {}).get("fval", ""))


def _milliseconds(values: list[str]) -> float:
    """Return how long a time-out is; 0: there is none.

    Raises:
        SQLError: it is no length of time.
    """
    text = values[0].strip() if values else "0"
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text)
    if found is None or found[2] not in _UNITS:
        raise SQLError("22023", f'invalid value for a time-out: "{text}"')
    return float(found[1]) * _UNITS[found[2]]


def _time_out(limits: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """Return the error of the shortest time-out; empty: there is none."""
    lengths = [(length, name) for name, length in limits if length]
    return _LIMITS[min(lengths)[1]] if lengths else ()


_CONTROLS: Final[dict[str, Any]] = {
    "TransactionStmt": ModelSession._transaction,
    "VariableSetStmt": ModelSession._set,
    "VariableShowStmt": ModelSession._show,
    "ListenStmt": ModelSession._listen,
    "UnlistenStmt": ModelSession._unlisten,
    "NotifyStmt": ModelSession._notify,
}

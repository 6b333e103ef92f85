"""What the model allows: every state a world can be in, given what was seen so far.

A database decides some things by a race that nobody controls: which of two waiting
sessions goes on first when both may, or which of them is the victim when they lock each
other out. So the model is run as a set of possible states, each with what it would have
shown; what the database shows narrows them down, and a database that shows what none of
them would is a disagreement.

In the model any session of a circle may be the victim. Here the database looks for
circles at once, so that only a session that has begun to wait in the step can be: the
others have looked already.
"""

from collections.abc import Hashable, Iterator
from itertools import product
from typing import Any, Final, NamedTuple

from wavecheck.scenarios.conformity.world import (
    BLOCKED,
    COMMIT,
    COMMITTED,
    ENDS,
    MORE_TABLES,
    ROLLED_BACK,
    SCHEMA,
    SQLITE_SCHEMA,
    TABLES,
    TableWorld,
    failure_of,
    outcome_of,
    sqlite_failure,
)
from wavecheck.scenarios.sql.database import Database
from wavecheck.scenarios.sql.modelled import ModelSession
from wavecheck.scenarios.sql.session import Answer, SQLError, TransactionStatus
from wavecheck.scenarios.sql.sqlite import SQLiteDatabase, SQLiteSession
from wavecheck.scenarios.sql.steps import Call
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.transactions.level import Level
from wavecheck.sim.transactions.stepwise import Unfinished

STATES_MAX: Final = 64


class SessionPlace(NamedTuple):
    """Where a session stands.

    Attributes:
        facts: what it knows by itself, by name.
        waiting: the statement that is blocked.
        text: of that statement.
    """

    facts: tuple[tuple[str, Any], ...]
    waiting: Call | None = None
    text: str = ""


class State(NamedTuple):
    """A state of the model.

    Attributes:
        parts: what each part holds, in order.
        sessions: where each session stands.
    """

    parts: tuple[Hashable, ...]
    sessions: tuple[SessionPlace, ...]


Shown = tuple[Any, ...]
"""For each session what this step has shown: a result, `BLOCKED`, or None: nothing."""


class _Moment(NamedTuple):
    """A state within a step, while sessions go on.

    Attributes:
        state: of the model.
        shown: so far.
        looking: the sessions that have begun to wait in this step, if they wait: they
            look for a circle.
    """

    state: State
    shown: Shown
    looking: frozenset[int]


class TooManyStates(Exception):
    """A world has more possible states than are followed."""


class Model:
    """The model of one world; a step at a time.

    Attributes:
        states: the possible states.
        was_open: more than one thing could have been shown, once at least.
    """

    def __init__(self, world: TableWorld) -> None:
        self._level = world.level
        self._kernel = Kernel(timed=False)
        rows: dict[str, list[dict[str, Any]]] = {
            name: [{"key": key, "value": value} for key, value in pairs.items()]
            for name, pairs in world.rows.items()
        }
        self._database: Any
        if world.level.is_single_writer:
            self._database = SQLiteDatabase(self._kernel, SQLITE_SCHEMA, rows=rows)
        else:
            self._database = Database(self._kernel, SCHEMA, rows=rows, scan="heap")
        # Which tables a plan leaves out, because a join is empty before, is not said.
        is_free = world.level is Level.SERIALIZABLE
        self._ways_to_read = (False, True) if is_free else (False,)
        self._locks = self._database.transactions.locks
        fresh = _facts(self._session())
        self.states = [self._save((SessionPlace(fresh),) * len(world.programs))]
        self.was_open = False

    def _session(self) -> Any:
        kind = SQLiteSession if self._level.is_single_writer else ModelSession
        return kind(self._database, self._level)

    def is_blocked(self, session: int) -> bool:
        """Return whether a session is blocked; all possible states agree on it."""
        return self.states[0].sessions[session].waiting is not None

    def step(self, session: int, what: str) -> dict[Shown, None]:
        """Take a step in every possible state; return what it can show.

        Args:
            session: whose step; it must not be blocked.
            what: the text of a statement, or an end.

        Raises:
            TooManyStates: there are too many to follow.
        """
        self._next: dict[Shown, dict[State, None]] = {}
        for state, as_it_goes in product(self.states, self._ways_to_read):
            self._database.transactions.conflicts.as_it_goes = as_it_goes
            for after, shown in self._stepped(state, session, what):
                self._next.setdefault(shown, {})[after] = None
                if sum(map(len, self._next.values())) > STATES_MAX:
                    raise TooManyStates
        self.was_open = self.was_open or len(self._next) > 1
        return dict.fromkeys(self._next)

    def narrow(self, shown: Shown) -> bool:
        """Keep the states that have shown this; return whether there are any."""
        self.states = list(self._next.get(shown, ()))
        return bool(self.states)

    def rows(self) -> list[dict[str, tuple[tuple[Any, ...], ...]]]:
        """Return the committed rows of each table, for each possible state."""
        found = []
        for state in self.states:
            self._load(state)
            hidden = -1 if self._level.is_single_writer else -3
            rows = {
                name: tuple(sorted((tuple(row[:hidden]) for row in rows), key=repr))
                for name, rows in self._tables()
            }
            if rows not in found:
                found.append(rows)
        return found

    def _tables(self) -> Iterator[tuple[str, list[Any]]]:
        names = TABLES if self._level.is_single_writer else (*TABLES, *MORE_TABLES)
        for name in names:
            yield name, self._database.rows(name)

    # One step in one state ------------------------------------------------------------

    def _stepped(
        self, state: State, session: int, what: str
    ) -> Iterator[tuple[State, Shown]]:
        nothing = (None,) * len(state.sessions)
        start = _Moment(state, nothing, frozenset([session]))
        todo = [self._after(start, session, what)]
        seen = dict.fromkeys(todo)
        while todo:
            moment = todo.pop()
            able = self._able(moment)
            if not able:
                yield moment.state, moment.shown
            for other in able:
                after = self._after(moment, other, "")
                if after not in seen:
                    seen[after] = None
                    todo.append(after)

    def _able(self, moment: "_Moment") -> list[int]:
        """Return the sessions whose wait is over."""
        self._load(moment.state)
        may_go_on, is_in_circle = self._locks.may_go_on, self._locks.is_in_circle
        return [
            number
            for number, one in enumerate(moment.state.sessions)
            if one.waiting is not None
            and may_go_on(one.waiting.slot)
            and (number in moment.looking or not is_in_circle(one.waiting.slot))
        ]

    def _after(self, moment: "_Moment", session: int, what: str) -> "_Moment":
        """Return the moment after a session has done something."""
        self._load(moment.state)
        sessions, shown = list(moment.state.sessions), list(moment.shown)
        before = self._fronts(sessions)
        outcome = self._perform(sessions, session, what)
        # Who stays blocked has shown nothing, unless it was its own step.
        if outcome != BLOCKED or moment.state.sessions[session].waiting is None:
            shown[session] = outcome
        moved = [
            number
            for number, front in enumerate(self._fronts(sessions))
            if front != before[number]
        ]
        return _Moment(
            self._save(tuple(sessions)), tuple(shown), moment.looking.union(moved)
        )

    def _fronts(self, sessions: list[SessionPlace]) -> list[tuple[int, ...]]:
        """Return for each session who has the row that it waits for, and who is next.

        When these change, the server wakes it, and it begins to wait anew.
        """
        return [
            () if one.waiting is None else self._locks.front(one.waiting.slot)
            for one in sessions
        ]

    def _perform(self, sessions: list[SessionPlace], number: int, what: str) -> Any:
        """Do a step in the loaded state; return what it shows.

        Args:
            sessions: where they stand; changed.
            number: of the session.
            what: the text of a statement, or an end; empty: go on after a wait.
        """
        standing = sessions[number]
        session = self._session()
        for name, value in standing.facts:
            setattr(session, name, value)
        if what in ENDS:
            shown = self._end(session, what)
            sessions[number] = SessionPlace(_facts(session))
            return shown
        text = what or standing.text
        if session.status is TransactionStatus.IDLE:
            is_lite = self._level.is_single_writer
            begin = f"BEGIN {self._level.upper()}" if is_lite else "BEGIN"
            _, begun = _driven(session, begin, None)
            if isinstance(begun, SQLError):
                return self._failure(begun)
        waiting = standing.waiting if not what else None
        blocked, result = _driven(session, text, waiting)
        sessions[number] = SessionPlace(
            _facts(session), blocked, text if blocked else ""
        )
        if blocked is not None:
            return BLOCKED
        if isinstance(result, SQLError):
            return self._failure(result)
        assert result is not None
        has_rows = bool(result.columns)
        return outcome_of(text, result.rows, result.rows_count, has_rows=has_rows)

    def _failure(self, error: SQLError) -> str:
        if self._level.is_single_writer:
            return sqlite_failure(error.sqlstate)
        return failure_of(error.sqlstate)

    def _end(self, session: Any, what: str) -> Any:
        if session.status is TransactionStatus.IDLE:  # nothing is sent then
            return COMMITTED if what == COMMIT else ROLLED_BACK
        _, result = _driven(session, what.upper(), None)
        if isinstance(result, SQLError):
            return self._failure(result)
        assert result is not None
        return COMMITTED if result.command == "COMMIT" else ROLLED_BACK

    def _save(self, sessions: tuple[SessionPlace, ...]) -> State:
        parts = tuple(part.snapshot() for part in self._kernel.parts.values())
        return State(parts, sessions)

    def _load(self, state: State) -> None:
        self._kernel.journal.clear()
        for part, held in zip(self._kernel.parts.values(), state.parts, strict=True):
            part.restore(held)


def _facts(session: Any) -> tuple[tuple[str, Any], ...]:
    """Return what a session knows by itself."""
    return tuple(
        [(name, value) for name, value in vars(session).items() if name != "_database"]
    )


def _driven(
    session: Any, text: str, waiting: Call | None
) -> tuple[Call | None, Answer | SQLError | None]:
    """Let a session perform a statement until it ends, or waits."""
    coroutine = session.execute(text) if waiting is None else session.go_on(waiting)
    value: Any = None
    while True:
        try:
            operation = coroutine.send(value)
        except StopIteration as ended:
            return None, ended.value
        except SQLError as error:
            return None, error
        value = operation.statement.function(operation.owner, *operation.args)
        is_open = type(value) is tuple and value and isinstance(value[0], Unfinished)
        if is_open and value[0].holder:
            call = session.unfinished(operation.args[0], value)
            facts = dict(vars(session))
            session._is_closed = True  # nothing is rolled back as it is closed
            coroutine.close()
            vars(session).update(facts)
            return call, None

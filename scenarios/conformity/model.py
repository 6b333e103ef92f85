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
from typing import Any, Final, NamedTuple

from wavecheck.scenarios.conformity.world import (
    BLOCKED,
    COMMIT,
    COMMITTED,
    ROLLED_BACK,
    TableWorld,
)
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Table
from wavecheck.sim.transactions.level import Blocked, Failed, Failure
from wavecheck.sim.transactions.manager import Transactions
from wavecheck.sim.transactions.statements import Cell, GeneralStatement, act
from wavecheck.sim.transactions.view import TableView

STATES_MAX: Final = 64


class Session(NamedTuple):
    """Where a session stands.

    Attributes:
        slot: of its transaction; 0: none.
        waiting: the statement that is blocked.
    """

    slot: int = 0
    waiting: GeneralStatement | None = None


class State(NamedTuple):
    """A state of the model.

    Attributes:
        parts: what each part holds, in order.
        sessions: where each session stands.
    """

    parts: tuple[Hashable, ...]
    sessions: tuple[Session, ...]


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
        self._transactions = Transactions(self._kernel)
        self._tables: dict[str, Table[Cell]] = {}
        for name, rows in world.rows.items():
            table = self._tables[name] = Table(self._kernel, name, Cell, key=("key",))
            for key, value in rows.items():
                position = self._transactions.next_position(name)
                table.insert(Cell(key, value, position))
            self._transactions.add(table)
        sessions = tuple(Session() for _ in world.programs)
        self.states = [self._save(sessions)]
        self.was_open = False

    def is_blocked(self, session: int) -> bool:
        """Return whether a session is blocked; all possible states agree on it."""
        return self.states[0].sessions[session].waiting is not None

    def step(self, session: int, what: GeneralStatement | str) -> dict[Shown, None]:
        """Take a step in every possible state; return what it can show.

        Args:
            session: whose step; it must not be blocked.
            what: a statement, or an end.

        Raises:
            TooManyStates: there are too many to follow.
        """
        self._next: dict[Shown, dict[State, None]] = {}
        for state in self.states:
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

    def rows(self) -> list[dict[str, tuple[tuple[int, int], ...]]]:
        """Return the committed rows of each table, for each possible state."""
        found = []
        for state in self.states:
            self._load(state)
            rows = {
                name: tuple(sorted((row.key, row.value) for row in table))
                for name, table in self._tables.items()
            }
            if rows not in found:
                found.append(rows)
        return found

    # One step in one state ------------------------------------------------------------

    def _stepped(
        self, state: State, session: int, what: GeneralStatement | str
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
                waiting = moment.state.sessions[other].waiting
                assert waiting is not None
                after = self._after(moment, other, waiting)
                if after not in seen:
                    seen[after] = None
                    todo.append(after)

    def _able(self, moment: "_Moment") -> list[int]:
        """Return the sessions whose wait is over."""
        self._load(moment.state)
        may_go_on = self._transactions.may_go_on
        is_in_circle = self._transactions.locks.is_in_circle
        return [
            number
            for number, one in enumerate(moment.state.sessions)
            if one.waiting is not None
            and may_go_on(one.slot)
            and (number in moment.looking or not is_in_circle(one.slot))
        ]

    def _after(
        self, moment: "_Moment", session: int, what: GeneralStatement | str
    ) -> "_Moment":
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

    def _fronts(self, sessions: list[Session]) -> list[tuple[int, ...]]:
        """Return for each session who has the row that it waits for, and who is next.

        When these change, the server wakes it, and it begins to wait anew.
        """
        return [
            self._transactions.locks.front(one.slot) if one.waiting is not None else ()
            for one in sessions
        ]

    def _perform(
        self, sessions: list[Session], session: int, what: GeneralStatement | str
    ) -> Any:
        """Do a step in the loaded state; return what it shows."""
        transactions, slot = self._transactions, sessions[session].slot
        if isinstance(what, str):
            sessions[session] = Session()
            if not slot:
                return COMMITTED if what == COMMIT else ROLLED_BACK
            if what != COMMIT:
                transactions.roll_back(slot)
                return ROLLED_BACK
            ended = transactions.commit(slot)
            if not isinstance(ended, Failed):
                return COMMITTED
            is_old = ended.failure is Failure.ABORTED
            return ROLLED_BACK if is_old else ended.failure
        if not slot:
            begun = transactions.begin(self._level)
            if isinstance(begun, Failed):
                return begun.failure
            slot = begun
        position = "" if self._level.is_single_writer else "position"
        views = {
            name: TableView(transactions, slot, table, position)
            for name, table in self._tables.items()
        }
        result = transactions.attempt(slot, lambda: act(what, views))
        if isinstance(result, Blocked):
            sessions[session] = Session(slot, what)
            return BLOCKED
        sessions[session] = Session(slot)
        return result.failure if isinstance(result, Failed) else result

    def _save(self, sessions: tuple[Session, ...]) -> State:
        parts = tuple(part.snapshot() for part in self._kernel.parts.values())
        return State(parts, sessions)

    def _load(self, state: State) -> None:
        self._kernel.journal.clear()
        for part, held in zip(self._kernel.parts.values(), state.parts, strict=True):
            part.restore(held)

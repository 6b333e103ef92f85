"""What the model allows: every state a world can be in, given what was seen so far.

A database decides some things by a race that nobody controls: which of two waiting
sessions goes on first when both may. So the model is run as a set of possible states,
each with what it would have shown; what the database shows narrows them down, and a
database that shows what none of them would is a disagreement.
"""

from collections.abc import Hashable, Iterator
from typing import Any, Final, NamedTuple

from scenarios.conformity.world import (
    BLOCKED,
    COMMIT,
    COMMITTED,
    ROLLED_BACK,
    TableWorld,
)
from sim.kernel import Kernel
from sim.parts import Table
from sim.transactions.level import Blocked, Failed, Failure
from sim.transactions.manager import Transactions
from sim.transactions.statements import Cell, GeneralStatement, act
from sim.transactions.view import TableView

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
        self._load(state)
        sessions = list(state.sessions)
        shown: list[Any] = [None] * len(sessions)
        shown[session] = self._perform(sessions, session, what)
        first = self._save(tuple(sessions))
        todo = [(first, tuple(shown))]
        seen = dict.fromkeys(todo)
        while todo:
            current, so_far = todo.pop()
            woken = self._woken(current)
            if not woken:
                yield current, so_far
            for other in woken:
                after = self._resumed(current, so_far, other)
                if after not in seen:
                    seen[after] = None
                    todo.append(after)

    def _woken(self, state: State) -> list[int]:
        self._load(state)
        return [
            number
            for number, one in enumerate(state.sessions)
            if one.waiting is not None and self._transactions.may_go_on(one.slot)
        ]

    def _resumed(self, state: State, shown: Shown, session: int) -> tuple[State, Shown]:
        self._load(state)
        sessions = list(state.sessions)
        waiting = sessions[session].waiting
        assert waiting is not None
        now = list(shown)
        outcome = self._perform(sessions, session, waiting)
        # Who stays blocked has shown nothing, unless it was its own step.
        if outcome != BLOCKED:
            now[session] = outcome
        return self._save(tuple(sessions)), tuple(now)

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

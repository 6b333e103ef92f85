"""Every order of the steps on a server, each state once.

Depth-first: an execution follows the choices of the one before up to the last place
where another one is left, and goes on from there. It ends where it comes to a state
that was seen, for all that follows from there has been seen or will be. When no choice
is left, every state has been seen: proved, on this server and within these sizes.

Two reductions, both of which can be left out: a task that only takes in an answer that
it waits for is not exchanged with others, who cannot notice; and of tasks that are
alike and have been told the same, one is enough.

Source: Godefroid, "Model Checking for Programming Languages using VeriSoft", POPL 1997
(search by running again); states are kept as in Holzmann, "The Model Checker SPIN",
1997.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from wavecheck.scenarios.server.line import Line
from wavecheck.scenarios.server.overlaps import Overlaps
from wavecheck.scenarios.server.states import KeyIsFiner, StateKeys
from wavecheck.sim.errors import NondeterminismError
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.search.execution import StateIsKnown
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.session import Session
from wavecheck.sim.task import Task

NAME: Final = "exhaustive"
ACCOMPANYING: Final = 20
"""Executions beside a proof, in drawn orders and to their end."""


@dataclass(slots=True)
class _Choice:
    """A place where an execution could have gone on otherwise.

    Attributes:
        enabled: what could be chosen, for comparison when it is run again.
        told: what all tasks had been told, likewise.
        left: what is still to be tried, the next one last.
        taken: what was chosen.
    """

    enabled: tuple[str, ...]
    told: bytes
    left: list[int]
    taken: int = field(init=False)

    def __post_init__(self) -> None:
        self.taken = self.left.pop()


class StatefulSearch:
    """Explores the states of a world whose database is on a server.

    Args:
        keys: of its states.
        overlaps: counts what made the search meaningful.
        cuts: end an execution at a state that was seen.
        reduces: leave out orders that nobody can notice.
        exchanges: of tasks that are alike, try one.

    Attributes:
        note: what was seen, for people.
        states_count: states seen.
    """

    note = ""

    def __init__(
        self,
        keys: StateKeys,
        overlaps: Overlaps,
        *,
        cuts: bool = True,
        reduces: bool = True,
        exchanges: bool = True,
    ) -> None:
        self._keys = keys
        self._overlaps = overlaps
        self._cuts = cuts
        self._reduces = reduces
        self._exchanges = exchanges
        self._seen: set[bytes] = set()
        self._path: list[_Choice] = []
        self._depth = 0
        self._is_done = self._was_cut = False
        self._kernel: Kernel | None = None
        self._alike: dict[str, int] = {}
        self._walk: RandomWalk | None = None

    @property
    def states_count(self) -> int:
        """How many states were seen."""
        return len(self._seen)

    def run(self, session: Session) -> None:
        """Run executions until every state was seen, or until the session is over."""
        kernel = self._kernel = session.kernel
        groups: Any = getattr(session.world, "interchangeable", tuple)()
        self._alike = {name: n for n, names in enumerate(groups) for name in names}
        kernel.on_step = self._note
        try:
            while not self._is_done and not session.is_over():
                self._depth = 0
                self._keys.begin()
                self._overlaps.begin()
                try:
                    session.execute(self, NAME, rechecks=False)
                except KeyIsFiner:
                    self._seen.clear()
                    self._path.clear()
                    continue
                self._was_cut |= kernel.is_fair or kernel.was_cut
                self._is_done = not self._turn()
                session.tell()
            if self.proved() and self._cuts:
                self._accompany(session)
        finally:
            kernel.on_step = None
            self.note = f"{self.states_count} states; {self._overlaps}"

    def _accompany(self, session: Session) -> None:
        """Run some orders to their end: each state on the way must have been seen.

        Raises:
            NondeterminismError: one was not, so something is kept that no key holds.
        """
        self._walk = RandomWalk(0)
        for _ in range(ACCOMPANYING):
            if session.is_over():
                self._was_cut = True
                return
            self._depth = 0
            self._path.clear()
            self._keys.begin()
            self._overlaps.begin()
            self._walk.begin(session.kernel)
            try:
                session.execute(self, NAME, rechecks=False)
            except KeyIsFiner:
                raise self._unseen() from None

    def _walked(self, enabled: list[Task]) -> int:
        assert self._kernel is not None
        assert self._walk is not None
        if self._reduces:
            for index, task in enumerate(enabled):
                if _takes_in(task):
                    return index
        if self._keys.key(self._kernel.tasks) not in self._seen:
            raise self._unseen()
        return self._walk.pick(enabled)

    def _unseen(self) -> NondeterminismError:
        return NondeterminismError(
            "all states were seen, and then an execution came to another one\n"
            "likely: state that the code keeps beside the database (a module's global,"
            " a class\nattribute, a closure), a clock, or a random value"
        )

    def _note(self, *details: object) -> None:
        self._keys.note(*details)  # type: ignore[arg-type]  # a listener's
        self._overlaps.note(*details)  # type: ignore[arg-type]  # a listener's

    def _turn(self) -> bool:
        """Go back to the last place where something is left; False: nothing is."""
        while self._path and not self._path[-1].left:
            self._path.pop()
        if self._path:
            last = self._path[-1]
            last.taken = last.left.pop()
        return bool(self._path)

    def proved(self) -> bool:
        """Return whether every state was seen."""
        return self._is_done and not self._was_cut

    # As a rule ----------------------------------------------------------------------

    def pick(self, enabled: list[Task]) -> int:
        """Follow the path; after it, try what is new.

        Raises:
            StateIsKnown: this state was seen.
            NondeterminismError: the same path has led elsewhere.
        """
        if self._walk is not None:
            return self._walked(enabled)
        names = tuple([task.name for task in enabled])
        if self._depth < len(self._path):
            return self._follow(names)
        return self._take(_Choice(names, self._keys.told(), self._options(enabled)))

    def choose(self, options_count: int) -> int:
        """Follow the path; after it, try the first option.

        Raises:
            NondeterminismError: the same path has led elsewhere.
        """
        if self._walk is not None:
            return self._walk.choose(options_count)
        names = tuple([str(one) for one in range(options_count)])
        if self._depth < len(self._path):
            return self._follow(names)
        left = list(range(options_count))[::-1]
        return self._take(_Choice(names, self._keys.told(), left))

    def _follow(self, names: tuple[str, ...]) -> int:
        choice = self._path[self._depth]
        if (choice.enabled, choice.told) != (names, self._keys.told()):
            raise NondeterminismError(
                f"nondeterminism at choice {self._depth + 1}: the same steps on the"
                " server lead elsewhere\n"
                f"  first run   {', '.join(choice.enabled)} could go on\n"
                f"  second run  {', '.join(names)}"
                f"{' - and were told otherwise' * (choice.enabled == names)}\n"
                "likely: a clock, a random value, or an order of rows that no ORDER BY"
                " fixes"
            )
        self._depth += 1
        return choice.taken

    def _take(self, choice: _Choice) -> int:
        self._path.append(choice)
        self._depth += 1
        return choice.taken

    def _options(self, enabled: list[Task]) -> list[int]:
        """Return which tasks to try, the first one last."""
        kernel = self._kernel
        assert kernel is not None
        if self._reduces:
            for index, task in enumerate(enabled):
                if _takes_in(task):
                    return [index]
        if self._cuts:
            key = self._keys.key(kernel.tasks)
            if key in self._seen:
                raise StateIsKnown
            self._seen.add(key)
        options = self._different(enabled)
        running = kernel.current
        first = [one for one in options if enabled[one] is running]
        others = [one for one in options if enabled[one] is not running]
        return [*reversed(others), *first]

    def _different(self, enabled: Sequence[Task]) -> list[int]:
        """Return one of each kind of tasks that are alike and were told the same."""
        if not self._exchanges or self._keys.keeps_reads:
            return list(range(len(enabled)))
        kinds: dict[object, int] = {}
        for index, task in enumerate(enabled):
            group = self._alike.get(task.name)
            kind = index if group is None else (group, self._keys.part_of(task))
            kinds.setdefault(kind, index)
        return sorted(kinds.values())


def _takes_in(task: Task) -> bool:
    """Return whether a task's next step only takes in an answer that is there."""
    operation = task.operation
    assert operation is not None
    line = operation.owner
    return (
        isinstance(line, Line)
        and operation.statement.name == "go_on"
        and not line.is_busy
    )

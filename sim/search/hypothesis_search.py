"""Hypothesis as a search: sizes, schedules and faults drawn together, then shrunk.

One example is one execution. It draws the sizes of the world, faults included, and then
an answer for each choice; what a fault hits is such a choice. The only thing drawn is
booleans, a few for each answer: Hypothesis salts whole numbers and bytes with constants
from whichever modules happen to be imported, which would make the result depend on
them. All booleans false means the smallest world, and the running task going on
for as long as it can; that is what shrinking strives for.

The search is done in rounds. Each looks for the properties that no earlier one has
violated, and ends with one of them found and shrunk. Within a round Hypothesis does not
repeat itself.

`hypothesis.target` is not used. On the reference model with 3 listeners and calls after
completions, a prototype stranded a batch in `stalling` after a median of 950 executions
(8 seeds); steering by preemptions (802) or by reads gone stale (886) is well within the
spread of the seeds (19 to 3,404).

Source: MacIver, Donaldson, "Test-Case Reduction via Test-Case Generation", ECOOP 2020.

Determinism: rounds are seeded from the user's seed and nothing is read from disk,
unless a database is given: what that holds comes first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import SkipTest

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import (
    DirectoryBasedExampleDatabase,
    ExampleDatabase,
    ReadOnlyDatabase,
)
from hypothesis.errors import Flaky

from wavecheck.sim.errors import NondeterminismError
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.prng import Stream
from wavecheck.sim.search.search import Sizes, WorldFamily
from wavecheck.sim.search.session import Session
from wavecheck.sim.task import Task
from wavecheck.sim.world import World

ROUND_EXECUTIONS: Final = 2_000
SHRINK_EXECUTIONS: Final = 2_000
ANSWERS_MAX: Final = 2_000  # Hypothesis gives an example up at 8,192 draws
_BOOLEAN: Final = st.booleans()

Draw = Callable[[st.SearchStrategy[bool]], bool]


class _Violated(Exception):
    """Tells Hypothesis that this example is a failure."""


class _Over(BaseException):
    """Ends a round from within; Hypothesis lets it through."""

    def __init__(self, cause: Exception | None = None) -> None:
        super().__init__()
        self.cause = cause


def _below(draw: Draw, limit: int) -> int:
    """Return a number from 0 to `limit` - 1; all booleans false is 0."""
    number = 0
    for _ in range((limit - 1).bit_length()):
        number = 2 * number + draw(_BOOLEAN)
    return number % limit


class _Drawn:
    """A rule whose answers Hypothesis draws, until none is needed any more.

    Args:
        draw: gives one boolean.
        kernel: of the execution.
        is_decided: whether the execution is a failure already.
    """

    def __init__(
        self, draw: Draw, kernel: Kernel, is_decided: Callable[[], bool]
    ) -> None:
        self._draw = draw
        self._kernel = kernel
        self._is_decided = is_decided
        self._answers_left = ANSWERS_MAX

    def choose(self, options_count: int) -> int:
        """Return a drawn option: how often the answer was "a later one".

        Counted one by one, so that an answer means the same in a smaller world.
        """
        self._answers_left -= 1
        if self._answers_left < 0 or self._is_decided():
            return 0
        option = 0
        while option < options_count - 1 and self._draw(_BOOLEAN):
            option += 1
        return option

    def pick(self, enabled: list[Task]) -> int:
        """Return the index of the running task, or else of a drawn other one."""
        kernel = self._kernel
        if kernel.steps_count == 0 or kernel.current not in enabled:
            return self.choose(len(enabled))
        running = enabled.index(kernel.current)
        if not self.choose(2):
            return running
        other = self.choose(len(enabled) - 1)
        return other + (other >= running)


@dataclass(slots=True)
class _Round:
    """One call of Hypothesis.

    Attributes:
        wanted: names of the properties that it looks for.
        is_reuse: it only runs what the database holds.
        property_name: of the first failure; from there on it looks for no other.
        shrink_executions: executions since then.
    """

    wanted: frozenset[str]
    is_reuse: bool = False
    property_name: str = ""
    shrink_executions: int = 0


class _Keeper(ExampleDatabase):
    """Keeps failures by the property that they violate: another one may mask it."""

    def __init__(self, folder: Path, this: _Round) -> None:
        super().__init__()
        self._folder = folder
        self._round = this

    def save(self, key: bytes, value: bytes) -> None:
        """Keep an example that is a failure."""
        if self._round.property_name:
            folder = self._folder / self._round.property_name
            DirectoryBasedExampleDatabase(folder).save(key, value)

    def delete(self, key: bytes, value: bytes) -> None:
        """Drop an example that a smaller one replaces."""
        if self._round.property_name:
            folder = self._folder / self._round.property_name
            DirectoryBasedExampleDatabase(folder).delete(key, value)

    def fetch(self, key: bytes) -> Iterator[bytes]:
        """Yield nothing: what is kept has been run before this round."""
        yield from ()


class HypothesisSearch:
    """Lets Hypothesis draw and shrink the executions of a session.

    Args:
        seed: the user's seed.
        family: the worlds to draw from; None: the session's world only.
        database: folder where failures are kept, and looked for first; None: nowhere.
        shrinks: shrink what is found.
    """

    name = "hypothesis"
    note = ""

    def __init__(
        self,
        seed: int,
        *,
        family: WorldFamily | None = None,
        database: Path | None = None,
        shrinks: bool = True,
    ) -> None:
        self._stream = Stream(seed, self.name)
        self._family = family
        self._database = database
        self._shrinks = shrinks
        self._worlds: dict[tuple[int, ...], World] = {}
        self._round = _Round(frozenset())

    def proved(self) -> bool:
        """Return False: sampling proves nothing."""
        return False

    def run(self, session: Session) -> None:
        """Run rounds until the session is over; what the database holds comes first."""
        if self._family is not None:
            self._worlds[tuple(self._family.most.values())] = session.world
        if self._database is not None:
            for judged in session.properties:
                self._round = _Round(frozenset({judged.name}), is_reuse=True)
                kept = DirectoryBasedExampleDatabase(self._database / judged.name)
                self._run_round(session, [Phase.reuse], ReadOnlyDatabase(kept))
        phases = [Phase.generate, *([Phase.shrink] if self._shrinks else [])]
        while not session.is_over():
            before = session.executions_count
            wanted = {one.name for one in session.properties} - session.found.keys()
            this = self._round = _Round(frozenset(wanted))
            keeper = None if self._database is None else _Keeper(self._database, this)
            self._run_round(session, phases, keeper)
            if session.executions_count == before:
                return

    def _run_round(
        self, session: Session, phases: list[Phase], database: ExampleDatabase | None
    ) -> None:
        """Let Hypothesis call back, once for each example."""
        if session.is_over():
            return

        # Above `seed`, which would set the database to none.
        @settings(
            max_examples=min(ROUND_EXECUTIONS, session.executions_left()),
            phases=phases,
            database=database,
            derandomize=False,  # the seed below does that
            backend="hypothesis",
            deadline=None,
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            report_multiple_bugs=False,
            print_blob=False,
        )
        @seed(self._stream.below(1 << 32))
        @given(_examples(self, session))
        def example(is_failure: bool) -> None:
            if is_failure:
                raise _Violated

        try:
            example()
        except (_Violated, SkipTest):  # skipped: the database holds nothing
            pass
        except _Over as over:
            if over.cause is not None:
                raise over.cause from None
        except Flaky as error:
            raise NondeterminismError(
                "two runs of one schedule differ: Hypothesis drew the same answers and"
                " saw another execution\nlikely: a wall clock, a random source,"
                " iteration over a set, or state kept outside the database\n"
                "next: --strategy random names the step"
            ) from error

    def execute(self, draw: Draw, session: Session) -> bool:
        """Run one execution; return whether it is a failure that the round wants."""
        this = self._round
        is_shrinking = bool(this.property_name)
        this.shrink_executions += is_shrinking
        wanted = {this.property_name} if is_shrinking else this.wanted
        self._enter(draw, session)
        rule = _Drawn(
            draw,
            session.kernel,
            lambda: not wanted.isdisjoint(session.judge.violations),
        )
        run = session.execute_smaller if is_shrinking else session.execute
        try:
            shown = run(rule, self.name)
        except Exception as error:  # nothing to shrink: it is to be reported
            raise _Over(error) from error
        session.tell()
        hits = [shown[name] for name in shown if name in wanted]
        # Only here: an example that ends before its last draw looks flaky.
        if this.shrink_executions == SHRINK_EXECUTIONS:
            raise _Over
        if hits and not this.is_reuse:
            this.property_name = min(hits, key=lambda one: one.step).property_name
            return True
        if not is_shrinking and session.is_over():
            raise _Over
        return False

    def _enter(self, draw: Draw, session: Session) -> None:
        """Draw the sizes of the world and go there."""
        family = self._family
        if family is None:
            return
        sizes: Sizes = {
            name: least + _below(draw, family.most[name] - least + 1)
            for name, least in family.least.items()
        }
        key = tuple(sizes.values())
        if key not in self._worlds:
            self._worlds[key] = family.build(sizes)
        session.enter(self._worlds[key], sizes)


@st.composite
def _examples(draw: Any, search: HypothesisSearch, session: Session) -> bool:
    return search.execute(draw, session)

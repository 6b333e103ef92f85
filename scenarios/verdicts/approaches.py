"""The one seam for strategies: what each can do, and the search or proof it makes.

Everything that depends on which strategy answers is a field here. Knows subjects and
efforts; names of strategies are in the table alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.checking import (
    SearchProgress,
    beginning,
    search_subject,
)
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.scenarios.verdicts.strategies import STRATEGIES
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.search.search import Search, StrategySearch

if TYPE_CHECKING:
    from wavecheck.scenarios.verdicts.proving import ProofProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Approach:
    """What one strategy can do.

    Attributes:
        meaning: one line.
        search: makes a fresh search; None: it visits states, and proves.
        is_seeded: other seeds give other executions, so it can be cut into blocks.
        keeps_failures: between runs, in a folder.
    """

    meaning: str
    search: Callable[[Subject, Effort], Search] | None
    is_seeded: bool = False
    keeps_failures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told how far the work is, if anybody is."""

    searching: SearchProgress | None = None
    proving: "ProofProgress | None" = None


UNWATCHED: Final = Watch()

ARRAYS_FROM: Final = 6_000
"""Below so many executions, learning a world as tables takes longer than running it."""


def _by_choice(name: str, *, is_seeded: bool = True) -> Approach:
    meaning, make = STRATEGIES[name]
    return Approach(
        meaning=meaning,
        search=lambda subject, effort: StrategySearch(make(effort.seed)),
        is_seeded=is_seeded,
    )


def _on_arrays(name: str, *, depth: int | None) -> Approach:
    meaning, make = STRATEGIES[name]

    def search(subject: Subject, effort: Effort) -> Search:
        if effort.executions is not None and effort.executions < ARRAYS_FROM:
            return StrategySearch(make(effort.seed))
        from wavecheck.scenarios.verdicts.sampling import ArraySearch

        return ArraySearch(subject, name, effort.seed, make, depth=depth)

    return Approach(meaning=meaning, search=search, is_seeded=True)


def _drawn(subject: Subject, effort: Effort) -> Search:
    # It takes a third of a second to import, and few runs need it.
    from wavecheck.sim.search.hypothesis_search import HypothesisSearch

    folder = effort.database
    return HypothesisSearch(
        effort.seed,
        family=subject.family(),
        database=None if folder is None else folder / subject.label(),
        shrinks=effort.shrinks,
    )


EXHAUSTIVE: Final = "exhaustive"

APPROACHES: Final[Mapping[str, Approach]] = {
    "portfolio": _by_choice("portfolio"),
    "random": _on_arrays("random", depth=None),
    "pct": _on_arrays("pct", depth=3),
    "pct2": _on_arrays("pct2", depth=2),
    "surw": _by_choice("surw"),
    "dfs": _by_choice("dfs", is_seeded=False),
    "hypothesis": Approach(
        meaning="sizes, faults and schedules drawn together, and shrunk",
        search=_drawn,
        keeps_failures=True,
    ),
    EXHAUSTIVE: Approach(
        meaning="every reachable state: a proof, or a shortest counterexample",
        search=None,
    ),
}
"""What can be named as a strategy, in the order of reports."""


def approach_of(effort: Effort) -> Approach:
    """Return how an effort goes about it.

    Raises:
        InvalidScenario: there is no such strategy, or it cannot do what is asked.
    """
    name = effort.strategy
    if name not in APPROACHES:
        raise unknown_name("strategy", name, list(APPROACHES))
    approach = APPROACHES[name]
    if approach.search is None and effort.executions is not None:
        raise InvalidScenario(
            "--executions counts executions, and a proof has none\n"
            "  expected  --budget TIME or --memory SIZE"
        )
    if approach.search is not None and effort.checkpoint is not None:
        raise InvalidScenario(
            f"--checkpoint keeps a proof, and strategy {name!r} makes"
            f" none\n  expected  --strategy {EXHAUSTIVE}"
        )
    if effort.database is not None and not approach.keeps_failures:
        able = [known for known, one in APPROACHES.items() if one.keeps_failures]
        raise InvalidScenario(
            f"strategy {name!r} keeps no database\n  expected  {', '.join(able)}"
        )
    if not approach.is_seeded and (effort.jobs != 1 or effort.cluster is not None):
        able = [known for known, one in APPROACHES.items() if one.is_seeded]
        raise InvalidScenario(
            f"strategy {name!r} cannot be cut into blocks with their own seeds\n"
            f"  expected  one of: {', '.join(able)}, without a database\n"
            "next: leave --jobs and --cluster out"
        )
    return approach


def deadline_of(effort: Effort) -> Deadline:
    """Return when all work for an answer ends, if it begins now.

    Raises:
        InvalidScenario: there is no such strategy, or it cannot do what is asked.
    """
    return beginning(effort, is_proof=approach_of(effort).search is None)


def search_of(subject: Subject, effort: Effort) -> Search:
    """Return a fresh search of a subject.

    Raises:
        InvalidScenario: there is no such strategy, or it is no search.
    """
    search = approach_of(effort).search
    if search is None:
        raise InvalidScenario(f"strategy {effort.strategy!r} runs no executions")
    return search(subject, effort)


def answer(
    subject: Subject,
    effort: Effort,
    watch: Watch = UNWATCHED,
    deadline: Deadline | None = None,
) -> CheckResult:
    """Search or prove a subject in this process.

    Args:
        subject: what is under test.
        effort: how hard to try; where is not looked at.
        watch: who is told how far it is.
        deadline: of all the work; by the effort if not given.

    Returns:
        The verdicts with their evidence. Ctrl-C ends the work, not the call.

    Raises:
        InvalidScenario: a strategy, property or budget that does not exist or fit.
        CoordinatorError: the code under test failed.
        NondeterminismError: two runs of one schedule differ.
        CannotLearn: the code under test hides state from a proof.
    """
    if approach_of(effort).search is None:
        from wavecheck.scenarios.verdicts.proving import prove

        return prove(subject, effort, watch.proving, deadline)
    return search_subject(
        subject, effort, search_of(subject, effort), watch.searching, deadline
    )

"""Which level of isolation does this code need? Proofs of one world at each level.

Levels are those of transactions that name none. Beside the whole table it asks which
kinds of task alone would have to be stricter, and whether a lock would do instead.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any, Final

from wavecheck.scenarios.drivers.isolation import (
    IsolationPlan,
    isolate,
    kind_of_task,
    may_lock,
)
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.questions import ask
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import EXHAUSTIVE
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.property import NO_ERROR
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.verdict import Outcome
from wavecheck.sim.world import World

LEVELS: Final = ("read committed", "repeatable read", "serializable")


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelAnswers:
    """What was proved and refuted, by level.

    Attributes:
        subject: what was asked about.
        results: of a proof of each level.
        stricter: the fewest kinds of task that must have a level for everything to be
            proved at it, the others at READ COMMITTED; None: that was not asked, or no
            level proves everything.
        stricter_level: that level.
        locks: the fewest queries which, if they locked what they read, would prove
            everything at READ COMMITTED; None: likewise.
    """

    subject: Subject
    results: Mapping[str, CheckResult]
    stricter: tuple[str, ...] | None = None
    stricter_level: str = ""
    locks: tuple[str, ...] | None = None

    def properties(self) -> tuple[str, ...]:
        """Return the names of what was judged at any level."""
        names = [v.property_name for one in self.results.values() for v in one.verdicts]
        return tuple(dict.fromkeys(names))

    def cell(self, level: str, name: str) -> tuple[Outcome | None, Schedule | None]:
        """Return the answer for a property at a level, and its counterexample."""
        result = self.results[level]
        for one in result.verdicts:
            if one.property_name == name:
                return one.outcome, result.schedules.get(name)
        return None, None


def levels_of(
    subject: Subject,
    effort: Effort,
    watch: Callable[[str], None] = lambda said: None,
) -> LevelAnswers:
    """Prove or refute a world at each level.

    Args:
        subject: a world with a database.
        effort: how hard each proof is tried.
        watch: told what is asked next.

    Raises:
        InvalidScenario: the world has no PostgreSQL database, and no transactions.
        CannotLearn: the code under test hides state from a proof.
    """
    world: Any = subject.world()
    databases = getattr(world, "databases", ())
    is_model = any(hasattr(one, "on_server") for one in databases)  # no SQLite
    if not is_model and not getattr(world, "has_transactions", False):
        raise InvalidScenario(
            f"{subject.scenario.name} has no PostgreSQL database\n"
            "  expected  a world with w.postgresql(...) or w.transactions(...)"
        )
    effort = replace(effort, strategy=EXHAUSTIVE)
    declared = [one.name for one in subject.judged(world)]
    subject = replace(subject, properties=(*declared, NO_ERROR.name))
    results = {}
    for level in LEVELS:
        watch(level)
        results[level] = ask(_with(subject, IsolationPlan(level)), effort)
    found = LevelAnswers(subject=subject, results=results)
    weakest = results[LEVELS[0]]
    if not weakest.has_violation():
        return found
    kinds = sorted({kind_of_task(one.name) for one in _tasks(world)})
    level = next((one for one in LEVELS if _is_proved(results[one])), "")
    stricter = None
    if level and len(kinds) > 1:
        stricter = _fewest(
            kinds,
            lambda some: IsolationPlan(LEVELS[0], dict.fromkeys(some, level)),
            partial(_proves, subject, effort, watch),
        )
    queries = sorted({one for s in weakest.schedules.values() for one in _queries(s)})
    locks = _fewest(
        queries,
        lambda some: IsolationPlan(LEVELS[0], locks=frozenset(some)),
        partial(_proves, subject, effort, watch),
    )
    return replace(found, stricter=stricter, stricter_level=level, locks=locks)


def _with(subject: Subject, isolation: IsolationPlan) -> Subject:
    build = subject.scenario.build

    def isolated(kernel: Kernel, code: Any, settings: Any) -> World:
        isolate(kernel, isolation)
        return build(kernel, code, settings)

    return replace(subject, scenario=replace(subject.scenario, build=isolated))


def _tasks(world: Any) -> Iterator[Any]:
    kernel = world.kernel
    kernel.rewind()
    world.start()
    yield from kernel.tasks
    kernel.rewind()


def _is_proved(result: CheckResult) -> bool:
    return all(one.outcome is Outcome.PROVED for one in result.verdicts)


def _proves(
    subject: Subject, effort: Effort, watch: Any, isolation: IsolationPlan
) -> bool:
    watch("what would do")
    effort = replace(effort, stops_at_first=True)
    return _is_proved(ask(_with(subject, isolation), effort))


def _fewest(
    items: Iterable[str],
    isolation: Callable[[tuple[str, ...]], IsolationPlan],
    proves: Callable[[IsolationPlan], bool],
) -> tuple[str, ...] | None:
    """Return the first of the smallest sets that prove everything; None: none does."""
    known = tuple(items)
    if not known or not proves(isolation(known)):
        return None
    for count in range(1, len(known)):
        for some in combinations(known, count):
            if proves(isolation(some)):
                return some
    return known


def _queries(schedule: Schedule) -> Iterator[str]:
    """Yield the queries of a counterexample that could have locked what they read."""
    for step in schedule.steps:
        for one in step.args if isinstance(step.args, list) else ():
            sql = one.get("sql") if isinstance(one, dict) else None
            if sql and not one.get("is_alone") and may_lock(sql):
                yield sql

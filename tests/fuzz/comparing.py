"""One case by Wavecheck and by the reference: whatever differs is a find."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fuzz.enumeration import HEALS, Enumeration, enumerate_all
from tests.fuzz.programs import NO_ERROR, Body, Case
from tests.fuzz.reference import Reference
from tests.fuzz.world import FuzzWorld, load
from wavecheck.sim.exhaustive import accompanying, effects
from wavecheck.sim.exhaustive.fairness import fair_cycle
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.prove import conclude, in_full, searched
from wavecheck.sim.exhaustive.recovery import recovery
from wavecheck.sim.property import Judge, with_no_error
from wavecheck.sim.search.execution import execute
from wavecheck.sim.verdict import Outcome

WALKS = 8
RERUNS = 16
ACCOMPANYING = 24
FULL_EVERY = 20
"""Of so many seeds one is compared in full: more states, all that is run beside it."""

STATES_MAX, STATES_MAX_IN_FULL = 400, 4_000
WALK_STEPS_MAX = 200
REDUCING = ("reduced", "symmetric")


class Differs(AssertionError):
    """Wavecheck and the reference do not say the same."""


def compare(case: Case) -> Enumeration:
    """Judge a case both ways.

    Raises:
        Differs: in anything.
        TooLarge: it has too many states.
        FailsAtStart: a task ends by an error before its first step.
    """
    in_full = is_in_full(case.seed)
    states_max = STATES_MAX_IN_FULL if in_full else STATES_MAX
    found = enumerate_all(Reference(case), states_max)
    module = load(case)
    with effort(in_full=in_full):
        _compare_proof(case, module, found, reduces=False)
        if case.kind in REDUCING:
            _compare_proof(case, module, found, reduces=True)
    _compare_walks(case, module, found)
    return found


def is_in_full(seed: int) -> bool:
    """Return whether a seed is compared in full."""
    return seed % FULL_EVERY == 0


@contextmanager
def effort(*, in_full: bool) -> Iterator[None]:
    """Let proofs run less again than they do for users, but for those in full.

    What is run again and beside them would notice a wrong proof; so does the reference.
    """
    before = effects._RERUNS_MIN, accompanying.EXECUTIONS_MIN
    if not in_full:
        effects._RERUNS_MIN, accompanying.EXECUTIONS_MIN = RERUNS, ACCOMPANYING
    try:
        yield
    finally:
        effects._RERUNS_MIN, accompanying.EXECUTIONS_MIN = before


def _same(what: str, expected: Any, got: Any) -> None:
    if expected != got:
        raise Differs(f"{what}: the reference says {expected!r}, Wavecheck {got!r}")


def _compare_proof(
    case: Case, module: Any, found: Enumeration, *, reduces: bool
) -> None:
    search, stopped_by = searched(FuzzWorld(case, module), reduces=reduces)
    _same("stopped by", "", stopped_by)
    result, graph = conclude(search, stopped_by), graph_of(search)
    if reduces and result.merged and found.has_cycle():
        search, _ = in_full(search, "loops")
        result, graph = conclude(search, ""), graph_of(search)
    if not reduces:
        if has_exact_states(case):
            _same("states", len(found.states), result.states)
            _same("transitions", found.transitions, result.transitions)
            _same("final states", len(found.finals), result.quiescent)
        elif result.states < len(found.states):
            _same("at least as many states", len(found.states), result.states)
    if not (reduces and found.has_cycle()):
        _same("schedules", found.schedules(), count_schedules(graph))
    judged = {*case.properties, *([NO_ERROR] if found.shortest(NO_ERROR) else [])}
    _same("properties", sorted(judged), sorted(one.name for one in result.properties))
    for index, one in enumerate(result.properties):
        name, shortest = one.name, found.shortest(one.name)
        expected = Outcome.NOT_TESTED if found.is_vacuous(name) else Outcome.PROVED
        if shortest is not None:
            expected = Outcome.VIOLATED
        _same(f"verdict of {name}", expected, one.outcome)
        if one.counterexample is not None:
            told = len(one.counterexample.steps)
            rounds = case.heals[0] if case.heals else 0
            if not 0 <= (shortest or 0) - told <= rounds:
                _same(f"shortest violation of {name}", shortest, told)
            _replay(case, found, name, one.counterexample.steps)
        chance = odds(graph, index)
        if not (reduces and found.has_cycle()):
            exact = None if chance is None else chance.exact
            _same(f"odds of {name}", found.odds(name), exact)
        _compare_recovery(search, graph, index, found, case, exact=not reduces)
        lasso = fair_cycle(search, graph, index) if not result.merged else None
        if not result.merged and case.heals is None:
            _same(
                f"fair cycle of {name}", found.has_fair_cycle(name), lasso is not None
            )


def _compare_recovery(
    search: Any, graph: Any, index: int, found: Enumeration, case: Case, *, exact: bool
) -> None:
    judged = recovery(search, graph, index)
    name = judged.property_name
    lost = found.lost(name)
    _same(f"{name} is recoverable", not lost, judged.point_of_no_return is None)
    if exact and has_exact_states(case):
        _same(f"states in which {name} is lost", len(lost), judged.lost)
    if lost and case.heals is None:
        assert judged.point_of_no_return is not None
        level = min(found.levels[one] for one in lost)
        _same(f"steps until {name} is lost", level, len(judged.point_of_no_return))


def has_exact_states(case: Case) -> bool:
    """Return whether the engine's states are those of the reference, one by one.

    An error that is being handled is a local state of its own for the engine, whatever
    it is; a healing round is one more.
    """
    bodies = [one.body for one in (*case.programs.values(), *case.helpers.values())]
    return case.heals is None and not any(_awaits_in_handler(one) for one in bodies)


def _awaits_in_handler(body: Body, inside: bool = False) -> bool:
    for one in body:
        match one:
            case ("await" | "call" | "sum", *_):
                if inside:
                    return True
            case ("try", tried, _, handler):
                if _awaits_in_handler(tried, inside) or _awaits_in_handler(
                    handler, True
                ):
                    return True
            case ("if", _, yes, no):
                if _awaits_in_handler(yes, inside) or _awaits_in_handler(no, inside):
                    return True
            case ("for" | "while" | "loop", *_, inner):
                if _awaits_in_handler(inner, inside):
                    return True
    return False


def _replay(case: Case, found: Enumeration, name: str, steps: Any) -> None:
    """See that a counterexample is an execution of the reference that violates."""
    at, violated = 0, False
    numbers = {one: index for index, one in enumerate(found.reference.names)}
    for task, choices in steps:
        at = _healed(found, at)
        edges = [
            edge
            for edge in found.edges[at]
            if edge.task == numbers[task] and edge.choices == choices
        ]
        if len(edges) != 1:
            raise Differs(f"counterexample to {name}: no step {task} {choices}")
        violated = name in edges[0].violated
        at = edges[0].target
    at = _healed(found, at)
    if not violated and not (not found.edges[at] and found.is_bad(at, name)):
        raise Differs(f"counterexample to {name}: the reference sees no violation")


def _healed(found: Enumeration, at: int) -> int:
    while found.edges[at] and found.edges[at][0].task == HEALS:
        at = found.edges[at][0].target
    return at


class _Walk:
    """A rule that draws, and walks the reference beside the kernel."""

    def __init__(self, rng: random.Random, found: Enumeration, kernel: Any) -> None:
        self.rng, self.found, self.kernel = rng, found, kernel
        self.at = 0
        self.answers: list[int] = []
        self.violated: set[str] = set()
        self.steps = 0

    def pick(self, enabled: list[Any]) -> int:
        self._check([task.name for task in enabled])
        return self.rng.randrange(len(enabled))

    def choose(self, options_count: int) -> int:
        self.answers.append(self.rng.randrange(options_count))
        return self.answers[-1]

    def _check(self, names: list[str]) -> None:
        self.at = _healed(self.found, self.at)
        known = self.found.reference.names
        expected = {known[edge.task] for edge in self.found.edges[self.at]}
        _same("enabled tasks", sorted(expected), sorted(names))

    def on_step(self, task: Any, operation: Any, result: Any, changes: Any) -> None:
        self.at = _healed(self.found, self.at)
        reference = self.found.reference
        index = reference.names.index(task.name)
        choices, self.answers = tuple(self.answers), []
        for edge in self.found.edges[self.at]:
            if edge.task == index and edge.choices == choices:
                break
        else:
            raise Differs(f"the kernel steps {task.name} {choices}; nobody else would")
        for step in reference.steps(self.found.states[self.at], index):
            if step.choices == choices and step.result is not None:
                got = type(result).__name__ if isinstance(result, Exception) else result
                _same(f"result of {operation.statement.name}", step.result, got)
        self.violated |= edge.violated
        self.at = edge.target
        self.steps += 1
        if self.steps >= WALK_STEPS_MAX:
            self.kernel.is_stopped = True


def _compare_walks(case: Case, module: Any, found: Enumeration) -> None:
    """Run random executions on the kernel, each beside the reference."""
    world = FuzzWorld(case, module)
    rng = random.Random(case.seed)
    for _ in range(WALKS):
        walk = _Walk(rng, found, world.kernel)
        judge = Judge(world.kernel, world, with_no_error(world.properties))
        world.kernel.on_step = walk.on_step
        try:
            execute(world, walk)
            expected = set(walk.violated)
            if not world.kernel.is_stopped:
                judge.judge_end()
                at = _healed(found, walk.at)
                _same("the kernel has ended", [], found.edges[at])
                expected |= {name for name in case.properties if found.is_bad(at, name)}
            _same("violated on the kernel", expected, set(judge.violations))
        finally:
            judge.close()
            world.kernel.on_step = None
            world.kernel.rewind()
